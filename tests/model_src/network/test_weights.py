"""Initial weights: finding the file, reading it, and the messages."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights, resnet18
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.models.resnet import ResNet
from torchvision.ops import FrozenBatchNorm2d

from coordinator.project.settings import KernelSettings
from model_src.config import PUBLISHED, ModelConfig, ProposalsConfig
from model_src.data.inputs import InputMissing
from model_src.network import weights
from model_src.network.build import build_model
from model_src.network.weights import BadWeights, find_weights, published_url, read_state
from model_src.training.checkpoint import save_checkpoint
from tests.model_src.narrow.sitecustomize import narrow

SMALL = ModelConfig(backbone="resnet18", channels=16, box_features=32)
IMAGENET = dataclasses.replace(SMALL, weights="IMAGENET1K_V1")
BODY = "backbone.body."
COCO_FILE = published_url("COCO_V1", "resnet50").rpartition("/")[2]
RESNET_FILE = published_url("IMAGENET1K_V1", "resnet18").rpartition("/")[2]

Wrap = Callable[[dict[str, Tensor]], Any]


def silent(text: str) -> None:
    """Ignores a message."""


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch.hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture(scope="module", autouse=True)
def _narrow() -> Iterator[None]:
    """All layers of the networks, with an eighth of the channels: a fifth of the weights of the published detector."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(ResNet, "_make_layer", narrow(ResNet._make_layer, most=99))
        yield


@pytest.fixture(scope="module")
def small() -> dict[str, Tensor]:
    """The state of a small model, its batch norms' statistics included."""
    return build_model(SMALL, ProposalsConfig(), image_size=64, weights=None).state_dict()


@pytest.fixture(scope="module")
def coco() -> nn.Module:
    """torchvision's own model with random weights for the 91 classes of COCO."""
    model: nn.Module = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    return model


def build(path: Path, config: ModelConfig = SMALL, say: Callable[[str], None] = silent) -> nn.Module:
    """A model for images of 64 pixels with initial weights from a file."""
    return build_model(config, ProposalsConfig(), image_size=64, weights=path, say=say)


def attached(root: Path, name: str) -> Path:
    """The path of a file to be attached, in a model's folder as Kaggle mounts it."""
    path = root / "input/models/ann/detector/pytorch/small/1" / name
    path.parent.mkdir(parents=True)
    return path


def with_old_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors by torchvision's names of 2019, and, as then, without the versions of its modules."""

    def old(name: str) -> str:
        name = re.sub(r"(_blocks\.\d|rpn\.head\.conv)(?:\.0)+\.(\w+)$", r"\1.\2", name)
        return re.sub(r"(mask_head\.)(\d)\.0\.", lambda found: f"{found[1]}mask_fcn{int(found[2]) + 1}.", name)

    return {old(name): value for name, value in state.items()}


def test_published_names_are_torchvisions() -> None:
    """The config allows exactly the weights that torchvision publishes, for the detector and each backbone."""
    for backbone, names in PUBLISHED.items():
        theirs = set(get_model_weights(backbone).__members__)
        if backbone == "resnet50":
            theirs |= set(get_model_weights("maskrcnn_resnet50_fpn").__members__)
        assert set(names) == theirs - {"DEFAULT"}
        assert all(published_url(name, backbone).startswith("https://") for name in names)


