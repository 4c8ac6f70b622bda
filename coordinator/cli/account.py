"""Commands about the account and this machine: the quota, and the doctor."""

from __future__ import annotations

from coordinator.cli.commands import App
from coordinator.cli.common import Json, TargetOption, command, this_project
from coordinator.cli.terminal import answer
from coordinator.errors import CoordError

app = App()


@app.command()
@command
def quota(target: TargetOption = None, as_json: Json = False) -> None:
    """Show what is left of the GPU and TPU hours."""
    from coordinator.cli.tables import runs as tables
    from coordinator.target import current_quota

    found = current_quota(this_project(), target)
    answer(found.to_json() if as_json else None, lambda: tables.quota(found))


@app.command()
@command
def targets(as_json: Json = False) -> None:
    """Show where kernels can run, and whether each place answers.

    Kaggle, the local Kaggle, and the clusters of [tool.coord.targets]. Exit code 1 if one of them does not answer.
    """
    from coordinator.cli.tables import targets as tables
    from coordinator.maintenance import ask_targets

    found = ask_targets(this_project())
    answer([each.to_json() for each in found] if as_json else None, lambda: tables.targets(found))
    if silent := [each.name for each in found if each.error is not None]:
        raise CoordError(f"no answer of {', '.join(silent)}", hint=f"See: coord doctor --target {silent[0]}")


@app.command()
@command
def doctor(target: TargetOption = None, as_json: Json = False) -> None:
    """Check all that a push needs, and say what to do.

    Exit code 1 if there is a problem.
    """
    from coordinator.cli.tables import runs as tables
    from coordinator.finding import Level
    from coordinator.maintenance import diagnose as verb

    found = verb(target)
    answer([each.to_json() for each in found] if as_json else None, lambda: tables.findings(found))
    problems = sum(each.level is Level.PROBLEM for each in found)
    if problems:
        raise CoordError(f"{problems} problem{'s' * (problems != 1)}", hint="Each has its remedy in the answer.")
