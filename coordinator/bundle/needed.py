"""Finds the output of other kernels that the program needs, and tells the program where it is.

It is a part of the kernels that have needs, and uses the standard library only (so it has no `from __future__` import).
A need is found by the slug of its kernel, whoever owns it: so the text of this kernel is the same for every owner.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

KINDS_OF_OTHERS = ("datasets", "competitions", "models")
"""Folders below `input/` in which no kernel's output is mounted."""
MOST_DEPTH = 4
MOST_LINES = 40


def with_needs(
    arguments: Sequence[str], config: dict[str, object] | None, needs: Mapping[str, str]
) -> tuple[list[str], dict[str, object] | None, dict[str, str]]:
    """(arguments, config, variables of the environment) with the folders of the needs, by name -> slug.

    `${needs.NAME}` in an argument or a value of the config stands for the folder of that need, `${need}` for the only
    need's; the variables are COORD_NEED_NAME and COORD_NEED. A need that is not mounted ends the run.
    """
    inputs = Path(os.environ.get("COORD_KAGGLE_ROOT") or "/kaggle") / "input"
    texts, variables = dict[str, str](), dict[str, str]()
    for name, slug in needs.items():
        folder = str(needed_folder(inputs, name, slug))
        print(f"coord: the need {name} is {folder}", file=sys.stderr)
        texts[f"${{needs.{name}}}"] = variables[f"COORD_NEED_{name.upper()}"] = folder
        if len(needs) == 1:
            texts["${need}"] = variables["COORD_NEED"] = folder
    filled_config = {key: filled(value, texts) for key, value in config.items()} if config is not None else None
    return [str(filled(word, texts)) for word in arguments], filled_config, variables


def filled(value: object, texts: Mapping[str, str]) -> object:
    """The value with these texts replaced in every text in it."""
    if isinstance(value, str):
        for text, folder in texts.items():
            value = value.replace(text, folder)
        return value
    if isinstance(value, dict):
        return {key: filled(each, texts) for key, each in value.items()}
    return [filled(each, texts) for each in value] if isinstance(value, list) else value


def needed_folder(inputs: Path, name: str, slug: str) -> Path:
    """Where the output of the kernel with this slug is mounted: the layout of 2026, that before, any other folder."""
    layouts = (inputs.glob(f"notebooks/*/{slug}"), inputs.glob(slug))
    for found in (*layouts, (path for path in below(inputs, MOST_DEPTH) if path.name.lower() == slug)):
        folders = sorted(path for path in found if path.is_dir())
        if len(folders) > 1:
            shown = ", ".join(map(str, folders))
            raise SystemExit(f"coord: the need {name} may be any of {shown}: attach one kernel of that name only")
        if folders:
            return folders[0]
    raise SystemExit(
        f"coord: the need {name} is not mounted: there is no folder {slug} in {inputs}, which has\n"
        f"{attached_tree(inputs)}\nAttach that kernel's output (Add input), or push again with coord."
    )


def below(inputs: Path, depth: int) -> Iterator[Path]:
    """Everything below `inputs` where a kernel's output may be mounted, level by level, sorted."""
    level = [inputs]
    for at in range(depth):
        children = [path for folder in level if folder.is_dir() for path in sorted(folder.iterdir())]
        level = [path for path in children if at or path.name not in KINDS_OF_OTHERS]
        yield from level


def attached_tree(inputs: Path) -> str:
    """What is mounted, as lines of text: three levels, at most MOST_LINES lines."""
    if not inputs.is_dir():
        return f"  (nothing: {inputs} does not exist)"
    found = sorted(path for depth in (1, 2, 3) for path in inputs.glob("/".join("*" * depth)))
    lines = [f"  {path.relative_to(inputs)}{'/' if path.is_dir() else ''}" for path in found[:MOST_LINES]]
    return "\n".join([*lines, *(["  ..."] if len(found) > MOST_LINES else [])]) or "  (nothing)"
