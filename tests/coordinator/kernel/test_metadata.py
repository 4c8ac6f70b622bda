"""kernel-metadata.json: Kaggle's rules as a table of (bad setting, message), and templates of one's own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import MetadataError
from coordinator.kaggle_rules import MACHINE_SHAPES
from coordinator.kernel.metadata import (
    KernelMetadata,
    check_collisions,
    check_source_size,
    kernel_slug,
    render_metadata,
    with_owner,
)
from coordinator.project.experiment import Experiment
from coordinator.project.launch import Launch
from coordinator.project.section import Section
from coordinator.project.settings import KernelSettings
from coordinator.project.shipped import default_template
from tests.coordinator.bundle.programs import write_files

GOOD: dict[str, Any] = {
    "id": "ada/my-try",
    "title": "my try",
    "code_file": "kernel.py",
    "language": "python",
    "kernel_type": "script",
    "is_private": True,
    "enable_internet": False,
}


def _experiment(name: str = "try", **kernel: Any) -> Experiment:
    settings = KernelSettings(**{"title": "my {experiment}", **kernel})
    return Experiment(
        name=name,
        about="",
        bases=(),
        config={"seed": 1},
        kernel=settings,
        recorded=(),
        changes=(),
        launch=Launch("train.py"),
        declared=Section({}),
    )


def _render(experiment: Experiment, owner: str | None = "ada", template: Path | None = None) -> KernelMetadata:
    return render_metadata(template or default_template("kernel-metadata.json.j2"), experiment, owner=owner)


def _error(experiment: Experiment, owner: str | None = "ada", template: Path | None = None) -> str:
    with pytest.raises(MetadataError) as caught:
        _render(experiment, owner, template)
    return caught.value.what


def test_the_defaults_are_private_and_offline() -> None:
    """Nothing is public or has the internet unless it was asked for, and booleans are JSON's."""
    found = _render(_experiment())
    assert json.loads(found.text) == found.data
    assert found.data == {
        **GOOD,
        "enable_gpu": False,
        "enable_tpu": False,
        "keywords": [],
        "dataset_sources": [],
        "competition_sources": [],
        "kernel_sources": [],
        "model_sources": [],
    }
    assert '"is_private": true,' in found.text
    assert (found.slug, found.title) == ("my-try", "my try")


