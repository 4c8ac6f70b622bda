"""The shapes of the network, layer by layer: as in the papers, and as in a model that was printed in 2019."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn
from torchvision.models.detection import maskrcnn_resnet50_fpn

from coordinator.project import find_project, resolve
from model_src.config import ModelConfig, ProposalsConfig, from_dict
from model_src.network.build import build_model
from model_src.network.weights import find_weights, published_url
from tests.model_src.session_root import PROJECT

Shape = tuple[int, ...]
Backbone = Literal["resnet18", "resnet34", "resnet50"]

BLOCKS: dict[Backbone, tuple[int, int, int, int]] = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
}

MOVED = (
    (r"^rpn\.head\.conv\.", "rpn.head.conv.0.0."),
    (r"(inner_blocks|layer_blocks)\.(\d)\.", r"\1.\2.0."),
    (r"mask_head\.mask_fcn(\d)\.", lambda found: f"mask_head.{int(found[1]) - 1}.0."),
)
"""Modules that torchvision has renamed since then."""

SILENT = re.compile(r"\.(bn\d|downsample\.1)\.")
"""Tensors of batch norms, whose size the print does not show."""

PRINTED = PROJECT.parent / "shared" / "seed" / "notes.md"


def table(backbone: Backbone) -> dict[str, Shape]:
    """Weights and biases by the names of 2019: ResNet (He 2015), FPN (Lin 2016), Mask R-CNN (He 2017), two classes."""
    shapes: dict[str, Shape] = {}

    def convolution(name: str, into: int, out: int, size: int, *, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = (out, into, size, size)
        if bias:
            shapes[f"{name}.bias"] = (out,)

    def body(name: str, number: str, into: int, out: int, size: int) -> None:
        convolution(f"backbone.body.{name}conv{number}", into, out, size, bias=False)
        for each in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"backbone.body.{name}bn{number}.{each}"] = (out,)

    body("", "1", 3, 64, 7)
    into, expansion = 64, 4 if backbone == "resnet50" else 1
    for stage, count in enumerate(BLOCKS[backbone], start=1):
        width = 32 * 2**stage
        for block in range(count):
            name, out = f"layer{stage}.{block}.", width * expansion
            if expansion == 4:
                for number, sides in enumerate(((into, width, 1), (width, width, 3), (width, out, 1)), start=1):
                    body(name, str(number), *sides)
            else:
                body(name, "1", into, width, 3)
                body(name, "2", width, width, 3)
            if block == 0 and into != out:
                convolution(f"backbone.body.{name}downsample.0", into, out, 1, bias=False)
                for each in ("weight", "bias", "running_mean", "running_var"):
                    shapes[f"backbone.body.{name}downsample.1.{each}"] = (out,)
            into = out
        convolution(f"backbone.fpn.inner_blocks.{stage - 1}", into, 256, 1)
        convolution(f"backbone.fpn.layer_blocks.{stage - 1}", 256, 256, 3)
    convolution("rpn.head.conv", 256, 256, 3)
    convolution("rpn.head.cls_logits", 256, 3, 1)
    convolution("rpn.head.bbox_pred", 256, 3 * 4, 1)
    for name, linear in {
        "box_head.fc6": (1024, 256 * 7 * 7),
        "box_head.fc7": (1024, 1024),
        "box_predictor.cls_score": (2, 1024),
        "box_predictor.bbox_pred": (2 * 4, 1024),
    }.items():
        shapes |= {f"roi_heads.{name}.weight": linear, f"roi_heads.{name}.bias": linear[:1]}
    for number in range(1, 5):
        convolution(f"roi_heads.mask_head.mask_fcn{number}", 256, 256, 3)
    convolution("roi_heads.mask_predictor.conv5_mask", 256, 256, 2)
    convolution("roi_heads.mask_predictor.mask_fcn_logits", 256, 2, 1)
    return shapes


def moved(name: str) -> str:
    """The present name of a module of 2019."""
    for pattern, replacement in MOVED:
        name = re.sub(pattern, replacement, name)
    return name


def ours(backbone: Backbone) -> dict[str, Shape]:
    """The tensors of our model, except for the counters of batch norms."""
    with torch.device("meta"):  # only the shapes are of interest: no number is drawn
        model: nn.Module = build_model(ModelConfig(backbone=backbone), ProposalsConfig(), image_size=64, weights=None)
    state = model.state_dict()
    return {name: tuple(value.shape) for name, value in state.items() if not name.endswith("num_batches_tracked")}


def printed_modules(text: str) -> Iterator[tuple[str, str, str]]:
    """(dotted name, class, arguments) of every module of the first printed model in a Markdown text."""
    lines = text[text.index("MaskRCNN(\n") :].split("```", 1)[0].splitlines()
    path: list[str] = []
    for line in lines[1:]:
        # The text has Markdown emphasis inside the code.
        found = re.fullmatch(r"( *)\(\**(\w+)\): (\w+)\((.*?)\)?", line)
        if found:
            depth = len(found[1]) // 2 - 1
            path = [*path[:depth], found[2]]
            yield ".".join(path), found[3], found[4]


def printed_shapes(text: str) -> dict[str, Shape]:
    """The weights and biases of the layers with printed sizes; frozen batch norms of 2019 have none."""
    shapes: dict[str, Shape] = {}
    for name, kind, arguments in printed_modules(text):
        numbers = [int(number) for number in re.findall(r"\d+", arguments)]
        if kind in ("Conv2d", "ConvTranspose2d"):
            into, out, *kernel = numbers[:4]
            shapes[f"{name}.weight"] = (*((into, out) if kind == "ConvTranspose2d" else (out, into)), *kernel)
        elif kind == "Linear":
            into, out = numbers
            shapes[f"{name}.weight"] = (out, into)
        else:
            continue
        if "bias=False" not in arguments:
            shapes[f"{name}.bias"] = (out,)
    return shapes


@pytest.mark.parametrize("backbone", BLOCKS)
def test_shapes_are_the_papers(backbone: Backbone) -> None:
    """The tensors of the model are exactly those of the table, with the same shapes."""
    assert ours(backbone) == {moved(name): shape for name, shape in table(backbone).items()}


@functools.cache
def modules(model: ModelConfig, proposals: ProposalsConfig, root: Path) -> tuple[dict[str, str], set[str]]:
    """The classes of the modules by name, and the stages of the body that are trained.

    Once for recipes with the same network: it takes a second to build it and to read its weights.
    """
    built = build_model(
        model,
        proposals,
        image_size=64,
        weights=find_weights(model, root=root, say=lambda _: None),
        say=lambda _: None,
    )
    kinds = {name: type(module).__name__ for name, module in built.named_modules()}
    trained = {name.split(".")[2] for name, each in built.named_parameters() if each.requires_grad and ".body." in name}
    return kinds, trained


RECIPES = ("base", "lr0005_step3", "lr0005_step4_little", "lr001_step3", "lr001_step4", "lr001_step4_more")
"""The experiments of the diary that start from published weights."""


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like that of COCO_V1, with zeros as weights: torchvision's own detector for 91 classes."""
    file = tmp_path_factory.mktemp("coco") / published_url("COCO_V1", "resnet50").rpartition("/")[2]
    with torch.device("meta"):
        state = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    torch.save({name: torch.zeros_like(value, device="cpu") for name, value in state.items()}, file)
    return file


