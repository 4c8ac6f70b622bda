"""`python -m coordinator` and the command `coord`."""

import gc


def main() -> None:
    try:
        from coordinator.cli import app
    except KeyboardInterrupt:  # Ctrl-C before there is a command that could answer it
        raise SystemExit(130) from None
    # Syntax trees are most of what a command makes; looking for cycles in them took a fifth of a bundle's time.
    gc.set_threshold(200_000)
    app()


if __name__ == "__main__":
    main()
