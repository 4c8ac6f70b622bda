"""What gateways have in common: how they find the server, and how they say what went wrong."""

import enum
import json
import os
from pathlib import Path
from typing import Any

from kaggle_evaluation.core import relay

IS_RERUN = os.getenv("KAGGLE_IS_COMPETITION_RERUN") is not None


class GatewayRuntimeErrorType(enum.Enum):
    """Why a gateway gave up."""

    UNSPECIFIED = 0
    SERVER_NEVER_STARTED = 1
    SERVER_CONNECTION_FAILED = 2
    SERVER_RAISED_EXCEPTION = 3
    SERVER_MISSING_ENDPOINT = 4
    GATEWAY_RAISED_EXCEPTION = 5
    INVALID_SUBMISSION = 6


class GatewayRuntimeError(Exception):
    """A gateway gave up."""

    def __init__(self, error_type: GatewayRuntimeErrorType, error_details: str | None = None) -> None:
        super().__init__(error_type.name, error_details)
        self.error_type = error_type
        self.error_details = error_details


_TYPES = {
    relay.NeverStarted: GatewayRuntimeErrorType.SERVER_NEVER_STARTED,
    relay.ConnectionFailed: GatewayRuntimeErrorType.SERVER_CONNECTION_FAILED,
    relay.RaisedException: GatewayRuntimeErrorType.SERVER_RAISED_EXCEPTION,
    relay.MissingEndpoint: GatewayRuntimeErrorType.SERVER_MISSING_ENDPOINT,
}


class BaseGateway:
    """Asks the server, and writes result.json in a rerun."""

    def __init__(self) -> None:
        host = "inference_server" if IS_RERUN else "localhost"
        self.client = relay.Client(host, float(os.getenv("STARTUP_SECONDS", relay.STARTUP_LIMIT_SECONDS)))

    def predict(self, *arguments: Any) -> Any:
        """The server's prediction."""
        try:
            return self.client.send("predict", *arguments)
        except tuple(_TYPES) as error:
            raise GatewayRuntimeError(_TYPES[type(error)], str(error)) from None

    def get_all_predictions(self) -> None:
        """Ask for all predictions and write the submission."""
        raise NotImplementedError

    def run(self) -> None:
        """Ask for all predictions; an error goes to result.json in a rerun, and is raised otherwise."""
        error = None
        try:
            self.get_all_predictions()
        except GatewayRuntimeError as found:
            error = found
        except Exception as found:
            error = GatewayRuntimeError(GatewayRuntimeErrorType.GATEWAY_RAISED_EXCEPTION, repr(found))
        if error is not None and not IS_RERUN:
            raise error
        if IS_RERUN:
            result: dict[str, Any] = {"Succeeded": error is None}
            if error is not None:
                result |= {"ErrorType": error.error_type.value, "ErrorName": error.error_type.name}
                result["ErrorDetails"] = error.error_details
            Path("result.json").write_text(json.dumps(result))
