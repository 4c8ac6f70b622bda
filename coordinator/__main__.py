"""`python -m coordinator` and the command `coord`."""

import gc
import os
import sys


def main() -> None:
    # Most objects of a command are syntax trees; to search them for cycles took a fifth of the time of `coord bundle`.
    # Before the imports: they make many objects, and hardly any that is not needed to the end.
    gc.set_threshold(200_000)
    try:
        import typer

        from coordinator.cli import app
        from coordinator.cli.common import ended
        from coordinator.cli.stdio import prepared
    except KeyboardInterrupt:  # Ctrl-C before a command that handles it has started
        raise SystemExit(130) from None
    if asked := os.environ.get("_COORD_COMPLETE"):
        from coordinator.cli.shells import complete

        complete(typer.main.get_command(app), asked)
        return
    with prepared():
        try:
            with ended():
                try:
                    app()
                finally:
                    sys.stdout.flush()  # what was printed last may fail now
        except typer.Exit as end:
            raise SystemExit(end.exit_code) from None


if __name__ == "__main__":
    main()
