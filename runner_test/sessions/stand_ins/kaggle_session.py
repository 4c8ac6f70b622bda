"""The local Kaggle's stand-in for the module of Kaggle's image with this name: it has no notebook's draft to give."""

from typing import Any

from kaggle_web_client import KaggleWebClient


class UserSessionClient:
    """What Kaggle knows about the session. Raises CredentialError without the session's token."""

    GET_SOURCE_ENDPOINT = "/requests/GetKernelRunSourceForCaipRequest"

    def __init__(self) -> None:
        self.web_client = KaggleWebClient()

    def get_exportable_ipynb(self) -> dict[str, Any]:
        """Raises BackendError, or ConnectionError: the local Kaggle does not export notebooks."""
        found: dict[str, Any] = self.web_client.make_post_request({"UseDraft": True}, self.GET_SOURCE_ENDPOINT)
        return found
