"""From the detector's instances to a mask: union, mirrored images, original size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from model_src.data.dataset import Sample, collate
from model_src.network.build import build_model
from model_src.prediction.predict import Prediction, Tta, predict, united
from model_src.prediction.thresholds import Rule
from tests.model_src.networks import CPU, FEW, SMALL, noise, one_thread


@pytest.fixture(scope="module")
def model() -> Iterator[nn.Module]:
    """A detector with random weights, for images of 64 pixels."""
    with one_thread():
        torch.manual_seed(1)
        yield build_model(SMALL, FEW, image_size=64, weights=None)


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
        prediction = Prediction(0, ((probability[None], torch.ones(1)),))
        assert np.array_equal(prediction.mask((64, 128), plain), expected)


def test_views_are_averaged() -> None:
    """The probability and the top score are means over the views; a view without instances counts as 0."""
    sure = (torch.full((1, 4, 4), 0.8), torch.tensor([0.9]))
    blank = (torch.zeros(0, 4, 4), torch.zeros(0))
    both = Prediction(0, (sure, blank))
    assert both.top_score == pytest.approx(0.45)
    assert both.probability((4, 4), 0.5) == pytest.approx(np.full((4, 4), 0.4))
    assert both.part(slice(1)).probability((4, 4), 0.5) == pytest.approx(np.full((4, 4), 0.8))


def test_maps_at_several_thresholds_are_those_at_each() -> None:
    """Also when a threshold equals a score, and when only the second view loses an instance."""
    masks = torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(2))
    one, other = (masks, torch.tensor([0.9, 0.5, 0.25])), (masks[:1].flip(-1), torch.tensor([0.7]))
    prediction = Prediction(0, (one, other))
    thresholds = (0.1, 0.25, 0.3, 0.5, 0.6, 0.7, 0.8, 1.0)
    maps = prediction.probabilities((12, 9), thresholds)
    assert all(
        np.array_equal(each, prediction.probability((12, 9), threshold))
        for each, threshold in zip(maps, thresholds, strict=True)
    )
    assert [maps[place] is maps[place - 1] for place in range(1, 8)] == [True, False, True, False, True, False, False]


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
        assert len(turned[1]) > 0
        assert all(map(torch.equal, first, plain.views[0]))
        assert torch.equal(second[0], turned[0].flip(-1))
        assert torch.equal(second[1], turned[1])


def test_mirroring_the_picture_mirrors_the_prediction(model: nn.Module) -> None:
    """The mean with the mirrored view is symmetric for any weights."""
    pictures = noise(2, seed=1)
    straight, mirrored = predictions(model, pictures, "hflip"), predictions(model, pictures.flip(-1), "hflip")
    for one, other in zip(straight, mirrored, strict=True):
        assert one.top_score == pytest.approx(other.top_score)
        assert one.probability((64, 64), 0.1) == pytest.approx(other.probability((64, 64), 0.1)[:, ::-1], abs=1e-6)
