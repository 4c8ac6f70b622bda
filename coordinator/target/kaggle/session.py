"""What all calls of the API have in common: their failures as errors for the user, and lists that come in pages."""

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
from coordinator.target.kaggle import error_table, parsing
from coordinator.target.kaggle.policy import Failed, Failure, Kind
from coordinator.target.kaggle.transport import Transport, as_failed

_PAGES_AT_MOST = 10_000


class ApiSession:
    """The calls to one target, for one user."""

    def __init__(
        self, http: Transport, *, target: str, endpoint: str, website: str, credentials: Credentials, owner: str
    ) -> None:
        """`website` is the address of the target's pages (empty without any), `owner` the user name of the settings."""
        self.target = target
        self.website = website
        self._kernels = KernelsApiClient(http)
        self._endpoint = endpoint
        self._source = credentials.source
        self._owner = owner

    def page(self, path: str) -> str:
        """The address of a page of the target's website; empty if it has none."""
        return self.website and f"{self.website}/{path}"

    @contextlib.contextmanager
    def explaining(self, doing: str, *, kernel: str = "") -> Iterator[None]:
        """Turns a failure into the error for the user, which begins with `doing`.

        After a 403 or 404 about a `kernel` (owner/slug) a second call finds out which of its reasons it has.
        """
        try:
            yield
        except Failed as failed:
            error = self._explained(failed, doing)
            if isinstance(error, NoAccess):
                if kernel:
                    raise self._why_no_access(error, failed.kind, kernel) from failed
                # The hint of the table is about a kernel.
                raise NoAccess(error.what, hint="Is your token still valid? Ask: coord doctor") from failed
            raise error from failed
        except requests.exceptions.RequestException as error:  # of a body that the caller reads
            raise self._explained(as_failed(error), doing) from None
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            # kagglesdk's types allow it, and the caller cannot use it.
            raise self._explained(Failed(Failure.UNUSABLE, parsing.shown(str(error))), doing) from error

    def pages(self, what: str, kind: Callable[[], Any], ask: Callable[[Any], Any], **fields: Any) -> Iterator[Any]:
        """The pages of a list: each is the answer to a request of that `kind`, in which `fields` are set.

        A list about a kernel has the fields `user_name` and `kernel_slug`. Raises TargetError, among others for a list
        that never ends.
        """
        token, seen = "", set[str]()
        kernel = f"{fields['user_name']}/{fields['kernel_slug']}" if "kernel_slug" in fields else ""
        for _ in range(_PAGES_AT_MOST):
            with self.explaining(f"reading {what}", kernel=kernel):
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
        """The pages of the list of the user's own kernels."""
        return self._own_kernels(100)

    def check_access(self) -> None:
        """Raises CredentialsError if the credentials are refused. (Kaggle answers a missing kernel with 403, too.)"""
        try:
            next(self._own_kernels(1))
        except NoAccess as error:
            raise CredentialsError(
                f"{self.target} does not list your own kernels for the credentials from {self._source}: "
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
        return error_table.explain(failed, doing, target=self.target, endpoint=self._endpoint, source=self._source)

    def _why_no_access(self, error: NoAccess, kind: Kind, kernel: str) -> TargetError | CredentialsError:
        """The reason of a 403 as far as another call tells: the token, somebody else's kernel, or no such kernel."""
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
            hint = f'Your token is valid. Is "{owner}" its user ([tool.coord] owner), and "{slug}" the title\'s slug?'
        else:
            hint = f'Your token is valid, so there is no such kernel (or version): was "{slug}" deleted or renamed?'
        return NoAccess(error.what, hint=hint)


def _request(kind: Callable[[], Any], token: str, fields: dict[str, Any]) -> Any:
    request = kind()
    for name, value in fields.items():
        setattr(request, name, value)
    if token:
        request.page_token = token
    return request
