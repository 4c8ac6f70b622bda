"""Kaggle's own modules (`kaggle_secrets` and its like) in a session, and the secrets that they give.

Secrets are in a TOML file of the project: a table of labels and values. A session gets a copy in its private folder,
which is removed at its end. No record, log or message has a value.
"""

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Final

from runner_test.errors import BadSecrets

_STAND_INS: Final = Path(__file__).with_name("stand_ins")


def provide(folder: Path, secrets: dict[str, str], *, internet: bool) -> None:
    """Make `folder` with the modules, and with what they answer from. Without the internet they answer nothing."""
    folder.mkdir()
    for module in _STAND_INS.glob("*.py"):
        (folder / module.name).write_bytes(module.read_bytes())
    answers = folder / "session.json"
    answers.touch(mode=0o600)
    answers.write_text(json.dumps({"internet": internet, "secrets": secrets if internet else {}}), encoding="ascii")


def read_secrets(file: Path) -> dict[str, str]:
    """The secrets in a file, by label; none if there is no such file.

    Raises BadSecrets if others may read the file, or it is no table of texts. No message has a part of the content.
    """
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            if mode & 0o077:
                raise BadSecrets(f"{file} has secrets, and others may read it (mode {mode:o}): chmod 600 {file}")
            found = tomllib.load(opened)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadSecrets(f"{file}, the file of secrets, can't be read: {type(error).__name__}") from None
    except tomllib.TOMLDecodeError:
        raise BadSecrets(f'{file}, the file of secrets, is no TOML: each line must be LABEL = "value"') from None
    for label, value in found.items():
        if not isinstance(value, str):
            raise BadSecrets(f"{file}: the secret {label} must be a text in quotation marks")
    return found
