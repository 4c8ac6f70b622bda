"""The browser sign-in of Kaggle's own command (`kaggle auth login`), whose access token has to be renewed.

kagglesdk's `KaggleCredentials` does the same without a time-out, uses a token for half an hour after it has expired,
and imports every service for it. The renewed token is saved in the same file and format, so that both clients find it.
"""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from coordinator.clock import SYSTEM_CLOCK
from coordinator.errors import CredentialsError
from coordinator.files import write_atomically
from coordinator.target.credentials import Credentials
from coordinator.target.kaggle import error_table
from coordinator.target.kaggle.policy import Failed, Failure
from coordinator.target.kaggle.transport import Transport

_MARGIN = timedelta(minutes=10)
"""A token that expires so soon is renewed, because a command may take some minutes."""
_LIFETIME = timedelta(hours=12)  # the value that kagglesdk asks for; 2026-11


def oauth_token(file: Path, endpoint: str) -> str:
    """A valid access token of the sign-in saved in `file`, renewed by Kaggle if necessary.

    Raises CredentialsError if Kaggle does not renew it, and NoAnswer or Later if it does not answer.
    """
    signed_in = _read(file)
    token, until = signed_in.get("access_token"), signed_in.get("access_token_expiration")
    if isinstance(token, str) and token and _is_good(until):
        return token
    # Imported here: only a renewal needs it.
    from kagglesdk.users.services.account_service import AccountClient
    from kagglesdk.users.types.account_service import ApiVersion, GenerateAccessTokenRequest

    request = GenerateAccessTokenRequest()
    request.refresh_token = signed_in["refresh_token"]
    request.api_version = ApiVersion.API_VERSION_V1
    request.expiration_duration = _LIFETIME
    # Without a user name no authorization is sent. The refresh token is the key, so that it is hidden in all messages.
    credentials = Credentials(str(file), key=signed_in["refresh_token"])
    transport = Transport(endpoint, credentials, SYSTEM_CLOCK)
    try:
        answer = AccountClient(transport).generate_access_token(request)
    except Failed as failed:
        if failed.failure is Failure.REFUSED:
            raise _no_renewal(file) from failed
        source = str(file)
        raise error_table.explain(
            failed, "renewing the sign-in", target="kaggle", endpoint=endpoint, source=source
        ) from failed
    finally:
        transport.close()
    if not answer.token:
        raise _no_renewal(file)
    expires = datetime.now(UTC) + timedelta(seconds=min(max(answer.expires_in, 0), 10**7))
    _save(file, signed_in | {"access_token": answer.token, "access_token_expiration": expires.isoformat()})
    return str(answer.token)


def _read(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(data["refresh_token"], str):
            return dict(data)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # it existed a moment ago
    raise _no_renewal(file)


def _is_good(until: object) -> bool:
    try:
        end = datetime.fromisoformat(str(until))
    except ValueError:
        return False
    return (end if end.tzinfo else end.replace(tzinfo=UTC)) > datetime.now(UTC) + _MARGIN


def _save(file: Path, data: dict[str, Any]) -> None:
    """Replaces the file. If that is not possible, each command renews the token again."""
    with contextlib.suppress(OSError):
        write_atomically(file, json.dumps(data, indent=2), durable=True, private=True)


def _no_renewal(file: Path) -> CredentialsError:
    return CredentialsError(f"the sign-in in {file} could not be renewed", hint="Run: kaggle auth login")