def test_what_is_asked_for_is_there() -> None:
    """Every setting reaches the file under Kaggle's name, text with quotes too."""
    data = _render(
        _experiment(
            title='say "hi" <b>',
            is_private=False,
            enable_internet=True,
            machine_shape="NvidiaTeslaT4",
            dataset_sources=("a/b", "a/c.d"),
            competition_sources=("siim-acr",),
            kernel_sources=("a/k",),
            model_sources=("google/bert/pyTorch/base/2", "google/bert/pyTorch/base"),
            keywords=("gpu",),
            docker_image="gcr.io/x",
            docker_image_pinning_type="original",
        )
    ).data
    assert (data["title"], data["id"]) == ('say "hi" <b>', "ada/say-hi-b")
    assert (data["is_private"], data["enable_internet"], data["enable_gpu"], data["enable_tpu"]) == (
        *(False, True),
        *(True, False),
    )
    assert data["machine_shape"] == "NvidiaTeslaT4"
    assert data["dataset_sources"] == ["a/b", "a/c.d"]
    assert data["model_sources"] == ["google/bert/pyTorch/base/2", "google/bert/pyTorch/base"]
    assert (data["docker_image"], data["docker_image_pinning_type"], data["keywords"]) == (
        *("gcr.io/x", "original"),
        ["gpu"],
    )


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ({"title": "four"}, 'title "four" must have 5 to 50 characters, has 4'),
        ({"title": "x" * 51}, f'title "{"x" * 51}" must have 5 to 50 characters, has 51'),
        ({"title": "?!?!?!"}, 'id "ada/" must be owner/slug'),
        ({"machine_shape": "NvidiaTeslaP100"}, "is retired: Kaggle would run it on NvidiaTeslaT4"),
        ({"machine_shape": "TpuV38"}, "is retired: Kaggle would run it on TpuV5E8"),
        ({"machine_shape": "tpu1 vm v38"}, 'machine_shape "Tpu1VmV38" is retired: Kaggle would run it on TpuV5E8'),
        ({"machine_shape": "TpuV232"}, "is retired: Kaggle would run it on a CPU"),
        ({"dataset_sources": ("datasets/a/b",)}, 'dataset_sources: write "a/b", without "datasets/"'),
        ({"dataset_sources": ("b",)}, 'dataset_sources: "b" is not of the form owner/slug[/version]'),
        ({"dataset_sources": ("a/b/c",)}, '"a/b/c" is not of the form owner/slug[/version]'),
        ({"dataset_sources": ("a/b/0",)}, '"a/b/0" is not of the form owner/slug[/version]'),
        ({"dataset_sources": ("datasets/a/b/versions/3",)}, 'dataset_sources: write "a/b/3", without "datasets/"'),
        ({"dataset_sources": ("a/b/3", "A/b")}, 'dataset_sources: "a/b" is named twice'),
        ({"dataset_sources": ("a/b", "a/b")}, 'dataset_sources: "a/b" is named twice'),
        ({"dataset_sources": ("../b",)}, 'dataset_sources: "../b" is not of the form owner/slug'),
        ({"competition_sources": ("c/siim",)}, 'competition_sources: write "siim", without "c/"'),
        ({"competition_sources": ("competitions/siim",)}, 'write "siim", without "competitions/"'),
        ({"competition_sources": ("https://x/y",)}, '"https://x/y" is not of the form slug'),
        ({"kernel_sources": ("code/a/k",)}, 'kernel_sources: write "a/k", without "code/"'),
        ({"kernel_sources": ("a/k/1",)}, 'kernel_sources: write "a/k", without the version of "a/k/1": Kaggle always'),
        ({"kernel_sources": ("a/k/l",)}, 'kernel_sources: "a/k/l" is not of the form owner/slug'),
        ({"model_sources": ("models/a/b/c/d",)}, 'model_sources: write "a/b/c/d", without "models/"'),
        ({"model_sources": ("a/b",)}, '"a/b" is not of the form owner/model/framework/variation[/version]'),
        ({"model_sources": ("a/b/c/d/latest",)}, '"a/b/c/d/latest" is not of the form'),
    ],
)
def test_bad_settings(kernel: dict[str, Any], message: str) -> None:
    """Every rule that a setting can break, with what is wanted instead."""
    what = _error(_experiment(**kernel))
    assert what.startswith('the kernel of "try" cannot be pushed as it is:\n')
    assert message in what


@pytest.mark.parametrize(
    ("given", "sent", "flags"),
    [
        *(
            (name, name, ("gpu",))
            for name, shape in MACHINE_SHAPES.items()
            if (shape.kind, shape.runs_as) == ("gpu", "")
        ),
        ("TpuV5E8", "TpuV5E8", ("tpu",)),
        (" nvidia tesla T4 ", "NvidiaTeslaT4", ("gpu",)),
        ("tpu v6e8", "TpuV6E8", ("tpu",)),
        ("GPU", "NvidiaTeslaT4", ("gpu",)),
        ("tpu", "TpuV5E8", ("tpu",)),
        *((name, None, ()) for name in ("None", "cpu", "", None)),
        ("NvidiaB200", "NvidiaB200", ("gpu",)),
        ("TpuV7E8", "TpuV7E8", ("tpu",)),
    ],
)
def test_machines_have_one_name(tmp_path: Path, given: str | None, sent: str | None, flags: tuple[str, ...]) -> None:
    """Whatever its capitals and spaces, in the settings and in a template of one's own."""
    write_files(tmp_path, {"mine.j2": json.dumps({**GOOD, "machine_shape": given})})
    by_setting = _render(_experiment(machine_shape=given))
    by_template = _render(_experiment(), template=tmp_path / "mine.j2")
    assert by_setting.data.get("machine_shape") == by_template.data.get("machine_shape") == sent
    assert [kind for kind in ("gpu", "tpu") if by_setting.data[f"enable_{kind}"]] == list(flags)
    assert by_setting.warnings == by_template.warnings == with_owner(by_setting, "ben").warnings
    assert bool(by_setting.warnings) == (sent in ("NvidiaB200", "TpuV7E8"))


def test_an_unknown_machine_is_a_warning() -> None:
    """Kaggle adds machines without notice: the push is not refused, and a slip of the pen is still seen."""
    (told,) = _render(_experiment(machine_shape="NvidiaTeslaT5")).warnings
    assert told.startswith(
        'machine_shape "NvidiaTeslaT5" is not known (did you mean "NvidiaTeslaT4"?): it is sent as it is, and taken '
        "for a GPU; coord knows NvidiaTeslaT4, NvidiaTeslaT4Highmem, "
    )
    assert "P100" not in told


