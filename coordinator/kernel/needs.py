"""The kernels that an experiment's needs stand for, and its uses of them: `${needs.NAME}` in a value or an argument."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from coordinator.bundle import SourceFile
from coordinator.errors import BundleError, ExperimentError, did_you_mean
from coordinator.kernel.metadata import kernel_slug
from coordinator.project import Experiment, Need, base_in, leaves

_USE = re.compile(r"\$\{(?:needs\.([^}]*)|need)\}")


def needed_slugs(needs: Iterable[Need], titles: Mapping[str, str]) -> dict[str, str]:
    """Name -> slug of each need's kernel; `titles` has every experiment's title setting.

    Raises ExperimentError for a need whose file cannot be read.
    """
    found = {}
    for need in needs:
        # A sweep's experiment has no file of its own: its title is that of its base.
        title = titles.get(need.experiment) or titles.get(base_in(need.experiment))
        if title is None:
            raise ExperimentError(
                f"{need.experiment}, which is needed, cannot be read",
                hint=f"coord show --exp {need.experiment} says why.",
            )
        found[need.name] = kernel_slug(title, need.experiment)
    return found


def names_a_need(text: str) -> bool:
    """Whether a text has the folder of a need in it: it is no name of a file or a source."""
    return _USE.search(text) is not None


def check_uses(experiment: Experiment) -> None:
    """Raises BundleError for a use of a need that the experiment does not have, with all of them."""
    names = [need.name for need in experiment.needs]
    problems = []
    # Hydra's and OmegaConf's own `${needs.x}` stands for a value of the config.
    is_own = "needs" in experiment.config
    for place, name in _uses(experiment):
        if (name is None and len(names) == 1) or name in names or is_own:
            continue
        if name is None and not names:  # `${need}` of another tool
            continue
        said = "${need}" if name is None else f"${{needs.{name}}}"
        why = f"there are {len(names)} needs: say ${{needs.NAME}}" if name is None else "no need has that name"
        problems.append(f"  {place} has {said}, and {why}{did_you_mean(name, names) if name else ''}")
    if problems:
        listed = ", ".join(f"{need.name}: {need}" for need in experiment.needs)
        raise BundleError(
            f'"{experiment.name}" uses needs that it does not have:\n' + "\n".join(problems),
            hint=f"Its needs are {listed}." if listed else "Name them in its file: needs: {NAME: EXPERIMENT}",
        )


def unused(experiment: Experiment, slugs: Mapping[str, str], files: Sequence[SourceFile]) -> Iterator[str]:
    """A warning for each need that nothing seems to read: no value, no argument and no file."""
    used = {name for _, name in _uses(experiment)}
    everything = b"COORD_NEED" in (data := b"\n".join(file.data for file in files)) or None in used
    for need in experiment.needs:
        if not (everything or need.name in used or slugs[need.name].encode() in data):
            yield (
                f"nothing reads the need {need.name}: say ${{needs.{need.name}}} in a value of the config or in args, "
                f"or read the variable {need.variable}"
            )


def _uses(experiment: Experiment) -> Iterator[tuple[str, str | None]]:
    """(place, name) of every use in the config and the arguments; the name is None for `${need}`."""
    places = [
        *((f"the value {path}", text) for path, value in leaves(experiment.config) for text in _texts(value)),
        *((f"the argument {text}", text) for text in experiment.launch.args),
    ]
    for place, text in places:
        yield from ((place, found[1]) for found in _USE.finditer(text))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