@pytest.mark.parametrize("names", ["of today", "of 2019"])
def test_published_detector_fills_all_but_the_predictors(coco: nn.Module, tmp_path: Path, names: str) -> None:
    """COCO_V1 is found by the name of its file; backbone, pyramid and RPN are loaded, predictors of 91 classes are not.

    So are they with the names that torchvision had when it published it, which its own model accepts, too.
    """
    theirs = coco.state_dict()
    file = theirs if names == "of today" else with_old_names(theirs)
    if names == "of 2019":
        assert len(file.keys() - theirs.keys()) == 2 * (8 + 1 + 4)
        coco.load_state_dict(file)
    torch.save(file, attached(tmp_path, COCO_FILE))
    config = ModelConfig(weights="COCO_V1", trainable_layers=2)
    path = find_weights(config, root=tmp_path, say=silent)
    assert path == tmp_path / "input/models/ann/detector/pytorch/small/1" / COCO_FILE
    said: list[str] = []
    model = build(path, config, said.append)
    ours = model.state_dict()
    random = {name for name in ours if name not in theirs or not torch.equal(ours[name], theirs[name])}
    predictors = ("box_predictor.cls_score", "box_predictor.bbox_pred", "mask_predictor.mask_fcn_logits")
    assert random == {f"roi_heads.{part}.{each}" for part in predictors for each in ("weight", "bias")}
    assert said == [
        f"weights: 301 of 307 tensors loaded from {COCO_FILE} (backbone 265 of 265, fpn 16 of 16, rpn 6 of 6, "
        "box head 4 of 8, mask head 10 of 12), 6 stay random"
    ]
    norms = [module for module in model.modules() if isinstance(module, FrozenBatchNorm2d)]
    assert {norm.eps for norm in norms} == {0.0}
    trained = {name.split(".")[2] for name, each in model.named_parameters() if each.requires_grad and ".body." in name}
    assert trained == {"layer3", "layer4"}


def test_published_backbone_fills_the_backbone(tmp_path: Path) -> None:
    """IMAGENET1K_V1 is a ResNet with 1000 classes: the whole backbone is loaded, the rest stays random."""
    theirs = resnet18().state_dict()
    torch.save(theirs, attached(tmp_path, RESNET_FILE))
    path = find_weights(IMAGENET, root=tmp_path, say=silent)
    assert path is not None
    said: list[str] = []
    model = build(path, IMAGENET, said.append)
    ours = {name.removeprefix(BODY): value for name, value in model.state_dict().items() if name.startswith(BODY)}
    assert ours.keys() == {name for name in theirs if not name.endswith("num_batches_tracked")} - {
        "fc.weight",
        "fc.bias",
    }
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert said == [
        f"weights: 105 of 147 tensors loaded from {RESNET_FILE} (backbone 105 of 105, fpn 0 of 16, rpn 0 of 6, "
        "box head 0 of 8, mask head 0 of 12), 42 stay random"
    ]
    assert {module.eps for module in model.modules() if isinstance(module, FrozenBatchNorm2d)} == {1e-5}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model": state, "epoch": 3},
        lambda state: {"state_dict": state, "optimizer": {}},
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
    ],
    ids=["state dict", "model", "state_dict", "in parallel", "model in parallel"],
)
def test_state_dicts_as_people_save_them(small: dict[str, Tensor], tmp_path: Path, wrap: Wrap) -> None:
    """Every tensor is loaded from the usual formats."""
    torch.save(wrap(small), tmp_path / "weights.pth")
    ours = build(tmp_path / "weights.pth").state_dict()
    assert all(torch.equal(value, small[name]) for name, value in ours.items())


def test_our_own_checkpoint(small: dict[str, Tensor], tmp_path: Path) -> None:
    """The best model of a fold is loaded completely."""
    save_checkpoint(tmp_path / "fold0.pth", {"model": small, "fold": 0, "history": [{"epoch": 1}]})
    said: list[str] = []
    ours = build(tmp_path / "fold0.pth", say=said.append).state_dict()
    assert all(torch.equal(value, small[name]) for name, value in ours.items())
    assert "147 of 147 tensors loaded" in said[0]
    assert said[0].endswith("0 stay random")


def test_heads_of_another_size_stay_random(small: dict[str, Tensor], tmp_path: Path) -> None:
    """Tensors of another shape are not loaded, the others are."""
    torch.save(small, tmp_path / "weights.pth")
    said: list[str] = []
    ours = build(tmp_path / "weights.pth", dataclasses.replace(SMALL, box_features=48), said.append).state_dict()
    other = {name for name, value in ours.items() if value.shape != small[name].shape}
    assert {name.split(".")[1] for name in other} == {"box_head", "box_predictor"}
    assert all(torch.equal(value, small[name]) for name, value in ours.items() if name not in other)
    assert f"box head {8 - len(other)} of 8" in said[0]


def test_weights_for_something_else_are_refused(small: dict[str, Tensor], tmp_path: Path) -> None:
    """A state dict without this backbone is an error that names a tensor."""
    torch.save(small, tmp_path / "weights.pth")
    with pytest.raises(
        BadWeights, match=r"weights\.pth does not fit the model: \d+ tensors of the backbone .*backbone\.body\.layer1"
    ):
        build(tmp_path / "weights.pth", dataclasses.replace(SMALL, backbone="resnet50"))


