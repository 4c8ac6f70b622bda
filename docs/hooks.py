"""Makes the documents of the repository's root pages of the site, and corrects the links between them and docs/."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).parents[1]
_AT_TOP = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
_NOT_PAGES = re.compile(r"\[([^\]]+)\]\((?:\.\./)?(?:LICENSE|Makefile|coordinator/[^)]*|tests/[^)]*)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the documents of the root; README.md is the first page."""
    for name, page in _AT_TOP.items():
        files.append(File.generated(config, page, content=(_ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Links as they have to be in one folder; what is no page of the site is its text without a link."""
    text = _NOT_PAGES.sub(r"\1", markdown)
    for name, target in _AT_TOP.items():
        text = re.sub(rf"\]\((?:\.\./)?{re.escape(name)}(#[^)]*)?\)", rf"]({target}\1)", text)
    return re.sub(r"\]\(docs/", "](", text)
