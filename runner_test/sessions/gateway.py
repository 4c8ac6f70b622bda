"""A rerun with a gateway: the kernel with its inference server, and the gateway that sends it the hidden data.

Both are sessions, at the same time (shared.py). The gateway's end ends the kernel. The kernel's end takes the server's
name from the gateway, as the end of its container does on Kaggle, and soon ends the gateway.

Kaggle's kits (`kaggle_evaluation`) find the server by the name `inference_server`, and say in result.json how it went.
"""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from runner_test.sessions import isolation, run_gateway
from runner_test.sessions.execute import Outcome, Stopped
from runner_test.sessions.layout import INPUT, KAGGLE
from runner_test.sessions.log import Record
from runner_test.sessions.machine import Machine, SessionOptions
from runner_test.state import Failure, files, mount_path, tree

GRACE = 10.0  # seconds that a gateway has left when its kernel has ended
SERVER = "inference_server"
_GATEWAY = "gateway"  # the other direction: some kernels ask their gateway
_KIT = "coord-gateway"  # where a kit that is not among the hidden data is mounted, below input/

# The kits' GatewayRuntimeErrorType. What is not here is the host's fault.
_FAILURES = {
    "SERVER_NEVER_STARTED": Failure.NEVER_STARTED,
    "SERVER_CONNECTION_FAILED": Failure.SERVER_ERROR,
    "SERVER_RAISED_EXCEPTION": Failure.EXCEPTION,
    "SERVER_MISSING_ENDPOINT": Failure.SERVER_ERROR,
    "GRPC_DEADLINE_EXCEEDED": Failure.SERVER_ERROR,
    "INVALID_SUBMISSION": Failure.FORMAT,
}


@dataclass(frozen=True)
class Gateway:
    """A competition's gateway."""

    program: Path
    competition: str
    hidden: Path
    hosts: Path
    """The file with the names of hosts."""

    def machine(self, root: Path, options: SessionOptions, *, is_isolated: bool) -> Machine:
        """What the gateway runs on, with the hidden data where either layout has a competition's data."""
        data = mount_path(options.settings.layout, "competitions", self.competition)
        inputs = {f"competitions/{self.competition}": self.hidden, self.competition: self.hidden}
        kit = _kit(self.program)
        if kit.is_relative_to(self.hidden):
            at = PurePosixPath(data) / kit.relative_to(self.hidden)
        else:
            inputs[_KIT], at = kit, PurePosixPath(_KIT)
        below = KAGGLE / INPUT if is_isolated else PurePosixPath(root / INPUT)
        variables = {
            **options.variables,
            "COORD_GATEWAY": str(below / at / self.program.relative_to(kit)),
            "COORD_GATEWAY_DATA": str(below / data),
        }
        if not is_isolated:
            variables["COORD_GATEWAY_HOSTS"] = str(self.hosts)
        mine = SessionOptions(
            inputs=inputs,
            timeout=None,  # it ends with the kernel, which has one
            python=options.python,
            settings=options.settings,
            variables=variables,
            shared=options.shared,
            modules=[str(at)],
        )
        return Machine(root, mine, is_isolated=is_isolated, is_notebook=False)

    def run(
        self, machine: Machine, *, on_records: Callable[[Sequence[Record]], None], stop: Callable[[], bool]
    ) -> tuple[Outcome, dict[str, Any]]:
        """Run the gateway; how it ended, and its result.json (empty if it left none)."""
        machine.root.mkdir(parents=True, exist_ok=True)
        outcome = machine.run(Path(run_gateway.__file__).read_bytes(), on_records=on_records, stop=stop)
        return outcome, _result(machine.root / "working")

    def name_hosts(self, *, with_server: bool) -> None:
        """Write the names of hosts, in place: sessions have the file mounted."""
        self.hosts.write_text(isolation.hosts(*([SERVER] if with_server else []), _GATEWAY), encoding="ascii")


def _kit(program: Path) -> Path:
    """The folder from which the program's packages are imported."""
    folder = program.parent
    while (folder / "__init__.py").exists() or folder.name == "kaggle_evaluation":
        folder = folder.parent
    return folder


def _result(working: Path) -> dict[str, Any]:
    path = tree.file(working, "result.json")
    try:
        found = json.loads(files.read_plain(path)) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def run_both(
    kernel: Callable[[Callable[[], bool]], Outcome],
    gateway: Callable[[Callable[[], bool]], tuple[Outcome, dict[str, Any]]],
    kernel_ended: Callable[[], None],
) -> tuple[Outcome, Outcome, dict[str, Any]]:
    """Run both at the same time until both have ended, each with a function that tells it to stop.

    `kernel_ended` is called at the kernel's end. An exception of either ends the other and is raised.
    """
    ends: dict[str, float] = {}

    def note(who: str) -> None:
        ends.setdefault(who, time.monotonic())
        if who == "kernel":
            kernel_ended()

    with ThreadPoolExecutor(2) as pool:
        asked = pool.submit(gateway, lambda: time.monotonic() > ends.get("kernel", time.monotonic()) + GRACE)
        asked.add_done_callback(lambda _: note("gateway"))
        serving = pool.submit(kernel, lambda: "gateway" in ends)
        serving.add_done_callback(lambda _: note("kernel"))
        return serving.result(), *asked.result()


def judged(outcome: Outcome, result: dict[str, Any], of_kernel: Failure | None) -> tuple[Failure | None, str | None]:
    """How a rerun failed, or None, and why; `of_kernel` is how the kernel alone failed."""
    if result.get("Succeeded") or (not result and outcome.stopped is None and outcome.exit_code == 0):
        return None, None
    name = str(result.get("ErrorName", ""))
    said = f"The gateway reports {name}: {result.get('ErrorDetails') or 'without details'}" if name else ""
    if of_kernel is not None:
        return of_kernel, said or None
    if name:
        return _FAILURES.get(name, Failure.KAGGLE), said
    if outcome.stopped is Stopped.CANCELLED:
        return Failure.NEVER_STARTED, "The kernel ended before the gateway had all its answers."
    why = outcome.reason or f"exit code {outcome.exit_code}"
    return Failure.KAGGLE, f"The gateway failed ({why}): see its log."
