"""The exception that ended a run, from the end of its log."""

from __future__ import annotations

import itertools

import pytest

from coordinator.results.failure import failure
from coordinator.target import LogRecord

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
        (FRAMES + "model_src.errors.Bad: a: b\nmore of it\n", "Bad at read.py:7: a: b\nmore of it"),
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
    assert _failure(log) == told


def _failure(*logs: str) -> str:
    """Of a log whose parts came from stderr, stdout, stderr ..."""
    streams = itertools.cycle(("stderr", "stdout"))
    return failure([LogRecord(stream, 0.0, text) for stream, text in zip(streams, logs, strict=False)], SOURCES)


FOLDER = "InputMissing: ann/x is not attached: no folder of that name under /kaggle/input, which holds\n"
LIST = "".join(f"  datasets/ann/{number}/\n" for number in range(41))


@pytest.mark.parametrize(
    ("logs", "rest"),
    [
        ((FOLDER + "  datasets/\n  datasets/ann/",), "\n  datasets/\n  datasets/ann/"),
        ((FOLDER + LIST + "Attach it.\n",), f"\n{LIST}Attach it."),
        # What the program printed is no part of the message: on another stream, as an event, after an empty line.
        ((FOLDER, "epoch 1\n", "  (nothing)\n", "epoch 2\n"), "\n  (nothing)"),
        ((FOLDER + '  a/\nCOORD {"event": "end"}\n  b/\n',), "\n  a/"),
        ((FOLDER + "  a/\n\nepoch 1\n",), "\n  a/"),
        ((FOLDER + "  a/\n-----\nException encountered at In [9]\n",), "\n  a/"),
        ((FOLDER + "epoch 1\n" * 20,), "\nepoch 1" * 8),
    ],
)
def test_a_message_of_several_lines(logs: tuple[str, ...], rest: str) -> None:
    """Its lists belong to it, however long; of what a program prints after it, a few lines at most."""
    first, *others = logs
    assert _failure(FRAMES + first, *others) == FOLDER.replace(":", " at read.py:7:", 1).rstrip() + rest


def test_a_message_of_another_process_is_not_mixed_in() -> None:
    """Of the processes that torchrun starts, each writes its number before its lines."""
    lines = [f"[rank0]: {line}" for line in (FRAMES + "ValueError: a").splitlines()]
    found = _failure("\n".join([*lines, "[rank1]:   b", "[rank0]:   c"]))
    assert found == "ValueError at read.py:7: a\n  c"


def test_a_long_message_is_cut() -> None:
    """The ledger keeps it, and every status shows it."""
    assert len(_failure(FRAMES + f"ValueError: {'x' * 5000}")) == 2000
