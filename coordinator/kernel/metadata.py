"""kernel-metadata.json: renders its template and checks Kaggle's rules, before any request is sent."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
from slugify import slugify

from coordinator.errors import MetadataError, did_you_mean
from coordinator.kaggle_rules import (
    MACHINE_SHAPES,
    SENT_IN_NORMAL_FORM,
    SOURCE_MAX,
    SOURCE_PREFIXES,
    TITLE_MAX,
    TITLE_MIN,
    kind_of_shape,
    normal_metadata,
    normal_name,
    normal_source,
    without_version,
)
from coordinator.project import Experiment, leaves, plain

CODE_FILE = "kernel.py"
CODE_FILES = {"script": CODE_FILE, "notebook": "kernel.ipynb"}
"""The code file's name by the kernel's type."""
METADATA_FILE = "kernel-metadata.json"

_OWNER_PLACEHOLDER = "OWNER"
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
_KEYS = (
    *("id", "id_no", "title", "code_file", "language", "kernel_type", "is_private", "enable_gpu", "enable_tpu"),
    *("enable_internet", "machine_shape", "docker_image", "docker_image_pinning_type", "keywords"),
    *("dataset_sources", "competition_sources", "kernel_sources", "model_sources"),
)
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_SOURCE_FORMS = {
    "dataset_sources": (re.compile(rf"{_PART}/{_PART}(/[1-9]\d*)?"), "owner/slug[/version]"),
    "competition_sources": (re.compile(_PART), "slug"),
    "kernel_sources": (re.compile(rf"{_PART}/{_PART}"), "owner/slug"),
    "model_sources": (re.compile(rf"{_PART}(/{_PART}){{3}}(/\d+)?"), "owner/model/framework/variation[/version]"),
}
_FOUND_BY_SLUG = ("dataset_sources", "competition_sources", "kernel_sources")


@dataclass(frozen=True)
class Ours:
    """What a kernel has attached of its own owner, by slugs."""

    needs: tuple[str, ...] = ()
    """The kernels whose output it needs."""
    datasets: tuple[str, ...] = ()
    """The data sets that coord makes for it."""


@dataclass(frozen=True)
class KernelMetadata:
    """The rendered and checked kernel-metadata.json."""

    text: str
    data: dict[str, Any]
    needs: tuple[str, ...] = ()
    """The slugs of the owner's kernels whose output it needs; `kernel_sources` has them, with the owner."""
    own: tuple[str, ...] = ()
    """The slugs of the data sets that coord makes for it; `dataset_sources` has them, with the owner."""
    for_kaggle: bool = True
    """Whether Kaggle's rules about titles and machines hold for it."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said of a machine that coord does not know."""
        return _machine_warnings(self.data.get("machine_shape")) if self.for_kaggle else ()

    @property
    def slug(self) -> str:
        return str(self.data["id"]).partition("/")[2]

    @property
    def title(self) -> str:
        return str(self.data["title"])


NOTHING_OURS = Ours()


def kernel_title(title: str, experiment: str) -> str:
    """The kernel's title on Kaggle, from the title setting."""
    return title.replace("{experiment}", experiment)


def kernel_slug(title: str, experiment: str) -> str:
    """The kernel's slug: Kaggle makes it of the title, with python-slugify's rules, and refuses any other."""
    return str(slugify(kernel_title(title, experiment)))


def render_metadata(
    template: Path,
    experiment: Experiment,
    *,
    owner: str | None,
    attached: Sequence[str] = (),
    ours: Ours = NOTHING_OURS,
    for_kaggle: bool = True,
) -> KernelMetadata:
    """The metadata of the experiment's kernel.

    The template (jinja2, undefined names refused) gets `kernel` (settings), `config`, `experiment` (name), `title`,
    `slug`, `owner`, `code_file`, `machine` ("cpu", "gpu" or "tpu"). `attached` has the config's dotted paths whose
    values must be among the attached sources. What is `ours` is attached, too. Raises MetadataError with every broken
    rule; without `for_kaggle`, the length of the title and the names of machines are no rules.
    """
    settings = experiment.kernel
    values = {
        "kernel": plain(settings),
        "config": experiment.config,
        "experiment": experiment.name,
        "title": kernel_title(settings.title, experiment.name),
        "slug": kernel_slug(settings.title, experiment.name),
        # A build needs no credentials: the owner may not be known before the push.
        "owner": owner or _OWNER_PLACEHOLDER,
        "code_file": CODE_FILES[settings.kernel_type],
        "machine": kind_of_shape(settings.machine_shape),
    }
    try:
        text = _compiled(template.read_text(encoding="utf-8")).render(values)
        data = json.loads(text, parse_constant=_refuse_constant)
    except jinja2.TemplateError as error:
        raise MetadataError(f"{template.name}: {error}") from error
    except ValueError as error:
        raise MetadataError(f"{template.name} does not render to JSON: {error}") from error
    # The project's own template may write names itself.
    if isinstance(data, dict) and (named := normal_metadata(data, SENT_IN_NORMAL_FORM)) != data:
        data, text = named, _written(named)
    problems = _broken_rules(data, for_kaggle=for_kaggle) or [
        *_attached_twice(data, ours.needs),
        *_not_attached(data, experiment.config, attached),
    ]
    if problems:
        raise _error(experiment.name, problems)
    found = KernelMetadata(text, data, ours.needs, ours.datasets, for_kaggle)
    return with_owner(found, owner or _OWNER_PLACEHOLDER) if ours.needs or ours.datasets else found