@pytest.mark.parametrize("given", ["Ada/Rows/versions/3", "ada/rows/3"])
def test_a_version_of_a_data_set_has_one_form(tmp_path: Path, given: str) -> None:
    """The official one is sent, from the settings and from a template of one's own."""
    write_files(tmp_path, {"mine.j2": json.dumps({**GOOD, "dataset_sources": [given]})})
    assert _render(_experiment(dataset_sources=(given,))).data["dataset_sources"] == ["ada/rows/3"]
    assert _render(_experiment(), template=tmp_path / "mine.j2").data["dataset_sources"] == ["ada/rows/3"]


def test_a_template_may_name_the_kernels_number(tmp_path: Path) -> None:
    """Whether it is this kernel's is asked before the push."""
    write_files(tmp_path, {"mine.j2": json.dumps({**GOOD, "id_no": 5})})
    assert _render(_experiment(), template=tmp_path / "mine.j2").data["id_no"] == 5


@pytest.mark.parametrize("title", ["x" * 5, "x" * 50])
def test_titles_at_the_limits_are_taken(title: str) -> None:
    """5 and 50 characters are inside."""
    assert _render(_experiment(title=title)).title == title


def test_all_broken_rules_at_once() -> None:
    """Three mistakes are one message of three lines."""
    what = _error(_experiment(title="abc", machine_shape="TpuV38", dataset_sources=("x", "y")))
    assert what.startswith('the kernel of "try" cannot be pushed as it is:\n')
    assert len(what.splitlines()) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "my-try"}, 'id "my-try" must be owner/slug'),
        ({"id": "ada/My-Try"}, 'id "ada/My-Try" must be owner/slug'),
        ({"id": "ada/other"}, 'the slug of the title "my try" is "my-try", but the id says "other"'),
        ({"id_no": "5"}, 'id_no must be the kernel\'s number on Kaggle, is "5"; it can be left out'),
        ({"id_no": True}, "id_no must be the kernel's number on Kaggle, is true"),
        ({"id_no": 0}, "id_no must be the kernel's number on Kaggle, is 0"),
        ({"title": 12345}, 'title "12345" must have 5 to 50 characters'),
        ({"code_file": "main.py"}, 'code_file must be "kernel.py", is "main.py"'),
        ({"language": "r"}, 'language must be "python", is "r"'),
        ({"kernel_type": "poem"}, 'kernel_type must be "script" or "notebook", is "poem"'),
        ({"kernel_type": "notebook"}, 'code_file must be "kernel.ipynb", is "kernel.py"'),
        ({"is_private": "true"}, 'is_private must be there and be true or false, is "true"'),
        ({"is_private": None}, "is_private must be there and be true or false, is null"),
        ({"enable_internet": 0}, "enable_internet must be there and be true or false, is 0"),
        ({"enable_gpu": "false"}, 'enable_gpu must be true or false, is "false"'),
        ({"machine_shape": "NvidiaTeslaP100"}, 'machine_shape "NvidiaTeslaP100" is retired'),
        ({"machine_shape": 4}, "machine_shape must be a machine's name, or null for a CPU, is 4"),
        ({"dataset_sources": "a/b"}, "dataset_sources must be a list"),
        ({"dataset_sources": [{}, {}]}, 'dataset_sources: "{}" is not of the form owner/slug'),
        ({"dataset_source": ["a/b"]}, 'unknown key "dataset_source" (did you mean "dataset_sources"?)'),
    ],
)
def test_templates_of_ones_own_keep_the_rules(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The rendered file is checked, whoever wrote its template and whatever the settings say."""
    write_files(tmp_path, {"mine.j2": json.dumps({**GOOD, **change})})
    assert message in _error(_experiment(), template=tmp_path / "mine.j2")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ ownr }}", "mine.j2: 'ownr' is undefined"),
        ('{"a": "{{ config.optim.lr }}"}', "mine.j2: 'dict object' has no attribute 'optim'"),
        ("{% if %}", "mine.j2: Expected an expression"),
        ("{'id': 1}", "mine.j2 does not render to JSON: Expecting property name"),
        ('{"a": NaN}', "mine.j2 does not render to JSON: NaN is not JSON"),
        ("[]", "it must be a JSON object"),
        ("", "mine.j2 does not render to JSON"),
    ],
)
def test_templates_that_do_not_work(tmp_path: Path, template: str, message: str) -> None:
    """Undefined names, broken syntax and text that is no JSON are told with the template's name."""
    write_files(tmp_path, {"mine.j2": template})
    assert message in _error(_experiment(), template=tmp_path / "mine.j2")


def test_a_template_sees_the_config(tmp_path: Path) -> None:
    """A project may make its title of a value of the config."""
    text = json.dumps({**GOOD, "title": "TITLE"}).replace("my-try", "{{ slug }}-{{ config.seed }}")
    write_files(tmp_path, {"mine.j2": text.replace("TITLE", "{{ title }} {{ config.seed }}")})
    assert _render(_experiment(), template=tmp_path / "mine.j2").data["id"] == "ada/my-try-1"


def test_the_owner_may_come_at_the_push() -> None:
    """A build needs no account; the push puts the owner in, and checks it again."""
    built = _render(_experiment(), owner=None)
    assert built.data["id"] == "OWNER/my-try"
    owned = with_owner(built, "ada-l")
    assert owned.data == {**built.data, "id": "ada-l/my-try"}
    assert json.loads(owned.text) == owned.data
    with pytest.raises(MetadataError, match="must be owner/slug"):
        with_owner(built, "ada l")
    assert 'id "a b/my-try" must be owner/slug' in _error(_experiment(), owner="a b")


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("lr001_step4", "lr001-step4"),
        ("lr=0.001", "lr-0-001"),
        ("Ünïcode  Title!", "unicode-title"),
        ("a--b__c", "a-b-c"),
        ("1,000 trees", "1000-trees"),
    ],
)
def test_slugs_are_kaggles(title: str, slug: str) -> None:
    """python-slugify's rules, which Kaggle's own client applies."""
    assert kernel_slug(title, "x") == slug


