"""Where the templates are that coord ships with."""

from __future__ import annotations

from pathlib import Path


def default_template(name: str) -> Path:
    """A template that coord ships with: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "kernel_templates" / name
    return installed if installed.is_file() else package.parent / "kernel_templates" / name
