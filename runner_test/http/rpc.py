"""Calls of methods: parses a request with kagglesdk's types and calls the method, which answers or refuses.

The methods are in modules of their own (`methods.py` lists them); `app.py` carries them over HTTP.
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
    """The user who sent a request, and the local Kaggle that received it."""

    store: Store
    user: str | None  # None: no credentials
    token_user: str  # the user of every access token
    url: str  # the server's address
    url_lifetime: float  # seconds that a file's address is valid


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
    """An answer that is a version's log, live or not; `wait` is how many seconds to wait for a queued session."""

    version: Version
    wait: float


# A dict is sent as JSON as it is, where kagglesdk's types can't express the answer.
Answer: TypeAlias = KaggleObject | dict[str, Any] | Redirect | LogOf


@dataclass(frozen=True)
class Method:
    """A method: the type of its request, and the function that answers it."""

    request: type[KaggleObject]
    handler: Callable[[Caller, Any], Answer]
    public: bool = False  # answered without credentials


def call(method: Method, caller: Caller, body: object) -> Answer:
    """Answer a request whose JSON is `body`. Raises Refusal."""
    if caller.user is None and not method.public:
        raise Refusal(401, "Unauthenticated")
    return method.handler(caller, _parse(method.request, body))


def _parse(kind: type[KaggleObject], body: object) -> KaggleObject:
    """Parse a request with the SDK's reader, and check its types with the SDK's setters. Raises Refusal."""
    if not isinstance(body, dict):
        raise Refusal(400, "The request is not a JSON object")
    try:
        message = kind.from_dict(body)
        _check(message)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise Refusal(400, f"{kind.__name__}: {error}") from error
    return message


def _check(message: KaggleObject) -> None:
    """Raise TypeError if a field has a value of another type, at any depth: the SDK's reader does not look.

    Raise ValueError for a text that no answer could have: with an unpaired surrogate character.
    """
    for field in message._fields:
        value = getattr(message, field.private_field_name)
        if value is not None:
            setattr(message, field.field_name, value)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, KaggleObject):
                _check(each)
            elif isinstance(each, str) and field.field_name != "text":  # SaveKernel answers for its source itself
                each.encode("utf-8")


def new(kind: type[KaggleObject], **fields: object) -> KaggleObject:
    """A message of the SDK with the given fields; a field that is None is not set."""
    message = kind()
    for name, value in fields.items():
        if value is not None:
            setattr(message, name, value)
    return message


def date(seconds: float) -> datetime:
    """A time (seconds since 1970) for the SDK's messages: in UTC without a zone, because its writer adds a Z to any."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
