"""What every question has in common: its failure in the user's words, and lists that come page by page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import requests
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient
from kagglesdk.kernels.types.kernels_api_service import ApiListKernelsRequest
from kagglesdk.kernels.types.kernels_enums import KernelsListViewType

from coordinator.errors import CredentialsError, NoAccess, TargetError
from coordinator.target.credentials import Credentials
from coordinator.target.kaggle import answers, meanings
from coordinator.target.kaggle.policy import Failed, Failure, Kind
from coordinator.target.kaggle.transport import Transport, as_failed

_PAGES_AT_MOST = 10_000


class Dialogue:
    """Questions to one target, for one user."""

    def __init__(
        self, http: Transport, *, target: str, endpoint: str, website: str, credentials: Credentials, owner: str
    ) -> None:
        """`website` is the address of the target's pages, `owner` who the user says to be."""
        self.target = target
        self.website = website
        self._kernels = KernelsApiClient(http)
        self._endpoint = endpoint
        self._source = credentials.source
        self._owner = owner

    @contextlib.contextmanager
    def answering(self, doing: str, *, kernel: str = "") -> Iterator[None]:
        """Turns what goes wrong into what it means. A 403 about a `kernel` (owner/slug) is looked into."""
        try:
            yield
        except Failed as failed:
            error = self._explained(failed, doing)
            if isinstance(error, NoAccess):
                if kernel:
                    raise self._why_no_access(error, failed.kind, kernel) from failed
                # Its own hint is about a kernel.
                raise NoAccess(error.what, hint="Is your token still good? Ask: coord doctor") from failed
            raise error from failed
        except requests.exceptions.RequestException as error:  # of a body that the caller reads
            raise self._explained(as_failed(error), doing) from None
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            # What kagglesdk's types allow, and the caller can't use.
            raise self._explained(Failed(Failure.UNUSABLE, answers.shown(str(error))), doing) from error

    def pages(self, what: str, kind: Callable[[], Any], ask: Callable[[Any], Any], **fields: Any) -> Iterator[Any]:
        """The pages of a list, each the answer to a request of that `kind`; `fields` are set in it.

        Raises TargetError, among others, for a list that never ends. One about a `kernel` is named by `user_name` and
        `kernel_slug`.
        """
        token, seen = "", set[str]()
        kernel = f"{fields['user_name']}/{fields['kernel_slug']}" if "kernel_slug" in fields else ""
        for _ in range(_PAGES_AT_MOST):
            with self.answering(f"reading {what}", kernel=kernel):
                page = ask(_request(kind, token, fields))
            yield page
            token = page.next_page_token or ""
            if not token:
                return
            if token in seen:
                raise TargetError(f"{what} never ends: {self.target} repeats its page tokens")
            seen.add(token)
        raise TargetError(f"{what} never ends: it has more than {_PAGES_AT_MOST:,} pages")

    def kernels(self) -> Iterator[Any]:
        """The pages of the list of one's own kernels."""
        return self._own_kernels(100)

    def check_access(self) -> None:
        """Raises CredentialsError if it is the credentials that are refused; Kaggle says 403 for both."""
        try:
            next(self._own_kernels(1))
        except NoAccess as error:
            raise CredentialsError(
                f"{self.target} does not let the credentials from {self._source} list their own kernels: "
                "your token has expired, or was revoked",
                hint="Make a new one at https://www.kaggle.com/settings.",
            ) from error

    def _own_kernels(self, page_size: int) -> Iterator[Any]:
        return self.pages(
            "the list of your kernels",
            ApiListKernelsRequest,
            self._kernels.list_kernels,
            group=KernelsListViewType.PROFILE,
            page_size=page_size,
        )

    def _explained(self, failed: Failed, doing: str) -> Exception:
        return meanings.explain(failed, doing, target=self.target, endpoint=self._endpoint, source=self._source)

    def _why_no_access(self, error: NoAccess, kind: Kind, kernel: str) -> TargetError | CredentialsError:
        """Which of the three it is that Kaggle says 403 for, as far as another question tells."""
        owner, _, slug = kernel.partition("/")
        try:
            self.check_access()
        except CredentialsError as of_credentials:
            return of_credentials
        except TargetError:
            return error
        if owner.lower() != self._owner.lower():
            hint = f'{owner} is not you ("{self._owner}"): the kernel is private, or there is none of that name.'
        elif kind is Kind.WRITE:
            hint = f'Your token is good. Is "{owner}" its user ([tool.coord] owner), and "{slug}" the title\'s slug?'
        else:
            hint = f'Your token is good, so there is no such kernel (or version): was "{slug}" deleted or renamed?'
        return NoAccess(error.what, hint=hint)


def _request(kind: Callable[[], Any], token: str, fields: dict[str, Any]) -> Any:
    request = kind()
    for name, value in fields.items():
        setattr(request, name, value)
    if token:
        request.page_token = token
    return request
