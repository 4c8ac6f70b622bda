"""The class that a competition's inference server is made from."""

import os
from collections.abc import Callable
from typing import Any

from kaggle_evaluation.core import base_gateway, relay


class InferenceServer:
    """Answers a gateway: another process in a rerun, one of this process otherwise."""

    def __init__(self, *endpoint_listeners: Callable[..., Any]) -> None:
        self.server = relay.define_server(*endpoint_listeners)

    def serve(self) -> None:
        """Answer; in a rerun until the end of the session."""
        thread = relay.start(self.server)
        if os.getenv("KAGGLE_IS_COMPETITION_RERUN") is not None:
            thread.join()

    def run_local_gateway(self, data_paths: tuple[str, ...] | None = None) -> None:
        """Answer a gateway in this process, which reads the visible data."""
        relay.start(self.server)
        try:
            self._get_gateway_for_test(data_paths).run()
        finally:
            self.server.shutdown()
            self.server.server_close()

    def _get_gateway_for_test(self, data_paths: tuple[str, ...] | None) -> base_gateway.BaseGateway:
        raise NotImplementedError
