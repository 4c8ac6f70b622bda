"""Where the files are that coord ships with: templates of kernels and of projects, and its own model source."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """A file or folder that coord ships with: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    installed = package / name
    return installed if installed.exists() else package.parent / name


def default_template(name: str) -> Path:
    """The template of a kernel's file that coord ships with."""
    return shipped("kernel_templates") / name
