"""Commands for the completion of command lines in shells."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import command
from coordinator.cli.terminal import say, show_text
from coordinator.errors import UsageError

app = App(help="Completion in bash, zsh and fish: install it, show it.", no_args_is_help=True)

Shell = Literal["bash", "zsh", "fish"]
_BEGIN, _END = b"# >>> coord completion >>>", b"# <<< coord completion <<<"
_BLOCK = re.compile(rb"%s\n.*?%s\n?" % (re.escape(_BEGIN), re.escape(_END)), re.DOTALL)


@app.command()
@command
def install(
    shell: Annotated[Shell | None, typer.Argument(help="By default the one that SHELL names.")] = None,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Remove it again.")] = False,
) -> None:
    """Make the shell complete commands, options and names.

    It writes one file, and for bash and zsh a marked block into the file that the shell reads first. A second time it
    changes nothing.
    """
    from coordinator.cli.shells import script

    name = shell or _own_shell()
    file, start = _places(name)
    changed = [each for each in (_removed(file) if uninstall else _written(file, script(name).encode()),) if each]
    if start is not None:
        changed += [each for each in (_with_block(start, None if uninstall else file),) if each]
    for each in changed:
        show_text(str(each))
    if not changed:
        say(f"{name}: {'nothing is installed' if uninstall else 'it is installed already'}")
    else:
        say(f"{name}: {'removed' if uninstall else 'installed; new shells have it, or: exec ' + name}")


@app.command()
@command
def show(shell: Annotated[Shell | None, typer.Argument(help="By default the one that SHELL names.")] = None) -> None:
    """Print the script that makes a shell complete coord."""
    from coordinator.cli.shells import script

    show_text(script(shell or _own_shell()).removesuffix("\n"))


def _own_shell() -> Shell:
    name = Path(os.environ.get("SHELL", "")).name
    for each in ("bash", "zsh", "fish"):
        if name == each:
            return each
    said = f"SHELL names {name}, which coord does not complete for" if name else "SHELL is not set"
    raise UsageError(f"which shell? {said}", hint="Name it: coord completion install bash, zsh or fish.")


def _places(shell: Shell) -> tuple[Path, Path | None]:
    """(the script's file, the file of the user's in which a line reads it, if it needs one)."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    if shell == "bash":
        return data / "bash-completion" / "completions" / "coord", home / ".bashrc"
    if shell == "zsh":
        return data / "coord" / "completion.zsh", Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return settings / "fish" / "completions" / "coord.fish", None


def _written(file: Path, content: bytes) -> Path | None:
    """The file, if that changed it."""
    from coordinator.files import write_atomically

    if file.is_file() and file.read_bytes() == content:
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = file.stat().st_mode if file.is_file() else None
    write_atomically(file, content)  # the whole file or nothing, also where it is a link to another place
    if mode is not None:
        file.chmod(mode & 0o7777)
    return file


def _removed(file: Path) -> Path | None:
    if not file.is_file():
        return None
    file.unlink()
    return file


def _with_block(start: Path, script: Path | None) -> Path | None:
    """Puts the block that reads the script at the end, or takes it out; everything else stays byte for byte."""
    before = start.read_bytes() if start.is_file() else b""
    without = _BLOCK.sub(b"", before)
    if script is None:
        return None if without == before else _written(start, without)
    import shlex

    path = shlex.quote(str(script)).encode("utf-8", "surrogateescape")
    block = b"%s\n[ -r %s ] && . %s\n%s\n" % (_BEGIN, path, path, _END)
    if block in before:
        return None
    return _written(start, without + (b"\n" if without and not without.endswith(b"\n") else b"") + block)
