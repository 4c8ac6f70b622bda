"""`python -m coordinator` and the command `coord`."""

from coordinator.cli import app


def main() -> None:
    app()


if __name__ == "__main__":
    main()
