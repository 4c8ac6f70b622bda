"""The wire's own part: a request of kagglesdk's in, an answer of kagglesdk's out, or a refusal.

What the methods do is in `saving`, `reading` and `quota`; how HTTP carries them is in `app`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from kagglesdk.kaggle_object import KaggleObject

from runner_test.state import Version
from runner_test.store import Store


@dataclass(frozen=True)
class Caller:
    """Who asks, and of which local Kaggle."""

    store: Store
    user: str | None  # None: no credentials
    token_user: str  # the name behind access tokens, which carry none
    url: str  # the server's address
    url_lifetime: float  # seconds that an output's address works


class Refusal(Exception):
    """A request that is answered with an HTTP error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Redirect:
    """An answer that sends the client to another address."""

    url: str


@dataclass(frozen=True)
class LogOf:
    """An answer that is a version's log, live or not; `wait` is how many seconds a queued session may take."""

    version: Version
    wait: float


# A dict is JSON as it goes out, for what kagglesdk's own types can't write.
Answer: TypeAlias = KaggleObject | dict[str, Any] | Redirect | LogOf


@dataclass(frozen=True)
class Method:
    """A request's type and what answers it."""

    request: type[KaggleObject]
    handler: Callable[[Caller, Any], Answer]
    public: bool = False  # answered without credentials


def call(method: Method, caller: Caller, body: object) -> Answer:
    """Answer a request whose JSON is `body`. Raises Refusal."""
    if caller.user is None and not method.public:
        raise Refusal(401, "Unauthenticated")
    request = _parse(method.request, body)
    try:
        return method.handler(caller, request)
    except FileNotFoundError as error:
        raise Refusal(503, "A kernel was deleted while this was being answered: ask again") from error


def _parse(kind: type[KaggleObject], body: object) -> KaggleObject:
    """Read a request with the SDK's reader and check its types with the SDK's setters."""
    if not isinstance(body, dict):
        raise Refusal(400, "The request is not a JSON object")
    try:
        message = kind.from_dict(body)
        for field in kind._fields:
            value = getattr(message, field.private_field_name)
            if value is not None:
                setattr(message, field.field_name, value)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise Refusal(400, f"{kind.__name__}: {error}") from error
    return message


def new(kind: type[KaggleObject], **fields: object) -> KaggleObject:
    """A message of the SDK with the given fields; None leaves a field out."""
    message = kind()
    for name, value in fields.items():
        if value is not None:
            setattr(message, name, value)
    return message


def date(seconds: float) -> datetime:
    """A moment as the SDK's messages take it: in UTC, and without a zone, because its writer adds a Z to any."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
