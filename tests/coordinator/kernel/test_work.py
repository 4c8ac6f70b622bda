"""The digest of what a kernel does: what changes it, and what does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from coordinator.kernel.build import assemble
from coordinator.kernel.work import Source, digest_of_work, work_to_do
from coordinator.project.experiment import resolve
from coordinator.project.project import Project

FILES = {"pack/train.py": "00", "pack/net.py": "11"}
CONFIG: dict[str, Any] = {"seed": 1, "optim": {"lr": 0.1, "betas": [0.9, 0.999]}}
METADATA: dict[str, Any] = {
    **{"id": "ada/base", "id_no": 7, "title": "base", "code_file": "kernel.py", "is_private": True, "keywords": []},
    **{"kernel_type": "script", "enable_gpu": True, "dataset_sources": ["ada/data"], "docker_image": "an-image"},
}
SAME = digest_of_work(FILES, CONFIG, METADATA)


@pytest.mark.parametrize(
    "changed",
    [
        *({"id": "ben/other"}, {"id_no": 8}, {"title": "other"}, {"code_file": "kernel.ipynb"}),
        *({"is_private": False}, {"keywords": ["segmentation"]}),
    ],
    ids=str,
)
def test_a_name_is_no_other_work(changed: dict[str, Any]) -> None:
    """What a kernel is called and who may see it."""
    assert digest_of_work(FILES, CONFIG, METADATA | changed) == SAME


@pytest.mark.parametrize(
    "changed",
    [{"kernel_type": "notebook"}, {"enable_gpu": False}, {"dataset_sources": []}, {"docker_image": ""}],
    ids=str,
)
def test_the_surroundings_are_part_of_the_work(changed: dict[str, Any]) -> None:
    """The machine, the data and the image."""
    assert digest_of_work(FILES, CONFIG, METADATA | changed) != SAME


def test_files_and_config_are_the_work() -> None:
    """Each path, each content and each value counts; the order in which they are given does not."""
    backwards = dict(reversed(FILES.items())), dict(reversed(CONFIG.items())), dict(reversed(METADATA.items()))
    assert digest_of_work(*backwards) == SAME
    others = [
        ({**FILES, "pack/net.py": "22"}, CONFIG),
        ({"pack/train.py": "00", "pack/model.py": "11"}, CONFIG),
        ({"pack/train.py": "00"}, CONFIG),
        (FILES, {**CONFIG, "seed": 2}),
        (FILES, {**CONFIG, "optim": {"lr": 0.1, "betas": [0.999, 0.9]}}),
    ]
    reads = [Source("ada/one", 1), Source("ada/two", 2)]
    assert digest_of_work(FILES, CONFIG, METADATA, reads) == digest_of_work(FILES, CONFIG, METADATA, reads[::-1])
    found = {digest_of_work(files, config, METADATA) for files, config in others}
    assert len({SAME, *found}) == len(others) + 1


def test_a_build_does_the_same_under_another_name(tiny: Project) -> None:
    """Two experiments that differ in their name only; one value of the config more makes a difference."""
    built = assemble(tiny, resolve(tiny, "base"))
    renamed = assemble(tiny, dataclasses.replace(resolve(tiny, "base"), name="other"))
    assert renamed.script.digest != built.script.digest
    assert work_to_do(renamed) == work_to_do(built)
    assert work_to_do(assemble(tiny, resolve(tiny, "base", ["train.epochs=9"]))) != work_to_do(built)
