"""The memory of a prediction from many views: whole masks of one view at a time, or of all views at once.

    python -m benchmarks.views [--batch N ...] [--at-once N ...]

Five folds, each with an image and its mirror image; 20 instances of 400 x 150 pixels in images of 1024 pixels. The
networks are replaced by one that returns such masks, each as large as the image. Each row is measured in a process of
its own: its resident memory at the peak, above that before the prediction.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmarks.measure import print_table
from model_src.prediction.predict import predict

FOLDS, INSTANCES, SIZE = 5, 20, 1024


class Found(nn.Module):
    """Finds the same in every image."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[object] | None = None
        """Its outputs, where they are to stay."""

    def forward(self, images: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """As a detector returns them; each mask is elsewhere."""
        outputs = []
        for _ in images:
            masks = torch.empty(INSTANCES, 1, SIZE, SIZE).zero_()  # writes it, where `zeros` would only reserve it
            for place in range(INSTANCES):
                masks[place, 0, 10 * place : 10 * place + 400, 20 * place : 20 * place + 150] = 0.9
            outputs.append({"masks": masks, "scores": torch.linspace(0.9, 0.5, INSTANCES)})
        if self.held is not None:
            self.held.append(outputs)
        return outputs


def above_start(batch: int, *, is_at_once: bool) -> float:
    """GiB of this process at its peak, above those before."""
    model = Found()
    model.held = [] if is_at_once else None
    pictures = [torch.zeros((1, SIZE, SIZE), dtype=torch.uint8)] * batch
    loader = [(pictures, [{"image_id": torch.tensor(place)} for place in range(batch)])]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for each in predict([model] * FOLDS, loader, tta="hflip", device=torch.device("cpu")):
        assert each.mean(0.1).max() > 0
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table in Markdown, or with --one a figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.views", description="The memory of many views.")
    parser.add_argument("--batch", type=int, nargs="*", default=[2, 4, 16], metavar="N", help="one view at a time")
    parser.add_argument("--at-once", type=int, nargs="*", default=[2], metavar="N", help="all views at once")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(above_start(given.one, is_at_once=bool(given.at_once)))
        return 0
    rows = []
    for way, sizes in (("one view at a time", given.batch), ("all views at once", given.at_once)):
        for size in sizes:
            at_once = ["--at-once", *["1"] * (way == "all views at once")]
            command = [sys.executable, "-m", "benchmarks.views", "--one", str(size), *at_once]
            peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            whole = FOLDS * 2 * size * INSTANCES * SIZE**2 * 4 / 2**30
            rows.append([way, str(size), f"{peak:.2f}", f"{whole:.2f}"])
    print_table(["whole masks of", "batch", "peak GiB", "GiB of all masks"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
