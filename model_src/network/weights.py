"""Finds the file of the initial weights (attached, cached or published) and loads its tensors into a model."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights
from torchvision.ops import FrozenBatchNorm2d

from ..config import FROM_SCRATCH, PUBLISHED, ModelConfig
from ..data.inputs import InputMissing, find_file, find_inside, find_source, tree

TIMEOUT = 15.0
"""Seconds without an answer after which a download fails: a kernel without internet should report that soon."""
DETECTOR = "maskrcnn_resnet50_fpn"
"""The torchvision function that builds a detector with the same layers."""
HOW_TO_ATTACH = (
    "Upload it to Kaggle as a data set or a model and add that to `dataset_sources` (owner/slug) or `model_sources` "
    "(owner/model/framework/variation)"
)
WHERE_TO_SET = "in the experiment's `kernel:` or in [tool.coord.kernel] of pyproject.toml"

OWN_FOLD = "{fold}"
"""Stands for the number of the fold in `model.weights`."""
OF_A_FOLD = re.compile(r"fold\d+(\.seed\d+)?(\.state)?\.pth")
"""The files of a run's folds; see training/resume.py."""

PARTS = {
    "backbone": "backbone.body.",
    "fpn": "backbone.fpn.",
    "rpn": "rpn.",
    "box head": "roi_heads.box_",
    "mask head": "roi_heads.mask_",
}
"""The parts of the model, and the prefixes of their tensors' names."""

OLD_NAMES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(fpn\.(?:inner|layer)_blocks\.\d)\.(weight|bias)$", r"\1.0.\2"),
    (r"^(rpn\.head\.conv)\.(weight|bias)$", r"\1.0.0.\2"),
    (r"(mask_head)\.mask_fcn(\d)\.", lambda found: f"{found[1]}.{int(found[2]) - 1}.0."),
)
"""Tensors that torchvision has renamed since 2019, when COCO_V1 was published."""


class BadWeights(ValueError):
    """A file without weights for this model."""


def find_weights(config: ModelConfig, *, root: Path, say: Callable[[str], None], fold: int = 0) -> Path | None:
    """The file that `model.weights` names for a fold; None = random initial weights.

    With `model.weights_source` it is in that source. Without, the file of a published name is searched in the inputs
    attached below `root` and in the cache of torch.hub, and otherwise downloaded into that cache. Raises InputMissing,
    which says what to attach, when it cannot be found.
    """
    name = config.weights
    if name is None or name == FROM_SCRATCH:
        return None
    if OWN_FOLD in name:
        own = replace(config, weights=name.replace(OWN_FOLD, str(fold)))
        # Nothing is said about a fold's file: that of the same fold has not seen what this fold validates.
        return find_weights(own, root=root, say=lambda _: None)
    is_published = name in PUBLISHED[config.backbone]
    if config.weights_source is not None:
        file = _file_name(published_url(name, config.backbone)) if is_published else Path(name).name
        return _told(_find_in_source(name, file, config.weights_source, root), say)
    if is_published:
        return _find_published(name, config.backbone, root / "input", say)
    try:
        return _told(find_file(name, root), say)
    except InputMissing:
        raise InputMissing(
            f"model.weights: {name} is not a file here, and no attached input has a file of that name.\n"
            f"{HOW_TO_ATTACH}, {WHERE_TO_SET}; "
            f"or use weights that are published for {config.backbone}: {', '.join(PUBLISHED[config.backbone])}.\n"
            f"{_attached(root / 'input')}"
        ) from None


def _told(found: Path, say: Callable[[str], None]) -> Path:
    """The file; calls `say` if it is that of a fold."""
    if OF_A_FOLD.fullmatch(found.name):
        say(
            f"weights: {found.name} was trained on all images but those of its own fold: the cv/dice of other folds, "
            "which validate some of these images, will be too high"
        )
    return found


def _find_in_source(name: str, file: str, source: str, root: Path) -> Path:
    """The file in the source. Raises InputMissing."""
    try:
        folder = find_source(source, root)
    except InputMissing as error:
        raise InputMissing(f"model.weights_source: {error}\n{HOW_TO_ATTACH}, {WHERE_TO_SET}.") from None
    try:
        return find_inside(folder, file)
    except InputMissing:
        raise InputMissing(
            f"model.weights: {name} needs {file}, which is not in {source} (model.weights_source).\n"
            f"{HOW_TO_ATTACH}, {WHERE_TO_SET}.\n{_attached(root / 'input')}"
        ) from None


