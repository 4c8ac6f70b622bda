"""The command that makes one script of any program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Json, command
from coordinator.cli.progress import DISPLAY
from coordinator.cli.terminal import answer, say, show_text
from coordinator.errors import UsageError
from coordinator.progress import Count

app = App()


@app.command()
@command
def bundle(
    path: Annotated[Path | None, typer.Argument(help="A script, or a folder with a __main__.py.")] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(help="The program's own arguments, after --.", metavar="[-- ARGUMENTS]")
    ] = None,
    module: Annotated[
        str | None, typer.Option("--module", "-m", help="A module in place of PATH, as in python -m.", metavar="NAME")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="The file to write; - is standard output.", metavar="FILE")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="A folder above the program that also has local modules.", metavar="DIR"),
    ] = None,
    path_: Annotated[
        list[str],
        typer.Option(
            "--path", help="A folder of the root that has modules, too, as in PYTHONPATH; repeatable.", metavar="DIR"
        ),
    ] = [],  # noqa: B006
    include: Annotated[
        list[str],
        typer.Option(
            "--include", help="Include these files of the root, also ignored or large ones; repeatable.", metavar="GLOB"
        ),
    ] = [],  # noqa: B006  # typer copies it
    exclude: Annotated[
        list[str], typer.Option("--exclude", help="Leave these out, as in .gitignore; repeatable.", metavar="GLOB")
    ] = [],  # noqa: B006
    reached: Annotated[
        bool, typer.Option("--reached", help="Not whole packages, only the modules that are imported.")
    ] = False,
    vendor: Annotated[
        list[str],
        typer.Option("--vendor", help="Include this installed pure-Python distribution; repeatable.", metavar="NAME"),
    ] = [],  # noqa: B006
    kaggle: Annotated[
        bool, typer.Option("--kaggle", help="For a kernel: check its image's packages and Python, and the size limit.")
    ] = False,
    cwd: Annotated[
        Literal["checkout", "working"],
        typer.Option(
            "--cwd", help="Run where the program's files lie, as in a checkout, or where only the output lies."
        ),
    ] = "checkout",
    form: Annotated[
        Literal["auto", "text", "archive", "dataset"],
        typer.Option(
            "--form",
            help="Readable text, one compressed archive, what fits into a kernel; or a folder beside the script, to be "
            "attached as a data set.",
        ),
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Make one script of any program; no project needed.

    Its local packages are included as a whole, with their data. What follows -- are the arguments that it is started
    with.
    """
    from coordinator.bundle import Selection, fits, largest_files, program as verb
    from coordinator.kaggle_rules import SOURCE_MAX

    given = list(arguments or ())
    if module and path:  # what stands there is the program's first argument
        given, path = [str(path), *given], None
    if not path and not module:
        raise UsageError("what is to be bundled? Name a script, a folder with a __main__.py, or a module with -m")
    if not output:
        raise UsageError("where to? Name the file to write with -o (- is standard output)")
    if output == "-" and as_json:
        raise UsageError("-o - and --json both want standard output")
    if output == "-" and form == "dataset":
        raise UsageError("--form dataset writes a folder beside the script: name the script's file with -o")
    found = verb.module_of(module, root, path_) if module else verb.script_at(path or Path(), root)
    program = replace(found, arguments=tuple(given), path=tuple(path_), in_checkout=cwd == "checkout")
    file = None if output == "-" else Path(output)
    with DISPLAY(count := Count("bundling")):
        script, files = verb.bundle(
            program,
            Selection(include, exclude, reached_only=reached, output=file, count=count),
            form=None if form == "auto" else form,
            vendor=vendor,
            kaggle=kaggle,
            say=say,
        )
    size = len(script.text.encode("utf-8"))
    if file:
        verb.write(file, script.text, script.beside)
    if script.beside:
        say(f"{script.beside.slug}/ has the files: push it as a data set of this name, and attach it to the kernel")
    say(f"{len(files)} files as {script.form}, {size:,} bytes, {script.digest}")
    if not fits(script.text):
        say(
            f"too large for a Kaggle kernel, which may have {SOURCE_MAX:,} bytes; the largest files:\n"
            f"{largest_files(files)}"
        )
    if as_json:
        answer(
            {
                "output": output,
                "entry": program.entry,
                "arguments": given,
                "path": path_,
                "digest": script.digest,
                "form": script.form,
                "dataset": script.beside.slug if script.beside else None,
                "bytes": size,
                "files": [{"path": each.path, "bytes": len(each.data), "sha256": each.sha256} for each in files],
            }
        )
    elif not file:
        show_text(script.text.removesuffix("\n"))