@pytest.mark.parametrize("experiment", RECIPES)
def test_norms_are_those_of_the_printed_model(experiment: str, coco: Path) -> None:
    """The diary's recipes start from COCO_V1, from an attached source, with frozen batch norms, as it prints them."""
    resolved = resolve(find_project(PROJECT), experiment)
    config = from_dict(resolved.config)
    assert config.model.weights == "COCO_V1"
    assert config.model.weights_source in resolved.kernel.dataset_sources
    root = coco.parent
    file = root / "input" / "datasets" / str(config.model.weights_source) / coco.name
    if not file.exists():
        file.parent.mkdir(parents=True)
        file.symlink_to(coco)
    kinds, trained = modules(config.model, config.proposals, root)
    norms = {name: kind for name, kind in kinds.items() if "BatchNorm" in kind}
    silent = {name.rsplit(".", 1)[0] for name in table("resnet50") if SILENT.search(name)}
    assert norms == dict.fromkeys(silent, "FrozenBatchNorm2d")
    if PRINTED.is_file():
        printed = printed_modules(PRINTED.read_text(encoding="utf-8"))
        assert norms == {name: kind for name, kind, _ in printed if "BatchNorm" in kind}
    # Those stages are trained that torchvision trained in 2019: all but the first two.
    assert trained == {"layer2", "layer3", "layer4"}


def test_shapes_are_those_of_the_printed_model() -> None:
    """The printed layers are exactly those of our model."""
    if not PRINTED.is_file():
        pytest.skip(f"needs the diary at {PRINTED.relative_to(PROJECT.parent)} beside the repository")
    text = PRINTED.read_text(encoding="utf-8")
    printed = printed_shapes(text)
    expected = {name: shape for name, shape in table("resnet50").items() if not SILENT.search(name)}
    assert len(printed) > 90
    assert printed == expected
    norms = {name for name, kind, _ in printed_modules(text) if kind == "FrozenBatchNorm2d"}
    assert norms == {name.rsplit(".", 1)[0] for name in table("resnet50").keys() - expected.keys()}
    model = ours("resnet50")
    assert {moved(name) for name in printed} <= model.keys()
    assert all(model[moved(name)] == shape for name, shape in printed.items())
