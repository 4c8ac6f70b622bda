"""`python -m runner_test.samples DIR`: writes a small data set."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from runner_test.samples.data import SampleData, write_sample_data


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a data set; returns the exit code: 0, or 1 with one line on stderr if it can't be written."""
    parser = argparse.ArgumentParser(prog="python -m runner_test.samples", description="Write a small data set.")
    parser.add_argument("directory", type=Path, metavar="DIR", help="must not exist yet")
    parser.add_argument("--images", type=int, default=120, metavar="N", help="labelled pictures (120)")
    parser.add_argument("--test-images", type=int, default=16, metavar="M", help="pictures to predict (16)")
    parser.add_argument("--size", type=int, metavar="PX", help="edge of a picture (256; 1024 with --labels)")
    parser.add_argument("--positive", type=float, metavar="SHARE", help="share with a pneumothorax (0.35)")
    parser.add_argument("--labels", type=Path, metavar="CSV", help="draw around the masks of this label file")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="each seed gives another data set (0)")
    wanted = vars(parser.parse_args(arguments))
    directory: Path = wanted.pop("directory")
    try:
        data = SampleData(**wanted)
        write_sample_data(directory, data)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{directory}: {data.images} labelled pictures, {data.test_images} to predict")
    return 0


if __name__ == "__main__":
    sys.exit(main())
