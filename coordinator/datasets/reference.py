"""The name of a data set, OWNER/SLUG or OWNER/SLUG/VERSION, and the rules for a new one's."""

from __future__ import annotations

import re
from dataclasses import dataclass

from coordinator.errors import MetadataError, UsageError
from coordinator.kaggle_rules import DATASET_SLUG_MAX, DATASET_SLUG_MIN, normal_name

_NAME = re.compile(
    r"(?:https://www\.kaggle\.com/)?(?:datasets/)?([\w-]+)/([\w-]+)(?:/(?:versions/|v)?(\d{1,9}))?/?", re.ASCII
)
_NEW_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Reference:
    owner: str
    slug: str
    version: int | None = None

    def __str__(self) -> str:
        return self.address if self.version is None else f"{self.address}/{self.version}"

    @property
    def address(self) -> str:
        return f"{self.owner}/{self.slug}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises UsageError."""
        found = _NAME.fullmatch(text.strip())
        if found is None or found[3] == "0":
            raise UsageError(
                f'"{text}" is no name of a data set',
                hint="Name it OWNER/SLUG, as in the address of its page: kaggle.com/datasets/OWNER/SLUG.",
            )
        return cls(normal_name(found[1]), normal_name(found[2]), int(found[3]) if found[3] else None)

    @classmethod
    def to_push(cls, text: str) -> Reference:
        """One without a version, which the target counts itself. Raises UsageError."""
        found = cls.parse(text)
        if found.version is not None:
            raise UsageError(f"{text}: a push makes the next version", hint=f"Name it {found.address}.")
        return found

    def check_new(self) -> None:
        """Raises MetadataError if Kaggle would make no data set of that name."""
        problems = [
            f"has {len(self.slug)} characters, and Kaggle takes {DATASET_SLUG_MIN} to {DATASET_SLUG_MAX}"
            if not DATASET_SLUG_MIN <= len(self.slug) <= DATASET_SLUG_MAX
            else "",
            "has other characters than a-z, 0-9 and single hyphens between them"
            if _NEW_SLUG.fullmatch(self.slug) is None
            else "",
        ]
        if any(problems):
            raise MetadataError(
                f'a new data set cannot be called "{self.slug}": it {"; it ".join(filter(None, problems))}',
                hint="Choose another name: OWNER/SLUG.",
            )