class Code:
    """Its pickle calls a function that would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_files_that_are_no_state_dict(small: dict[str, Tensor], tmp_path: Path) -> None:
    """Text, an empty file, half a file, an image, a tensor and code are errors; the code is not executed."""
    torch.save(small, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    for content in (b"a text file\n", b"", whole[: len(whole) // 2], b"\x89PNG\r\n\x1a\n"):
        (tmp_path / "weights.pth").write_bytes(content)
        with pytest.raises(BadWeights, match=r"^\S+weights\.pth cannot be read as a state dict: \w+: .*$"):
            read_state(tmp_path / "weights.pth")
    for value, kind in ((torch.zeros(3), "Tensor"), ([torch.zeros(3)], "list"), ({"epoch": 3}, "dict")):
        torch.save(value, tmp_path / "weights.pth")
        with pytest.raises(
            BadWeights, match=rf"weights\.pth is not a state dict: it holds a {kind} without named tensors"
        ):
            read_state(tmp_path / "weights.pth")
    torch.save({"model": Code(tmp_path / "ran")}, tmp_path / "weights.pth")
    with pytest.raises(BadWeights, match=r"weights\.pth cannot be read as a state dict: UnpicklingError"):
        read_state(tmp_path / "weights.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("nothing", [None, "none"])
def test_from_scratch(tmp_path: Path, nothing: str | None) -> None:
    """Null, or "none" in formats without null, needs no file."""
    assert find_weights(ModelConfig(weights=nothing), root=tmp_path, say=silent) is None


@pytest.mark.parametrize(
    ("name", "leaks"), [("fold0.pth", True), ("fold3.seed4.pth", True), ("fold0.state.pth", True), ("mine.pth", False)]
)
def test_weights_of_a_fold_are_told_to_leak(tmp_path: Path, name: str, leaks: bool) -> None:
    """They were trained on images that the other folds validate."""
    attached(tmp_path, name).touch()
    said: list[str] = []
    assert find_weights(dataclasses.replace(SMALL, weights=name), root=tmp_path, say=said.append)
    assert [f"{name} was trained on all images but those of its own fold" in text for text in said] == [True] * leaks


def test_missing_file_says_what_to_attach(tmp_path: Path) -> None:
    """The message has the name, the settings to attach it, the published names, and what is attached."""
    attached(tmp_path, "other.pth").touch()
    with pytest.raises(InputMissing) as caught:
        find_weights(dataclasses.replace(SMALL, weights="mine.pth"), root=tmp_path, say=silent)
    message = str(caught.value)
    assert message.startswith(
        "model.weights: mine.pth is not a file here, and no attached input has a file of that name.\n"
    )
    for part in ("`dataset_sources`", "`model_sources`", "[tool.coord.kernel]", ": IMAGENET1K_V1.", "models/ann/"):
        assert part in message
    for setting in re.findall(r"`(\w+_\w+)`", message):
        assert setting in {each.name for each in dataclasses.fields(KernelSettings)}


@pytest.mark.parametrize(
    ("source", "mount"),
    [
        ("ann/coco", "datasets/ann/coco"),
        ("Ann/Coco", "datasets/ann/coco"),
        ("ann/coco", "coco"),
        ("ann/detector/pytorch/coco/2", "models/ann/detector/pytorch/coco/2"),
        ("ann/detector/pytorch/coco", "models/ann/detector/pytorch/coco/7"),
        ("ann/detector/pytorch/coco/2", "detector/pytorch/coco/2"),
        ("ann/trained", "notebooks/ann/trained"),
    ],
)
@pytest.mark.parametrize("name", ["COCO_V1", "mine.pth"])
def test_weights_come_from_their_source(tmp_path: Path, source: str, mount: str, name: str) -> None:
    """A data set, a model or a kernel's output, in all of Kaggle's layouts; a file in another source is not taken."""
    file = COCO_FILE if name == "COCO_V1" else name
    for folder in (mount, "datasets/eve/other"):
        (tmp_path / "input" / folder).mkdir(parents=True)
        (tmp_path / "input" / folder / file).touch()
    config = ModelConfig(weights=name, weights_source=source)
    assert find_weights(config, root=tmp_path, say=silent) == tmp_path / "input" / mount / file
    (tmp_path / "input" / mount / file).unlink()
    with pytest.raises(InputMissing, match=rf"(?s)^model\.weights: {name} needs {file}.*is not in {source}.*data set"):
        find_weights(config, root=tmp_path, say=silent)
    with pytest.raises(InputMissing, match=r"(?s)^model\.weights_source: ann/gone is not attached.*dataset_sources"):
        find_weights(dataclasses.replace(config, weights_source="ann/gone"), root=tmp_path, say=silent)
    assert find_weights(dataclasses.replace(config, weights="none"), root=tmp_path, say=silent) is None


def test_without_internet_says_what_to_attach(tmp_path: Path, hub: Path) -> None:
    """A failed download is an error: which file, from where, how to attach it, and what is attached."""
    attached(tmp_path, "other.pth").touch()
    said: list[str] = []
    with pytest.raises(InputMissing) as caught:
        find_weights(ModelConfig(weights="COCO_V1"), root=tmp_path, say=said.append)
    url = published_url("COCO_V1", "resnet50")
    message = str(caught.value)
    assert message.startswith(f"model.weights: COCO_V1 needs {COCO_FILE}, which is neither attached nor in {hub}, ")
    assert f"cannot be downloaded from {url} (<urlopen error tests talk to this machine only" in message
    for part in (
        "`dataset_sources`",
        "`model_sources`",
        "`enable_internet: true`",
        "[tool.coord.kernel]",
        "models/ann/",
    ):
        assert part in message
    assert "enable_internet" in {each.name for each in dataclasses.fields(KernelSettings)}
    assert said == [f"weights: COCO_V1 is not attached, downloading {url}"]
    assert not list(hub.glob("*"))


def test_torch_hubs_cache_comes_after_what_is_attached(tmp_path: Path, hub: Path) -> None:
    """A file in the cache is used without a download; an attached file has precedence."""
    hub.mkdir(parents=True)
    (hub / RESNET_FILE).touch()
    assert find_weights(IMAGENET, root=tmp_path, say=silent) == hub / RESNET_FILE
    path = attached(tmp_path, RESNET_FILE)
    path.touch()
    assert find_weights(IMAGENET, root=tmp_path, say=silent) == path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served on the loopback, and its address."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *values: object) -> None:
            """Do not log requests."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def publish(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Move torchvision's weights of ResNet-18 to another address."""
    monkeypatch.setattr(get_model_weights("resnet18")["IMAGENET1K_V1"].value, "url", url)