def test_collisions_name_both() -> None:
    """Two experiments that differ in punctuation only would push to one kernel; one alone is no collision."""
    titles = {"a_b": "my {experiment}", "a-b": "my {experiment}", "c": "my a b", "d": "my {experiment}"}
    with pytest.raises(MetadataError) as caught:
        check_collisions(_experiment("a_b"), titles)
    assert caught.value.what == 'the experiments "a_b" and "a-b" would be one kernel: both have the slug my-a-b'
    check_collisions(_experiment("d"), titles)


def test_the_size_limit() -> None:
    """1 MiB is taken, one byte more is not."""
    check_source_size(1024 * 1024)
    with pytest.raises(MetadataError, match="has 1,048,577 bytes; Kaggle takes at most 1,048,576"):
        check_source_size(1024 * 1024 + 1)


def test_the_table_of_machines_is_whole() -> None:
    """What a retired machine runs as is a machine that can be asked for, or a CPU."""
    for shape in MACHINE_SHAPES.values():
        assert shape.runs_as in ("", "a CPU") or MACHINE_SHAPES[shape.runs_as].runs_as == ""


def test_data_that_the_config_names_must_be_attached() -> None:
    """A run that would not find its data is refused before it waits for a machine."""
    template = default_template("kernel-metadata.json.j2")

    def problem(source: Any, *, attached: str = "data.source", **kernel: Any) -> str:
        experiment = dataclasses.replace(_experiment(**kernel), config={"data": {"source": source}})
        try:
            render_metadata(template, experiment, owner="ada", attached=[attached])
        except MetadataError as error:
            return error.what
        return ""

    assert problem("ada/pictures", dataset_sources=("ada/pictures",)) == ""
    assert problem("ada/pictures", dataset_sources=("ada/pictures/3",)) == ""
    assert problem("ada/pictures/3", dataset_sources=("ada/pictures/3",)) == ""
    assert "which is not attached" in problem("ada/pictures/3", dataset_sources=("ada/pictures",))
    assert problem("siim-acr", competition_sources=("siim-acr",)) == ""
    assert problem(None) == ""
    assert 'config data.source is "ada/pictures", which is not attached' in problem("ada/pictures")
    assert problem(".") == problem("/kaggle/working") == ""
    assert 'attached names "data.sauce", which the config does not have' in problem("x", attached="data.sauce")
