"""From the detector's instances to a mask: union, mirrored images, original size."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from model_src.data.dataset import Sample, collate
from model_src.network.build import build_model
from model_src.prediction.fusion import Instance, View
from model_src.prediction.predict import Prediction, Tta, predict, seen, united
from model_src.prediction.thresholds import Rule
from tests.model_src.networks import CPU, FEW, SMALL, noise, one_thread


@pytest.fixture(scope="module")
def model(narrow_here: None) -> Iterator[nn.Module]:
    """A detector with random weights, for images of 64 pixels."""
    with one_thread():
        torch.manual_seed(1)
        yield build_model(SMALL, FEW, image_size=64, weights=None)


def view(masks: Tensor, scores: Tensor) -> View:
    """The instances of a detector's output."""
    return seen({"masks": masks[:, None], "scores": scores}, mirrored=False)


def same(one: View, other: View) -> bool:
    """Whether two views are equal, bit for bit."""
    places = [[(each.score, each.top, each.left) for each in view] for view in (one, other)]
    return places[0] == places[1] and all(
        np.array_equal(mine.values, yours.values) for mine, yours in zip(one, other, strict=True)
    )


def test_views_keep_the_part_of_a_mask_that_is_not_zero() -> None:
    """So a batch of many views fits into the memory: each instance has a mask as large as the image."""
    masks = torch.zeros(3, 64, 64)
    masks[0, 10:20, 30:35] = torch.rand(10, 5) + 0.1
    masks[2, 0, 63] = 0.5
    for mirrored in (False, True):
        output = {
            "masks": masks.flip(-1)[:, None] if mirrored else masks[:, None],
            "scores": torch.tensor([0.9, 0.8, 0.7]),
        }
        found = seen(output, mirrored=mirrored)
        assert [each.values.shape for each in found] == [(10, 5), (0, 0), (1, 1)]
        assert sum(each.values.nbytes for each in found) == 4 * 51
        for threshold in (0.0, 0.75, 0.85):
            expected = united(masks, torch.tensor([0.9, 0.8, 0.7]), threshold).numpy()
            assert np.array_equal(Prediction(0, 64, (found,)).mean(threshold), expected)


def test_masks_of_one_view_at_a_time(model: nn.Module) -> None:
    """While the models of five folds predict, no whole masks of the views before are held."""
    held: list[weakref.ref[Tensor]] = []
    most = 0
    model.eval()

    class Watched(nn.Module):
        def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
            nonlocal most
            outputs: list[dict[str, Tensor]] = model(images)
            most = max(most, sum(each() is not None for each in held))
            held.extend(weakref.ref(each["masks"]) for each in outputs)
            return outputs

    samples = [(picture, {"image_id": torch.tensor(index)}) for index, picture in enumerate(noise(4, seed=5))]
    loader: DataLoader[Sample] = DataLoader(samples, batch_size=2, collate_fn=collate)  # type: ignore[arg-type]
    assert len(list(predict([Watched() for _ in range(5)], loader, tta="hflip", device=CPU))) == 4
    assert len(held) == 5 * 2 * 4
    assert most == 0


def test_predictions_are_under_autocast(model: Any) -> None:
    """Every forward pass is in the context that is given; its masks and scores are float32 all the same."""
    seen_types: set[torch.dtype] = set()
    hook = model.backbone.register_forward_hook(lambda module, given, made: seen_types.add(made["0"].dtype))
    samples = [(noise(1, seed=3)[0], {"image_id": torch.tensor(0)})]
    loader: DataLoader[Sample] = DataLoader(samples, batch_size=1, collate_fn=collate)  # type: ignore[arg-type]
    autocast = functools.partial(torch.autocast, "cpu", torch.bfloat16)
    (found,) = predict([model], loader, tta="hflip", device=CPU, autocast=autocast)
    hook.remove()
    assert seen_types == {torch.bfloat16}
    assert {each.values.dtype for view in found.views for each in view} == {np.dtype(np.float32)}


def predictions(model: nn.Module, pictures: Tensor, tta: Tta) -> list[Prediction]:
    """Of images (n, 1, 64, 64), two at a time."""
    samples = [(picture, {"image_id": torch.tensor(index)}) for index, picture in enumerate(pictures)]
    loader: DataLoader[Sample] = DataLoader(samples, batch_size=2, collate_fn=collate)  # type: ignore[arg-type]  # a list will do
    return list(predict([model], loader, tta=tta, device=CPU))


def test_instances_are_united_by_the_surest() -> None:
    """At each pixel the largest probability of the instances with a sufficient score."""
    masks = torch.tensor([[[0.9, 0.1]], [[0.2, 0.8]], [[1.0, 1.0]]])
    scores = torch.tensor([0.9, 0.6, 0.4])
    assert united(masks, scores, 0.5).tolist() == [[pytest.approx(0.9), pytest.approx(0.8)]]
    assert united(masks, scores, 0.95).tolist() == [[0.0, 0.0]]


def test_mask_comes_in_the_pictures_own_size() -> None:
    """A map in the size of the model's input gives a mask in the original size."""
    rows = torch.zeros(32, 32)
    rows[8:24] = 1
    plain = Rule(0.5, 0.5, 0, 0.5)
    for probability, covered in ((rows, np.s_[16:48, :]), (rows.T, np.s_[:, 32:96])):
        expected = np.zeros((64, 128), bool)
        expected[covered] = True
        prediction = Prediction(0, 32, (view(probability[None], torch.ones(1)),))
        assert np.array_equal(prediction.mask((64, 128), plain), expected)


def test_maps_at_several_thresholds_are_those_at_each() -> None:
    """Also when a threshold equals a score; a map is the one before when no instance is lost."""
    masks = torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(2))
    prediction = Prediction(0, 6, (view(masks, torch.tensor([0.9, 0.5, 0.25])),))
    thresholds = (0.1, 0.25, 0.3, 0.5, 0.6, 0.7, 0.8, 1.0)
    maps = prediction.probabilities((12, 9), thresholds)
    assert all(
        np.array_equal(each, prediction.probability((12, 9), threshold))
        for each, threshold in zip(maps, thresholds, strict=True)
    )
    assert [maps[place] is maps[place - 1] for place in range(1, 8)] == [True, False, True, False, True, True, False]


def test_mirrored_picture_is_a_second_view_turned_back(model: nn.Module) -> None:
    """The second view is the prediction for the mirrored image, mirrored back."""
    pictures = noise(3, seed=0)
    for plain, both, mirrored in zip(
        predictions(model, pictures, "none"),
        predictions(model, pictures, "hflip"),
        predictions(model, pictures.flip(-1), "none"),
        strict=True,
    ):
        (first, second), (turned,) = both.views, mirrored.views
        assert len(turned) > 0
        assert same(first, plain.views[0])
        assert same(second, [Instance(each.score, each.top, 64 - each.right, each.values[:, ::-1]) for each in turned])


def test_mirroring_the_picture_mirrors_the_prediction(model: nn.Module) -> None:
    """The mean with the mirrored view is symmetric for any weights."""
    pictures = noise(2, seed=1)
    straight, mirrored = predictions(model, pictures, "hflip"), predictions(model, pictures.flip(-1), "hflip")
    for one, other in zip(straight, mirrored, strict=True):
        assert one.top_score == pytest.approx(other.top_score)
        assert one.probability((64, 64), 0.1) == pytest.approx(other.probability((64, 64), 0.1)[:, ::-1], abs=1e-6)
