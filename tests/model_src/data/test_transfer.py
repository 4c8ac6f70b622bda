"""The conversion of images and targets on the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model_src.data.dataset import target
from model_src.data.transfer import images_on_device
from model_src.training.engine import on_device

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
def test_images_are_the_bytes_divided_by_255(device: str) -> None:
    """Every byte becomes the quotient in single precision, bit for bit, in three channels."""
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 8, 32)
    expected = np.divide(pixels, np.float32(255))
    for picture in (pixels, pixels[:, ::-1]):
        (image,) = images_on_device([torch.from_numpy(picture.copy())], torch.device(device))
        assert (image.dtype, image.shape, image.device.type) == (torch.float32, (3, 8, 32), device)
        channels = image.cpu().numpy()
        wanted = expected if picture is pixels else expected[:, ::-1]
        assert all(channel.tobytes() == wanted[0].tobytes() for channel in channels)
    assert (expected.min(), expected.max()) == (0, 1)


def test_pictures_of_several_sizes_keep_their_order() -> None:
    """One result per image, for any sizes; empty without images."""
    pictures = [torch.full((1, 4 + place, 6), 51 * place, dtype=torch.uint8) for place in range(3)]
    images = images_on_device(pictures, torch.device("cpu"))
    assert [tuple(image.shape) for image in images] == [(3, 4, 6), (3, 5, 6), (3, 6, 6)]
    assert all(image.numpy() == pytest.approx(0.2 * place) for place, image in enumerate(images))
    assert images_on_device([], torch.device("cpu")) == []


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_keeps_its_targets(device: str) -> None:
    """The targets are unchanged, with masks in bytes."""
    masks = np.zeros((1, 8, 8), bool)
    masks[0, 2:4, 3:7] = True
    batch = [torch.zeros(1, 8, 8, dtype=torch.uint8)], [target(masks, 5)]
    (image,), (moved,) = on_device(batch, torch.device(device))
    assert image.is_floating_point()
    assert all(value.device.type == device for value in moved.values())
    assert all(torch.equal(value.cpu(), batch[1][0][name]) for name, value in moved.items())
