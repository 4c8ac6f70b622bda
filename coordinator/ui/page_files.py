"""The files of the live page that are no templates."""

from importlib import resources


def page_file(name: str) -> str:
    """The text of a style or script of this package."""
    return resources.files("coordinator.ui").joinpath(name).read_text(encoding="utf-8")
