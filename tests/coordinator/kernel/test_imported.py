"""What a kernel imports from the Python that it runs in."""

from __future__ import annotations

import dataclasses

from coordinator.kernel.imported import modules_needed
from coordinator.project import Project, resolve

PROGRAM = """\
import json
import cv2
from torch import nn
import kaggle_evaluation
try:
    import wandb
except ImportError:
    wandb = None

def late():
    import PIL.Image
    from . import config
    import mine
"""


def test_the_modules_that_imports_lead_to(tiny: Project) -> None:
    """With their distributions. Without what is of Python, of the project, optional, or there all the same."""
    (tiny.root / "tiny_model" / "train.py").write_text(PROGRAM, encoding="utf-8")
    (tiny.root / "tiny_model" / "forgotten.py").write_text("import sympy\n", encoding="utf-8")
    project = dataclasses.replace(
        tiny, settings=dataclasses.replace(tiny.settings, vendor=(), image_extra=("mine", "kaggle_evaluation"))
    )
    found = modules_needed(project, resolve(project, "base"))
    assert found == {"PIL": "pillow", "cv2": "opencv-python", "torch": "torch"}, found
