"""What a repository reads beside its code: inputs on Kaggle that its sources name, and folders that hold data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from coordinator.project.adoption.tree import Subtree, Tree
from coordinator.project.declaration.sources import SourceModule

_INPUT = re.compile(r"(?:^|[\"'=\s])(?:(?:\.\./)+|/kaggle/|\./)?input/((?:[A-Za-z0-9][\w.-]*/?)+)")
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_NO_SLUGS = {"train", "test", "valid", "val", "images", "data", "raw", "input", "labels", "folds", "models", "weights"}
"""Folders of a repository that has its data in input/ itself."""
SMALL = 400_000
"""Bytes of a folder or file that goes into a kernel: Kaggle takes a script of 1 MB."""
_DATA_FILES = 200
_LARGE = 1_000_000
_WEIGHTS = (".pth", ".pt", ".ckpt", ".h5", ".hdf5", ".onnx", ".safetensors", ".bin", ".pkl", ".pickle", ".joblib")
_TABLES = (".npy", ".npz", ".parquet", ".feather", ".csv", ".tsv", ".zip", ".gz", ".tar", ".7z", ".dcm", ".mp4", ".wav")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".webp", ".tif", ".tiff", ".bmp")
_OUTPUT = re.compile(r"out|save|log|result|work|dest|ckpt|checkpoint", re.IGNORECASE)
"""In the name of a value: what it names is written, not read."""
_DATA = re.compile(r"data|input|csv|root|image|img|train|test|folds?", re.IGNORECASE)
OURS = ("build", "results")


@dataclass(frozen=True)
class Input:
    """What lies below /kaggle/input."""

    kind: str
    """competition, dataset, or "" where its path does not tell."""
    slug: str
    where: str


def inputs_in(texts: Iterable[tuple[str, str]], tree: Tree) -> list[Input]:
    """The data sets and competitions that (text, place) pairs name by a path below `input/`."""
    found: dict[str, Input] = {}
    for text, where in texts:
        for match in _INPUT.finditer(text):
            parts = [part for part in match[1].split("/") if part]
            is_ours = not text.lstrip("\"' ").startswith(("..", "/kaggle")) and "input" in tree.folders
            if parts[0] in ("competitions", "datasets") and len(parts) > 1:
                kind = "competition" if parts[0] == "competitions" else "dataset"
                slug = parts[1] if kind == "competition" else "/".join(parts[1:3])
                if kind == "competition" or len(parts) > 2:
                    found.setdefault(slug, Input(kind, slug, where))
            elif _SLUG.fullmatch(parts[0]) and not is_ours and parts[0].lower() not in _NO_SLUGS:
                found.setdefault(parts[0], Input("", parts[0], where))
    return list(found.values())


def texts_of(sources: Mapping[Path, SourceModule]) -> Iterator[tuple[str, str]]:
    """Each text of the sources that is a value, with its place."""
    for source in sources.values():
        docs = {
            id(node.body[0].value)
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield node.value, source.place(node)


def large_paths(tree: Tree, values: Iterable[tuple[str, object]]) -> list[tuple[str, str]]:
    """(path, how large) of what named values name in the repository and no kernel takes; no folders for output."""
    found: list[tuple[str, str]] = []
    for label, value in values:
        if not isinstance(value, str) or not value or len(value) > 300 or _OUTPUT.search(label):
            continue
        name = PurePosixPath(value).as_posix()
        folder = tree.folders.get(name)
        if folder is not None and not folder.has_code and (folder.size > SMALL or folder.is_cut):
            found.append((f"{name}/", str(folder)))
        elif tree.files.get(name, 0) > SMALL:
            found.append((name, str(Subtree(tree.files[name], 1))))
    return list(dict.fromkeys(found))


def ignore_lines(tree: Tree) -> list[str]:
    """The lines of .coordignore: what lies in this repository and is no part of the program."""
    lines: list[str] = []
    folders = [name for name, each in tree.folders.items() if _is_data(each)]
    tops = [name for name in folders if not any(name.startswith(f"{other}/") for other in folders)]
    lines += ["/" + re.sub(r"([*?\[\\])", r"\\\1", name) + "/" for name in tops if name.isprintable()]
    suffixes = {PurePosixPath(name).suffix.lower() for name in tree.files}
    if ".ipynb" in suffixes:
        lines.append("*.ipynb")
    rest = {name: size for name, size in tree.files.items() if not any(name.startswith(f"{top}/") for top in tops)}
    lines += [f"*{suffix}" for suffix in (*_WEIGHTS, *_TABLES, *_PICTURES) if _has_large(rest, suffix)]
    if (tree.root / ".git").exists():
        lines.append("/.git/")
    lines += [f"/{name}/" for name in (".coord", *OURS) if name not in tree.folders]
    return lines


def _is_data(folder: Subtree) -> bool:
    return not folder.has_code and (folder.is_cut or folder.size > _LARGE or folder.files > _DATA_FILES)


def _has_large(files: Mapping[str, int], suffix: str) -> bool:
    return any(size > SMALL for name, size in files.items() if name.lower().endswith(suffix))


def not_here(tree: Tree, values: Iterable[tuple[str, object]]) -> list[tuple[str, str]]:
    """(name, path) of values that name data by a path, where nothing is in the repository."""
    found = []
    for label, value in values:
        if not isinstance(value, str) or _OUTPUT.search(label) or not _DATA.search(label) or _INPUT.search(value):
            continue
        name = PurePosixPath(value).as_posix()
        is_path = "/" in value or PurePosixPath(value).suffix in _TABLES
        if is_path and name not in tree.folders and name not in tree.files and "://" not in value:
            found.append((label, value))
    return found
