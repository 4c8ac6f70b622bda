"""`python -m runner_test`: serve the local Kaggle, register data sets, models and competitions, cancel a session."""

import argparse
import sys
from pathlib import Path

from runner_test.errors import BadName, LocalKaggleError
from runner_test.settings import Settings
from runner_test.state import Reference, Rules
from runner_test.store import Store


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 for an expected error, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m runner_test", description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=Path(".coord/local-kaggle"), help="folder of its state (%(default)s)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="answer on the loopback until Ctrl-C")
    serve.add_argument("--port", type=int, default=7777, help="0 picks a free one (%(default)s)")
    serve.add_argument("--faults", type=Path, metavar="PLAN", help="JSON file: which calls fail, and how")
    serve.add_argument("--isolation", choices=("auto", "none"), default="auto", help="none: run as you (%(default)s)")
    serve.add_argument("--layout", choices=("2026", "2025"), default="2026", help="of the inputs (%(default)s)")
    dataset = commands.add_parser("add-dataset", help="register a folder as a data set")
    dataset.add_argument("reference", help="owner/slug")
    dataset.add_argument("folder", type=Path)
    model = commands.add_parser("add-model", help="register a folder as a version of a model")
    model.add_argument("reference", help="owner/model/framework/variation/version")
    model.add_argument("folder", type=Path)
    competition = commands.add_parser("add-competition", help="register a folder as a competition's data")
    competition.add_argument("slug")
    competition.add_argument("folder", type=Path)
    competition.add_argument("--solution", type=Path, help="CSV file of the solution: makes it accept submissions")
    competition.add_argument("--scorer", help="module:function, imported from the working directory")
    cancel = commands.add_parser("cancel", help="end the newest session of a kernel")
    cancel.add_argument("reference", help="owner/slug")
    options = parser.parse_args(arguments)
    if options.command == "add-competition" and (options.solution is None) != (options.scorer is None):
        parser.error("--solution and --scorer must be given together")
    try:
        _run(options)
    except LocalKaggleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.command == "serve":
        from runner_test.server import serve  # imported here, because only this command needs the HTTP libraries

        settings = Settings(isolation=options.isolation, layout=options.layout)
        serve(options.root, options.port, settings=settings, plan=options.faults)
        return
    store = Store(options.root)
    if options.command == "add-dataset":
        store.add_dataset(options.reference, options.folder)
    elif options.command == "add-model":
        store.add_model(options.reference, options.folder)
    elif options.command == "add-competition":
        rules = Rules(options.scorer, str(Path.cwd()), sys.executable) if options.solution else None
        store.add_competition(options.slug, options.folder, options.solution, rules)
    else:
        version = store.newest(Reference.parse(options.reference))
        if version is None:
            raise BadName(f"there is no kernel {options.reference}")
        store.cancel(version)


if __name__ == "__main__":
    sys.exit(main())
