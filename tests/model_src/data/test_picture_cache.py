"""The cache of decoded images: found by content, checked, limited in size."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from model_src.data.picture_cache import HEAD, DecodedImage, PictureCache, picture_key
from model_src.data.pictures import Pictures, decode, find_dicoms, read_pictures
from runner_test.samples import SampleData, write_sample_data
from tests.model_src.session_root import PROJECT

GIB = 2**30
ENTRY = HEAD + 64**2


def read(
    source: Path, folder: Path, *, limit: int = GIB, size: int = 64, part: str = "dicom-images-train"
) -> tuple[Pictures, PictureCache]:
    """A part of a data set, read through a new cache object on the folder, as in another run."""
    cache = PictureCache(folder, limit=limit)
    files = find_dicoms(source / part).items()
    return read_pictures(files, cache=cache, image_size=size, unreadable="stop", threads=2), cache


def check(pictures: Pictures) -> None:
    """The pixels are those of the files."""
    for index, path in enumerate(pictures.files):
        assert np.array_equal(pictures.pixels(index), decode(path, pictures.size).pixels)


def test_second_run_decodes_nothing(sample_data: Path, tmp_path: Path) -> None:
    """The same pixels, sizes and patients, wherever the source is mounted; another size is another entry."""
    first, _ = read(sample_data, tmp_path / "cache")
    assert first.counts == {"decoded": 16}
    check(first)
    moved = tmp_path / "moved"
    shutil.copytree(sample_data, moved)
    second, cache = read(moved, tmp_path / "cache")
    assert (second.counts, cache.refused) == ({"kept_before": 16}, 0)
    assert (second.shapes, second.patients, second.kept) == (first.shapes, first.patients, first.kept)
    assert len(set(second.patients)) == 16
    check(second)
    assert read(sample_data, tmp_path / "cache", size=32)[0].counts == {"decoded": 16}


def test_changed_source_is_another_picture(sample_data: Path, tmp_path: Path) -> None:
    """A file whose content changes under its old name, size and time is decoded anew."""
    source = tmp_path / "source"
    shutil.copytree(sample_data, source)
    read(source, tmp_path / "cache")
    one, other = list(find_dicoms(source / "dicom-images-train").values())[:2]
    times = one.stat()
    one.write_bytes(other.read_bytes())
    os.utime(one, ns=(times.st_atime_ns, times.st_mtime_ns))
    again, _ = read(source, tmp_path / "cache")
    # The same content as another file's: one entry serves both.
    assert again.counts == {"kept_before": 16}
    assert again.kept[0] == again.kept[1]
    check(again)


@pytest.mark.parametrize("damage", ["torn", "changed", "longer", "empty", "swapped head"])
def test_bad_entry_is_refused_and_rebuilt(sample_data: Path, tmp_path: Path, damage: str) -> None:
    """A damaged entry is counted, removed and decoded again; the next run finds no damaged one."""
    first, _ = read(sample_data, tmp_path / "cache")
    entry = first.kept[3]
    assert entry is not None
    content = bytearray(entry.read_bytes())
    if damage == "changed":
        content[HEAD + 100] ^= 1
    elif damage == "swapped head":
        content[50] ^= 1
    entry.write_bytes({"torn": content[:-1], "longer": content + b"x", "empty": bytearray()}.get(damage, content))
    second, cache = read(sample_data, tmp_path / "cache")
    assert (second.counts, cache.refused) == ({"kept_before": 15, "decoded": 1}, 1)
    check(second)
    third, cache = read(sample_data, tmp_path / "cache")
    assert (third.counts, cache.refused) == ({"kept_before": 16}, 0)


def test_folder_stays_within_its_limit(sample_data: Path, tmp_path: Path) -> None:
    """The least recently used entries are removed first, never those of the run itself."""
    folder = tmp_path / "cache"
    test, _ = read(sample_data, folder, part="dicom-images-test")
    old = [path for path in test.kept if path]
    for number, path in enumerate(old):
        os.utime(path, (1_000_000 - number, 1_000_000 - number))
    train, _ = read(sample_data, folder, limit=17 * ENTRY)
    assert train.counts == {"decoded": 16}
    assert [path.exists() for path in old] == [True, False, False]
    assert len(list(folder.iterdir())) == 17
    check(test)


def test_no_room_at_all(sample_data: Path, tmp_path: Path) -> None:
    """Images that do not fit are decoded each time, with the same pixels; the first images are cached."""
    pictures, _ = read(sample_data, tmp_path / "cache", limit=5 * ENTRY + 1)
    assert pictures.counts == {"decoded": 5, "not_kept": 11}
    assert [path is not None for path in pictures.kept] == [True] * 5 + [False] * 11
    check(pictures)
    assert read(sample_data, tmp_path / "none", limit=0)[0].counts == {"not_kept": 16}


def test_picture_that_another_run_pushed_out(sample_data: Path, tmp_path: Path) -> None:
    """A run whose entries were removed decodes the images again instead of failing."""
    pictures, _ = read(sample_data, tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache")
    check(pictures)


def test_killed_run_is_resumed(tmp_path: Path) -> None:
    """A killed process leaves complete entries only; the next one decodes only the rest."""
    source = tmp_path / "source"
    write_sample_data(source, SampleData(images=160, test_images=0, size=128))
    code = (
        "from pathlib import Path; from tests.model_src.data.test_picture_cache import read; "
        f"read(Path({str(source)!r}), Path({str(tmp_path / 'cache')!r}), size=128)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT) as process:
        while len(list((tmp_path / "cache").glob("*.px"))) < 20:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    whole = len(list((tmp_path / "cache").glob("*.px")))
    assert 20 <= whole < 160
    resumed, cache = read(source, tmp_path / "cache", size=128)
    assert (resumed.counts, cache.refused) == ({"kept_before": whole, "decoded": 160 - whole}, 0)
    check(resumed)


def test_runs_side_by_side(sample_data: Path, tmp_path: Path) -> None:
    """Two processes on one folder at the same time both get all images; no temporary file is left."""
    code = (
        "from pathlib import Path; from tests.model_src.data.test_picture_cache import check, read; "
        f"check(read(Path({str(sample_data)!r}), Path({str(tmp_path / 'cache')!r}))[0])"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".px"}
    assert read(sample_data, tmp_path / "cache")[0].counts == {"kept_before": 16}


def test_what_a_killed_run_left_unfinished_is_cleared_away(sample_data: Path, tmp_path: Path) -> None:
    """A temporary file counts towards the limit and is removed like an unused entry."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    unfinished = folder / f"{'0' * 40}.abc.tmp"
    unfinished.write_bytes(b"x" * ENTRY)
    read(sample_data, folder, limit=16 * ENTRY)
    assert not unfinished.exists()