@functools.lru_cache(maxsize=8)
def _compiled(template: str) -> jinja2.Template:
    """Kept, because a sweep fills the same template many times."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(template)


def with_owner(metadata: KernelMetadata, owner: str) -> KernelMetadata:
    """The same metadata, owned by `owner`, whose kernels its needs are."""
    data = {**metadata.data, "id": f"{owner}/{metadata.slug}"}
    for key, slugs in (("kernel_sources", metadata.needs), ("dataset_sources", metadata.own)):
        if slugs:
            others = [name for name in data.get(key, ()) if _slug_of(name) not in slugs]
            data[key] = [*others, *(f"{owner}/{slug}" for slug in slugs)]
    problems = _broken_rules(data, for_kaggle=metadata.for_kaggle)
    if problems:
        raise MetadataError("; ".join(problems))
    return replace(metadata, text=_written(data), data=data)


def _slug_of(source: str) -> str:
    """That of slug, owner/slug or owner/slug/version."""
    return source.split("/")[:2][-1]


def _written(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def check_collisions(experiment: Experiment, titles: Mapping[str, str]) -> None:
    """Raises MetadataError if another experiment's kernel would have the same address (`a_b` and `a-b`).

    `titles` has every experiment's title setting.
    """
    slug = kernel_slug(experiment.kernel.title, experiment.name)
    for name, title in titles.items():
        if name != experiment.name and kernel_slug(title, name) == slug:
            raise MetadataError(
                f'the experiments "{experiment.name}" and "{name}" would be one kernel: both have the slug {slug}',
                hint="Rename one of them, so that they differ in more than punctuation and capitals.",
            )


def check_source_size(size: int) -> None:
    """Raises MetadataError if a kernel's source of `size` bytes is more than Kaggle takes."""
    if size > SOURCE_MAX:
        raise MetadataError(f"the kernel's source has {size:,} bytes; Kaggle takes at most {SOURCE_MAX:,}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _broken_rules(data: Any, *, for_kaggle: bool) -> list[str]:
    """The problems of a metadata file's content; the template may be the project's own."""
    if not isinstance(data, dict):
        return ["it must be a JSON object"]
    problems: list[str] = []
    owner, slash, slug = str(data.get("id", "")).partition("/")
    title = data.get("title")
    if not slash or not _OWNER.fullmatch(owner) or not _SLUG.fullmatch(slug):
        problems.append(f'id "{data.get("id")}" must be owner/slug')
    if not isinstance(title, str) or not (TITLE_MIN <= len(title) <= TITLE_MAX or not for_kaggle):
        length = f", has {len(title)}" if isinstance(title, str) else ""
        problems.append(f'title "{title}" must have {TITLE_MIN} to {TITLE_MAX} characters{length}')
    elif slug != slugify(title):
        problems.append(f'the slug of the title "{title}" is "{slugify(title)}", but the id says "{slug}"')
    number = data.get("id_no", 1)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        problems.append(f"id_no must be the kernel's number on Kaggle, is {json.dumps(number)}; it can be left out")
    problems.extend(f'unknown key "{key}"{did_you_mean(key, _KEYS)}' for key in data if key not in _KEYS)
    if data.get("language") != "python":
        problems.append(f'language must be "python", is "{data.get("language")}"')
    code_file = CODE_FILES.get(str(data.get("kernel_type")))
    if code_file is None:
        problems.append(f'kernel_type must be "script" or "notebook", is "{data.get("kernel_type")}"')
    elif data.get("code_file") != code_file:
        problems.append(f'code_file must be "{code_file}", is "{data.get("code_file")}"')
    for key in ("is_private", "enable_internet"):
        if not isinstance(data.get(key), bool):
            problems.append(f"{key} must be there and be true or false, is {json.dumps(data.get(key))}")
    for key in ("enable_gpu", "enable_tpu"):
        if not isinstance(data.get(key, False), bool):
            problems.append(f"{key} must be true or false, is {json.dumps(data[key])}")
    problems.extend(_machine_problems(data.get("machine_shape"), for_kaggle=for_kaggle))
    for key, (form, description) in _SOURCE_FORMS.items():
        sources = data.get(key, [])
        if not isinstance(sources, list):
            problems.append(f"{key} must be a list")
            continue
        problems.extend(_source_problems(key, sources, form, description))
    return problems


def _attached_twice(data: Mapping[str, Any], needs: Sequence[str]) -> list[str]:
    """The sources that could not be told from a need, which the kernel finds by its slug."""
    others = [(key, name) for key in _FOUND_BY_SLUG for name in data.get(key, ())]
    return [
        f'{key}: "{name}" has the slug of a need, which coord attaches: leave it out'
        for key, name in others
        if _slug_of(normal_name(name)) in needs
    ]


def _not_attached(data: Mapping[str, Any], config: Mapping[str, Any], attached: Sequence[str]) -> list[str]:
    """The config's sources that are not attached: the kernel would fail, after it has waited for its machine.

    A path (`.`, `/kaggle/...`) is no source: it is in the session.
    """
    sources = set[str]()
    for key in _SOURCE_FORMS:
        named = [normal_name(str(source)) for source in data.get(key, [])]
        sources |= {*named, *(without_version(key, source) for source in named)}
    values = dict(leaves(config))
    problems = []
    for path in attached:
        if path not in values:
            problems.append(f'[tool.coord] attached names "{path}", which the config does not have')
        elif _names_a_source(values[path]) and normal_name(str(values[path])) not in sources:
            problems.append(
                f'config {path} is "{values[path]}", which is not attached: add it to {"/".join(_SOURCE_FORMS)}'
            )
    return problems


def _names_a_source(value: Any) -> bool:
    # The folder of a need is known in the session only.
    return bool(value) and not str(value).startswith((".", "/", "${need"))


def _source_problems(key: str, sources: list[Any], form: re.Pattern[str], description: str) -> list[str]:
    problems = []
    for source in sources:
        prefix = next((prefix for prefix in SOURCE_PREFIXES if str(source).startswith(prefix)), "")
        bare = normal_source(key, str(source).removeprefix(prefix)) if prefix else str(source)
        if prefix and form.fullmatch(bare):
            problems.append(f'{key}: write "{bare}", without "{prefix}"')
        elif key == "kernel_sources" and (versioned := re.fullmatch(rf"({_PART}/{_PART})/v?\d+", str(source))):
            newest = "Kaggle always attaches a kernel's newest complete version"
            problems.append(f'{key}: write "{versioned[1]}", without the version of "{source}": {newest}')
        elif not isinstance(source, str) or not form.fullmatch(source):
            problems.append(f'{key}: "{source}" is not of the form {description}')
    named = sorted(without_version(key, normal_name(source)) for source in sources if isinstance(source, str))
    problems.extend(f'{key}: "{one}" is named twice' for one, next_ in pairwise(named) if one == next_)
    return problems


def _machine_problems(name: Any, *, for_kaggle: bool) -> list[str]:
    if name is not None and not isinstance(name, str):
        return [f"machine_shape must be a machine's name, or null for a CPU, is {json.dumps(name)}"]
    shape = MACHINE_SHAPES.get(name or "")
    if for_kaggle and shape is not None and shape.runs_as:
        return [f'machine_shape "{name}" is retired: Kaggle would run it on {shape.runs_as}; ask for what you mean']
    return []


def _machine_warnings(name: str | None) -> tuple[str, ...]:
    if name is None or name in MACHINE_SHAPES:
        return ()
    current = [known for known, entry in MACHINE_SHAPES.items() if not entry.runs_as]
    near = did_you_mean(name, current)
    known = f"coord knows {', '.join(current)}"
    return (
        f'machine_shape "{name}" is not known{near}: it is sent as it is, and taken for a '
        f"{kind_of_shape(name).upper()}; {known}",
    )


def _error(experiment: str, problems: list[str]) -> MetadataError:
    lines = "\n".join(f"  {problem}" for problem in problems)
    return MetadataError(f'the kernel of "{experiment}" cannot be pushed as it is:\n{lines}')
