"""`owner/slug`, Kaggle's names of kernels and data sets, parsed where they enter."""

import re
from dataclasses import dataclass
from typing import Self

from runner_test.errors import BadName

# The characters of Kaggle's user names and slugs. Without a dot and a slash, a name can't lead out of its folder.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}", re.ASCII)


def check_name(text: str) -> str:
    """Return the name in lower case (Kaggle's addresses are case-insensitive). Raises BadName."""
    name = text.lower()
    if not _NAME.fullmatch(name):
        raise BadName(f"{text!r} is not a valid name (letters, digits, '-' and '_')")
    return name


@dataclass(frozen=True, order=True)
class Reference:
    """An owner and a slug, both checked."""

    owner: str
    slug: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.slug}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `owner/slug`. Raises BadName for anything else, a website's prefix such as `datasets/` included."""
        owner, slash, slug = text.partition("/")
        if not slash or "/" in slug:
            raise BadName(f"{text!r} is not of the form owner/slug")
        return cls(check_name(owner), check_name(slug))