def test_other_files_are_left_alone(sample_data: Path, tmp_path: Path) -> None:
    """In a folder with other files, only those of the cache are counted and removed."""
    folder = tmp_path / "cache"
    (folder / "photographs").mkdir(parents=True)
    (folder / "holiday.px").write_bytes(b"x" * ENTRY)
    (folder / "notes.tmp").write_bytes(b"x" * ENTRY)
    read(sample_data, folder, part="dicom-images-test")
    assert read(sample_data, folder, limit=16 * ENTRY)[0].counts == {"decoded": 16}
    assert len(list(folder.iterdir())) == 16 + 3
    assert (folder / "holiday.px").stat().st_size == ENTRY


def test_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Another user who can write to the folder could change images."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match=r"can be written by others; name another folder as data\.cache_dir"):
        PictureCache(folder, limit=GIB)


def test_entry_of_another_kind_of_picture(tmp_path: Path) -> None:
    """Size, shape and patient are stored; an entry of another size is not returned."""
    cache = PictureCache(tmp_path, limit=GIB)
    pixels = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    key = picture_key(b"content", 64)
    cache.store(key, DecodedImage(pixels, (2022, 1736), "0123456789abcdef"))
    back = cache.load(key, 64)
    assert back is not None
    assert np.array_equal(back.pixels, pixels)
    assert (back.shape, back.patient) == ((2022, 1736), "0123456789abcdef")
    assert cache.load(key, 32) is None
    assert cache.load(key, 64) is None
    assert cache.refused == 1
    assert picture_key(b"content", 32) != key != picture_key(b"other", 64)