def published_url(name: str, backbone: str) -> str:
    """The URL of published weights: COCO weights of the detector, ImageNet weights of the backbone."""
    url: str = get_model_weights(DETECTOR if name.startswith("COCO") else backbone)[name].url
    return url


def load_weights(model: nn.Module, path: Path, say: Callable[[str], None]) -> None:
    """Load every tensor of a file that fits; the others, such as heads for 91 classes, stay random.

    Calls `say` with one line about the number of tensors of each part. Raises BadWeights when the file is not a state
    dict or lacks tensors of the backbone.
    """
    state = read_state(path)
    own = model.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    missing = [name for name in own if name.startswith(PARTS["backbone"]) and name not in fitting]
    if missing:
        raise BadWeights(
            f"{path} does not fit the model: {len(missing)} tensors of the backbone are missing or have another shape, "
            f"such as {missing[0]}"
        )
    model.load_state_dict(fitting, strict=False)
    if path.name == _file_name(published_url("COCO_V1", "resnet50")):
        # These weights were trained with frozen batch norms whose eps was 0; torchvision handles them in the same way.
        for module in model.modules():
            if isinstance(module, FrozenBatchNorm2d):
                module.eps = 0.0
    of, taken = Counter(map(_part, own)), Counter(map(_part, fitting))
    parts = ", ".join(f"{part} {taken[part]} of {of[part]}" for part in PARTS)
    say(
        f"weights: {len(fitting)} of {len(own)} tensors loaded from {path.name} ({parts}), "
        f"{len(own) - len(fitting)} stay random"
    )


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names in this model.

    Reads a state dict; one below the key "model" (as in fold<k>.pth) or "state_dict"; one of a model that was trained
    in parallel (prefix "module."); one of a ResNet; and the names that torchvision used in 2019. Raises BadWeights for
    any other file. Code in a pickle is never executed.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # The type of the exception depends on where the file is damaged.
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise BadWeights(f"{path} cannot be read as a state dict: {type(error).__name__}: {reason}") from error
    for key in ("model", "state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    tensors = {}
    if isinstance(state, Mapping):
        tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise BadWeights(f"{path} is not a state dict: it holds a {type(state).__name__} without named tensors")
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    if "conv1.weight" in tensors:
        tensors = {f"{PARTS['backbone']}{name}": value for name, value in tensors.items()}
    return {_renamed(name): value for name, value in tensors.items()}


def _find_published(name: str, backbone: str, mounts: Path, say: Callable[[str], None]) -> Path:
    url = published_url(name, backbone)
    file = _file_name(url)
    try:
        return find_inside(mounts, file)
    except InputMissing:
        path = Path(torch.hub.get_dir()) / "checkpoints" / file
    if path.is_file():
        return path
    say(f"weights: {name} is not attached, downloading {url}")
    try:
        _download(url, path)
    # torch.hub raises RuntimeError when it receives another file or an incomplete one.
    except (OSError, HTTPException, RuntimeError) as error:
        raise InputMissing(
            f"model.weights: {name} needs {file}, which is neither attached nor in {path.parent}, "
            f"and cannot be downloaded from {url} ({error}).\n"
            f"{HOW_TO_ATTACH}, or turn the internet on with `enable_internet: true`, {WHERE_TO_SET}.\n"
            f"{_attached(mounts)}"
        ) from error
    return path


def _download(url: str, path: Path) -> None:
    """Download by torch.hub, which checks the digest at the end of the file's name and leaves no incomplete file."""
    before = socket.getdefaulttimeout()
    # There is no other way to set a timeout for the connection of torch.hub.
    socket.setdefaulttimeout(TIMEOUT)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = path.stem.rpartition("-")[2]
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digest, progress=False)
    finally:
        socket.setdefaulttimeout(before)


def _file_name(url: str) -> str:
    return url.rpartition("/")[2]


def _attached(mounts: Path) -> str:
    return f"Attached inputs in {mounts}:\n{tree(mounts)}"


def _part(name: str) -> str:
    """The part of the model that has the tensor."""
    return next(part for part, prefix in PARTS.items() if name.startswith(prefix))


def _renamed(name: str) -> str:
    for old, new in OLD_NAMES:
        name = re.sub(old, new, name)
    return name
