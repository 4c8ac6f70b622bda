"""The local Kaggle's stand-in for the module of Kaggle's image with this name: secrets come from a file."""

import os
from datetime import datetime
from enum import Enum
from pathlib import Path

from kaggle_web_client import BackendError, CredentialError, KaggleWebClient

__all__ = ["BackendError", "CredentialError", "GcpTarget", "NotFoundError", "UserSecretsClient", "ValidationError"]

_GCLOUD = "__gcloud_sdk_auth__"


class ValidationError(Exception):
    """A label is empty."""


class NotFoundError(Exception):
    """There is no credential for Google Cloud."""


class GcpTarget(Enum):
    """Services of Google Cloud. Here there are no credentials for any of them."""

    BIGQUERY = (1, "BigQuery")
    GCS = (2, "Google Cloud Storage")
    CLOUDAI = (3, "Google Cloud AI Platform")

    @property
    def target(self) -> int:
        """The service's number."""
        return self.value[0]

    @property
    def service(self) -> str:
        """The service's name."""
        return self.value[1]


class UserSecretsClient:
    """The secrets of the session's user. Raises CredentialError without the session's token."""

    GET_USER_SECRET_ENDPOINT = "/requests/GetUserSecretRequest"
    GET_USER_SECRET_BY_LABEL_ENDPOINT = "/requests/GetUserSecretByLabelRequest"

    def __init__(self) -> None:
        self.web_client = KaggleWebClient()

    def get_secret(self, label: str) -> str:
        """The secret with that label. Raises ValidationError, BackendError if there is none, and ConnectionError."""
        if not label:
            raise ValidationError("Label must be non-empty.")
        secret: str = self.web_client.make_post_request({"Label": label}, self.GET_USER_SECRET_BY_LABEL_ENDPOINT)[
            "secret"
        ]
        return secret

    def get_gcloud_credential(self) -> str:
        """The secret that holds Google Cloud's credential. Raises NotFoundError if there is none."""
        try:
            return self.get_secret(_GCLOUD)
        except BackendError as error:
            raise NotFoundError("Google Cloud SDK credential not found.") from error

    def set_gcloud_credentials(self, project: str | None = None, account: str | None = None) -> None:
        """Write the credential into the home, and set the variables that name it, the project and the account."""
        self.set_tensorflow_credential(self.get_gcloud_credential())
        chosen = {"GOOGLE_CLOUD_PROJECT": project, "GOOGLE_ACCOUNT": account}
        os.environ.update({name: value for name, value in chosen.items() if value})

    def set_tensorflow_credential(self, credential: str) -> None:
        """Write a credential into the home, and set the variable that names the file."""
        path = Path(os.environ.get("HOME", "/"), "gcloud_credential.json")
        path.write_text(credential)
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(path)

    def get_bigquery_access_token(self) -> tuple[str, datetime | None]:
        """Raises BackendError, or ConnectionError: there is no such token here."""
        self.web_client.make_post_request({"Target": GcpTarget.BIGQUERY.target}, self.GET_USER_SECRET_ENDPOINT)
        raise AssertionError("unreachable: only secrets are answered")
