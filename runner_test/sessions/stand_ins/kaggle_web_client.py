"""The local Kaggle's stand-in for the module of Kaggle's image with this name: it answers requests for secrets.

A session imports it from a folder of its own, in which `session.json` has the session's secrets. It has the image's
names, exceptions and messages, so that a program meets the same ones here as on Kaggle.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

TIMEOUT_SECS = 40
_TOKEN = "KAGGLE_USER_SECRETS_TOKEN"
_SECRET = "/requests/GetUserSecretByLabelRequest"


class CredentialError(Exception):
    """The session has no token."""


class BackendError(Exception):
    """Kaggle refuses a request."""


class KaggleWebClient:
    """Asks Kaggle on behalf of the session's user. Raises CredentialError without the session's token."""

    def __init__(self) -> None:
        self.url_base = os.getenv("KAGGLE_URL_BASE") or "https://www.kaggle.com"
        self.jwt_token = os.getenv(_TOKEN)
        if self.jwt_token is None:
            raise CredentialError(
                f"A JWT Token is required to call Kaggle, but none found in environment variable {_TOKEN}"
            )

    def make_post_request(self, data: dict[str, Any], endpoint: str, timeout: int = TIMEOUT_SECS) -> dict[str, Any]:
        """The answer to a request. Raises ConnectionError with the internet off, and BackendError."""
        session = json.loads(Path(__file__).with_name("session.json").read_text(encoding="utf-8"))
        if not session["internet"]:
            _hint("the internet of this session is off, and on Kaggle such requests need it: set enable_internet")
            raise ConnectionError("Connection error trying to communicate with service.")
        if endpoint != _SECRET:
            _hint(f"it does not answer {endpoint}: only secrets, from the file that `secrets` in the settings names")
            raise BackendError("Unexpected response from the service.")
        label = data["Label"]
        if label in session["secrets"]:
            return {"secret": session["secrets"][label]}
        _hint(f"the project's file of secrets, .coord/secrets.toml by default, has none with the label {label!r}")
        refusal = {
            "errors": [f"No user secrets exist for kernel id 0 and label {label}."],
            "error": {"code": 5},
            "wasSuccessful": False,
        }
        raise BackendError(f"Unexpected response from the service. Response: {refusal}.")


def _hint(text: str) -> None:
    print(f"The local Kaggle: {text}.", file=sys.stderr, flush=True)
