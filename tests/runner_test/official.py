"""Kaggle's own clients, unmodified, as processes with the local Kaggle as their proxy."""

import json
import os
import sys
from pathlib import Path

from tests import forked
from tests.runner_test.local import Local
from tests.warm import of_the_interpreter

IN_THIS_ENVIRONMENT = str(Path(sys.executable).with_name("kaggle"))
COMMAND = os.environ.get("OFFICIAL_KAGGLE") or IN_THIS_ENVIRONMENT
"""The command that is tested: the variable may name that of another installation, with another version."""

# Runs several commands in one process, because most of a command's time is its start: a JSON list of their arguments.
SEVERAL = """
import json, sys
from kaggle.cli import main
for arguments in json.loads(sys.argv[1]):
    print("##", *arguments)
    sys.argv[1:] = arguments
    main()
"""


def kaggle(local: Local, tmp_path: Path, *arguments: str, **environment: str) -> str:
    """Run the command with a home of its own; returns its output, and fails if it fails."""
    return run(local, tmp_path, COMMAND, *arguments, **environment)


def run(local: Local, tmp_path: Path, *command: str, **environment: str) -> str:
    """Run a program that uses the official package."""
    home = tmp_path / "kaggle-home"
    home.mkdir(exist_ok=True)
    words = [sys.executable, "-c", forked.SCRIPT, *command] if command[0] == IN_THIS_ENVIRONMENT else command
    done = forked.run(
        words,
        env=of_the_interpreter()
        | {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KAGGLE_CONFIG_DIR": str(home),
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": local.url,
        }
        | (environment or {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": local.store.token()}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed: str = done.stdout
    return printed


def several(local: Local, tmp_path: Path, *commands: list[str]) -> list[str]:
    """Run the official command several times; returns what each printed, and fails if one fails."""
    printed = run(local, tmp_path, sys.executable, "-c", SEVERAL, json.dumps(commands))
    return printed.split("## ")[1:]