def test_download_goes_to_torch_hubs_cache(
    site: tuple[Path, str], tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A downloaded file is used again when the site is gone; the timeout of the process is restored."""
    folder, address = site
    torch.save(resnet18().state_dict(), folder / "new")
    content = (folder / "new").read_bytes()
    file = f"resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / "new").rename(folder / file)
    publish(f"{address}/{file}", monkeypatch)
    said: list[str] = []
    path = find_weights(IMAGENET, root=tmp_path, say=said.append)
    assert path == hub / file
    assert path.read_bytes() == content
    assert said == [f"weights: IMAGENET1K_V1 is not attached, downloading {address}/{file}"]
    assert socket.getdefaulttimeout() is None
    (folder / file).unlink()
    assert find_weights(IMAGENET, root=tmp_path, say=silent) == path


def test_download_of_something_else_is_refused(
    site: tuple[Path, str], tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with another digest, such as a login page, does not stay in the cache."""
    folder, address = site
    (folder / RESNET_FILE).write_text("please log in")
    publish(f"{address}/{RESNET_FILE}", monkeypatch)
    with pytest.raises(InputMissing, match=rf"{RESNET_FILE}.*invalid hash value"):
        find_weights(IMAGENET, root=tmp_path, say=silent)
    assert not list(hub.glob("*"))


def test_site_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without an answer is the same error, after the timeout."""
    monkeypatch.setattr(weights, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silence:
        publish(f"http://127.0.0.1:{silence.getsockname()[1]}/{RESNET_FILE}", monkeypatch)
        with pytest.raises(InputMissing, match="timed out"):
            find_weights(IMAGENET, root=tmp_path, say=silent)
