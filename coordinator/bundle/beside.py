"""Reads the sources of a kernel that lie in a private data set beside it, where the script would be too large.

The script lists them with their SHA-256, and the bootstrap compares. This code uses the standard library only. It is a
part of the kernels that need it, and coord imports it as a module, too.
"""

from coordinator.bundle.attached import attached

SOURCES_FILE = "sources.txt"
"""The file of the data set; not one that Kaggle would unpack."""


def archive_in(slug: str) -> str:
    """The archive in the data set, as `bootstrap.packed_in` takes it."""
    return (attached(slug, [SOURCES_FILE]) / SOURCES_FILE).read_text(encoding="ascii")
