"""Planned faults: which calls of the HTTP API fail and how, for tests of a client.

`plan` says what fails, `faulty` does it between the network and the application, `changed_answers` edits answers, and
`wire` breaks connections.
"""

from runner_test.faults.faulty import Faulty, method_of
from runner_test.faults.plan import EITHER_WAY, Fault, Faults, Kind
from runner_test.faults.wire import Wire, stop_listening

__all__ = ["EITHER_WAY", "Fault", "Faults", "Faulty", "Kind", "Wire", "method_of", "stop_listening"]
