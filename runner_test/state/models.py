"""Models: registered folders, each a version of a variation of a model for one framework.

<root>/models/<owner>/<model>/<framework>/<variation>/<version>    a link to the folder, which is not copied
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from runner_test.errors import BadName, MissingFolder
from runner_test.state import files
from runner_test.state.reference import check_name

# Kaggle's frameworks as they are in the paths of mounts; other spellings (pyTorch, TensorFlow2) mean the same.
FRAMEWORKS = (
    "tensorflow1", "tensorflow2", "tflite", "tfjs", "pytorch", "jax", "flax", "pax", "maxtext", "gemmacpp", "ggml",
    "gguf", "coral", "scikitlearn", "mxnet", "onnx", "keras", "transformers", "api", "other", "tensorrtllm", "triton",
    "vllm",
)  # fmt: skip
# Unlike other slugs, those of models and variations have dots: qwen2.5, 0.5b-instruct.
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.ASCII)


@dataclass(frozen=True, order=True)
class ModelSource:
    """`owner/model/framework/variation`, or one version of it, `owner/model/framework/variation/2`."""

    owner: str
    model: str
    framework: str
    variation: str
    number: int | None = None

    def __str__(self) -> str:
        number = () if self.number is None else (str(self.number),)
        return "/".join((self.owner, self.model, self.framework, self.variation, *number))

    @property
    def id(self) -> int:
        """A number that is always the same for the same version."""
        return zlib.crc32(str(self).encode())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read either form. Raises BadName for anything else, and for a framework that Kaggle does not have."""
        parts = text.split("/")
        if len(parts) not in (4, 5) or (len(parts) == 5 and not re.fullmatch(r"[1-9][0-9]{0,8}", parts[4], re.ASCII)):
            raise BadName(f"{text!r} is not of the form owner/model/framework/variation/version")
        owner, model, framework, variation = parts[:4]
        number = int(parts[4]) if len(parts) == 5 else None
        return cls(check_name(owner), _slug(model), _framework(framework), _slug(variation), number)

    @property
    def any_version(self) -> Self:
        """The variation, without a version."""
        return replace(self, number=None)


def _slug(text: str) -> str:
    name = text.lower()
    if not _SLUG.fullmatch(name):
        raise BadName(f"{text!r} is not a valid name (letters, digits, '-', '_' and '.')")
    return name


def _framework(text: str) -> str:
    name = re.sub(r"[^a-z0-9]", "", text.lower())
    if name not in FRAMEWORKS:
        raise BadName(f"{text!r} is no framework; there are {', '.join(FRAMEWORKS)}")
    return name


def register(root: Path, reference: str, folder: Path) -> None:
    """Register `folder` as a version of a model. Raises BadName, also if there is no version, and MissingFolder."""
    source = ModelSource.parse(reference)
    if source.number is None:
        raise BadName(f"{reference!r} has no version: add one, such as {reference}/1")
    if not folder.is_dir():
        raise MissingFolder(f"model {source}: no folder {folder}")
    link = root / "models" / str(source)
    link.parent.mkdir(parents=True, exist_ok=True)
    files.replace_link(link, folder.resolve())


def models(root: Path) -> list[ModelSource]:
    """All versions whose folders exist, by name and then by number."""
    return sorted(_found(root))


def versions(root: Path, source: ModelSource) -> list[ModelSource]:
    """The versions of a variation, oldest first."""
    return [each for each in models(root) if each.any_version == source.any_version]


def newest(root: Path, source: ModelSource) -> ModelSource | None:
    """The version that a source means, the newest if it has no number; None if there is none."""
    if source.number is not None:
        return source if folder(root, source) is not None else None
    return max(versions(root, source), default=None)


def folder(root: Path, source: ModelSource) -> Path | None:
    """The folder of a version, or None if it is not registered or no longer exists."""
    link = root / "models" / str(source)
    return link.resolve() if source.number is not None and link.is_dir() else None


def _found(root: Path) -> Iterator[ModelSource]:
    top = root / "models"
    for link in top.glob("*/*/*/*/*"):
        # A hidden name is left by a process that was killed while it registered one.
        if not link.name.startswith(".") and link.is_dir():
            yield ModelSource.parse(str(link.relative_to(top)))
