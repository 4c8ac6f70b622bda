"""The exception that ended a run, from the end of its log."""

from __future__ import annotations

import pytest

from coordinator.results.failure import failure

SOURCES = {"model_src/train.py", "model_src/data/read.py"}
FRAMES = """\
Traceback (most recent call last):
  File "/tmp/coord-x1/sources/model_src/train.py", line 41, in <module>
    main()
    ~~~~^^
  File "/tmp/coord-x1/sources/model_src/data/read.py", line 7, in images
    raise ValueError("no images")
"""
LIBRARY = '  File "/opt/conda/lib/python3.11/site-packages/torch/nn.py", line 99, in forward\n    raise\n'


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (FRAMES + "ValueError: no images\n", "ValueError at read.py:7: no images"),
        ("before\n" + FRAMES + "ValueError: no images\n", "ValueError at read.py:7: no images"),
        (FRAMES + LIBRARY + "ValueError: no images\n", "ValueError at read.py:7: no images"),
        (FRAMES + LIBRARY + "torch.cuda.OutOfMemoryError: CUDA\n", "OutOfMemoryError at read.py:7: CUDA"),
        (FRAMES + "KeyboardInterrupt\n", "KeyboardInterrupt at read.py:7"),
        (FRAMES + "model_src.errors.Bad: a: b\nmore of it\n", "Bad at read.py:7: a: b"),
        (f"Traceback (most recent call last):\n{LIBRARY}OSError: gone\n", "OSError at nn.py:99: gone"),
        (
            FRAMES + "ValueError: a\n\nDuring handling of the above exception, another exception occurred:\n\n"
            "Traceback (most recent call last):\n"
            '  File "/tmp/coord-x1/sources/model_src/train.py", line 5, in f\nKeyError: 3\n',
            "KeyError at train.py:5: 3",
        ),
        (
            "".join(f"[rank1]: {line}\n" for line in (FRAMES + "ValueError: x").splitlines()),
            "ValueError at read.py:7: x",
        ),
        (FRAMES + "epoch 3 of another process\nValueError: no images\n", "ValueError at read.py:7: no images"),
        # Caught, and something else ended the run.
        (FRAMES + "ValueError: skipped\n" + "epoch\n" * 50, ""),
        (FRAMES, ""),
        ("ValueError: no images\n", ""),
        ("Killed\n", ""),
        ("", ""),
    ],
)
def test_the_exception_and_its_place(log: str, told: str) -> None:
    """The last traceback's; in the kernel's own files if it names one; nothing if the log does not end with one."""
    assert failure(log.splitlines(), SOURCES) == told


def test_a_long_message_is_cut() -> None:
    """The ledger keeps it, and every status shows it."""
    assert len(failure([*FRAMES.splitlines(), f"ValueError: {'x' * 5000}"], SOURCES)) == 200
