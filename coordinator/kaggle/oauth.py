"""The browser sign-in of Kaggle's own command, whose access token lives about an hour."""

from __future__ import annotations

from pathlib import Path

from coordinator.errors import CredentialsError


def oauth_token(file: Path) -> str:
    """A valid access token of the browser sign-in saved in `file`, renewed by Kaggle if it has to be.

    Raises CredentialsError if Kaggle does not renew it.
    """
    # Imported here: they load every service of kagglesdk, for the few who sign in like this.
    import requests
    from kagglesdk.kaggle_client import KaggleClient
    from kagglesdk.kaggle_creds import KaggleCredentials
    from kagglesdk.kaggle_env import KaggleEnv

    try:
        with KaggleClient(env=KaggleEnv.PROD) as client:
            token = KaggleCredentials.load(client=client, file_path=str(file)).get_access_token()
    except (requests.exceptions.RequestException, AttributeError, TypeError, ValueError, OSError) as error:
        raise CredentialsError(f"the sign-in in {file} could not be renewed", hint="Run: kaggle auth login") from error
    return str(token)
