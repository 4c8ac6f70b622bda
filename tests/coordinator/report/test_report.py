"""`coord report`: what the page holds, that text stays text, and how it behaves in a real browser."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.comparison.candidates import all_candidates
from coordinator.errors import RunNotFound, UsageError
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.remarks import note, tag
from coordinator.ledger.submissions import Submission, add as add_submission
from coordinator.progress import Count
from coordinator.project.project import Project
from coordinator.report import make, material
from coordinator.report.boards import BaselineChoice, Board, boards
from coordinator.report.choice import hidden, parts_of
from coordinator.report.make import ONE_BY_ONE, Contents, Made, make_report
from coordinator.report.material import About, directory_of, gather
from coordinator.results.summary import Summary
from coordinator.target.competitions import SubmissionState
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.browser import CHROMIUM, Page, browser
from tests.coordinator.command import Coord
from tests.coordinator.finished_runs import finished
from tests.coordinator.sample_runs import BARE

EVIL = "<script>document.title = 'taken'; fetch('http://example.invalid/')</script>\"'"
# A PNG of one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def _summary(values: list[float], mode: str = "max", name: str = "cv/dice") -> dict[str, Any]:
    mean = sum(values) / len(values)
    folds = [{"fold": fold, "value": value, "n": 4} for fold, value in enumerate(values)]
    return {
        "primary": {"name": name, "mode": mode, "value": mean},
        "metrics": [{"name": name, "mode": mode, "folds": folds, "mean": mean, "sd": 0.01, "n": 8}],
        "baselines": [{"name": "all-empty", "metric": name, "value": 0.5}],
        "oracle": {
            "metric": name,
            "baseline": mean,
            "alone": [{"name": "mask", "value": 0.99, "gain": 0.05}],
            "ladder": [{"name": "+mask", "value": 1.0}],
            "split": {"false_positive": {"loss": 0.125, "images": 3}},
        },
        "versions": {"python": "3.11.7"},
        "devices": ["Tesla T4"],
        "digest": "sha256:0",
    }


def _run(number: int, values: list[float], **changes: Any) -> Run:
    run = dataclasses.replace(
        BARE,
        id=f"run{number}aaaaaaaa",
        experiment=f"exp{number}",
        version=1,
        state=RunState.COMPLETE,
        created_at=f"2026-11-01T00:00:{number:02}+00:00",
        pushed_at="2026-11-01T00:00:00+00:00",
        config={"seed": 0, "optim": {"lr": number / 10}},
        summary=Summary.parse(_summary(values)) if values else None,
    )
    return dataclasses.replace(run, **changes)


def _results(project: Project, run: Run, directory: Path | None = None, *, text: str = "all is well") -> Path:
    directory = directory or project.results(run.experiment, run.target, run.version or 0)
    (directory / "worst").mkdir(parents=True)
    (directory / "run.json").write_text(json.dumps({"id": run.id}))
    events = [
        {"event": "epoch", "fold": fold, "epoch": epoch, "metrics": {"train/loss": 1 / epoch, "val/dice": epoch / 10}}
        for fold in range(2)
        for epoch in range(1, 4)
    ]
    lines = [json.dumps(event) for event in [*events, {"event": "message", "text": text}]]
    (directory / "metrics.jsonl").write_text("\n".join([*lines, '{"event": "epo']))
    (directory / "oof.csv").write_text(f"ImageId,fold,dice,EncodedPixels\nscan-1,0,0.25,{'1 2 ' * 9}\n")
    for name in ("01-scan-1", "02-scan-2", "03-scan-3"):
        (directory / "worst" / f"{name}.png").write_bytes(PNG)
    return directory


@pytest.fixture
def project(tiny: Project) -> Project:
    """Two runs with results, one of them with hostile text, and one that failed."""
    runs = [
        _run(1, [0.7, 0.8]),
        _run(2, [0.8, 0.9], experiment="evil"),
        _run(3, [], state=RunState.ERROR, message=EVIL),
    ]
    with Ledger(tiny.ledger) as ledger:
        for run in runs:
            ledger.add(run)
    _results(tiny, runs[0])
    _results(tiny, runs[1], text=EVIL)
    return tiny


def _made(project: Project, runs: list[Run], **options: Any) -> Made:
    with Ledger(project.ledger) as ledger:
        for run in runs:
            ledger.add(run)
        return make_report(Workspace(project, ledger), Contents(**options))


def _page(project: Project, runs: list[Run], **options: Any) -> str:
    return _made(project, runs, **options).text


def _boards(project: Project, baseline: str = "") -> list[Board]:
    with Ledger(project.ledger) as ledger:
        runs, found = ledger.runs(), all_candidates(Workspace(project, ledger))
        found = [each for each in found if each.runs]
        wanted = [run.id for run in runs if run.experiment == baseline]
        return boards(
            project,
            found,
            found,
            hidden=hidden(runs, parts_of(runs)),
            baseline=BaselineChoice(runs=wanted),
            count=Count(""),
        )


@pytest.mark.parametrize(("mode", "first"), [("max", "exp2"), ("min", "exp1")])
def test_the_best_in_its_direction_is_first(tiny: Project, mode: str, first: str) -> None:
    """Nothing assumes that bigger is better; another metric has a leaderboard of its own, and no result none."""
    runs = [_run(n, [], summary=Summary.parse(_summary([n / 10, n / 10], mode))) for n in (1, 2)]
    other = _run(3, [], summary=Summary.parse(_summary([0.5, 0.5], mode, "cv/auc")))
    _made(tiny, [*runs, other, _run(4, [])])
    found = {board.metric: board for board in _boards(tiny)}
    assert found.keys() == {"cv/dice", "cv/auc"}
    assert found["cv/dice"].entries[0].name == first
    assert "<strong>exp3</strong> has cv/auc" in _page(tiny, [])


def _sweep(project: Project) -> None:
    """Three configs by three seeds: b as good as a, c worse; a fourth was measured on one fold."""
    luck = [-0.004, 0.0, 0.004]
    for at, (name, value) in enumerate({"a": 0.8, "b": 0.801, "c": 0.7}.items()):
        for seed, off in enumerate(luck):
            values = [value + off + (image % 5) / 50 for image in range(20)]
            sets = [f"optim.lr={(at + 1) / 10}"]
            finished(project, f"base--{name}-s{seed}", 1, values, seed=seed, sets=sets)
    finished(project, "part", 1, [0.99] * 10, folds=[0] * 10, sets=["optim.lr=0.9"])


def test_a_line_is_a_config_with_its_verdict(tiny: Project) -> None:
    """Means over seeds as `coord best` has them; judged as `coord compare` does; other images are on another board."""
    _sweep(tiny)
    every, single = _boards(tiny)
    assert [(entry.name, len(entry.side.values), entry.words) for entry in every.entries] == [
        ("base--b", 3, ""),
        ("base--a", 3, "within the noise"),
        ("base--c", 3, "worse"),
    ]
    assert every.entries[1].difference == pytest.approx(-0.001)
    assert (every.images, [entry.name for entry in single.entries]) == (20, ["part"])
    coord = Coord(tiny.root, {})
    answer = json.loads(coord.here("compare", "base--b", "base--c", "--json").output)
    said = answer["comparisons"][0]["verdict"]["text"]
    with Ledger(tiny.ledger) as ledger:
        made = make_report(
            Workspace(tiny, ledger),
            Contents(
                names=(
                    "base--b",
                    "base--c",
                )
            ),
        )
    assert said in made.text
    assert (made.configs, len(made.runs)) == (2, 6)


def test_repeats_that_were_recorded_are_one_line(tiny: Project) -> None:
    """What a diary has of one config is its mean and spread, and its values; no run is needed for a page."""
    with (tiny.experiments / "slow.yaml").open("a", encoding="utf-8") as file:
        file.write("recorded:\n")
        for value in (0.435, 0.439):
            file.write(f"  - {{metric: val/loss, value: {value}, mode: min, note: run}}\n")
    text = _page(tiny, [])
    assert ">0.4370</td>" in text
    assert "0.4350, 0.4390; run; run" in text


def test_single_runs_are_compared_on_their_images(tiny: Project) -> None:
    """Without any repeats nothing tells how large the noise is: what the images say is said, and no more."""
    for at, name in enumerate(("a", "b")):
        finished(tiny, name, 1, [at / 10 + image / 20 for image in range(10)], sets=[f"optim.lr={(at + 1) / 10}"])
    (board,) = _boards(tiny)
    assert [entry.words for entry in board.entries] == ["", "not known"]
    verdict = board.entries[1].verdict
    assert verdict is not None
    assert verdict.text.startswith("these two runs differ on these images (by 0.1")


def test_a_chosen_baseline(tiny: Project) -> None:
    """Every config is compared with it; it is on the page whatever else is; a name without a line is refused."""
    _sweep(tiny)
    every, _ = _boards(tiny, baseline="base--c-s0")
    assert [entry.words for entry in every.entries] == ["better", "better", ""]
    finished(tiny, "elsewhere", 1, [0.5, 0.5], target="kaggle")
    with Ledger(tiny.ledger) as ledger:
        made = make_report(Workspace(tiny, ledger), Contents(names=("base--a-s*",), baseline="base--c"))
        assert made.configs == 2
        assert "Each config is compared with base--c." in made.text
        with pytest.raises(RunNotFound, match="base--x"):
            make_report(Workspace(tiny, ledger), Contents(baseline="base--x"))
        with pytest.raises(UsageError, match="has no line"):
            make_report(Workspace(tiny, ledger), Contents(target="kaggle", baseline="base--c"))


def test_parts_have_no_line_of_their_own(tiny: Project) -> None:
    """A chain and a merged run are one line each, and say what they are made of."""
    first, second = _run(1, [0.7, 0.8]), _run(2, [0.8, 0.9], experiment="exp1", version=2, continues="run1aaaaaaaa")
    folds = [_run(3 + fold, [0.5], experiment=f"whole-f{fold}") for fold in (0, 1)]
    summary = Summary.parse(_summary([0.5, 0.5]) | {"merged": [fold.label for fold in folds]})
    whole = _run(
        5,
        [],
        experiment="whole",
        version=0,
        summary=summary,
        message="merged from 2 runs, one a fold",
    )
    _results(tiny, folds[0])
    text = _page(tiny, [first, second, *folds, whole], every=True)
    assert {entry.name for board in _boards(tiny) for entry in board.entries} == {"exp1", "whole"}
    assert "continues local-v1" in text
    assert "merged from 2 folds" in text
    assert "Without a line" not in text
    assert "whole-f0" not in text[text.index('id="configs"') : text.index('id="runs"')]
    with Ledger(tiny.ledger) as ledger:
        (item,) = gather(tiny, [whole], About(parts=parts_of(ledger.runs())), pictures=0)
    assert item.curves["val/dice"]["fold 0"], "its curves are those of its folds"
    assert item.warnings == ("Its results are not here: coord fetch-results --exp whole",)


def test_merged_folds_have_no_line_beside_a_newer_run_of_all(tiny: Project) -> None:
    """They are what an earlier run of the experiment was made of; asked for by name, they have one."""
    folds = [_run(1 + fold, [0.5], experiment=f"whole-f{fold}") for fold in (0, 1)]
    summary = Summary.parse(_summary([0.5, 0.5]) | {"merged": [fold.label for fold in folds]})
    whole = _run(
        3,
        [],
        experiment="whole",
        version=0,
        summary=summary,
        message="merged from 2 runs, one a fold",
    )
    text = _page(tiny, [*folds, whole, _run(4, [0.6, 0.7], experiment="whole", version=1)])
    assert "whole-f0" not in text
    with Ledger(tiny.ledger) as ledger:
        assert "whole-f0" in make_report(Workspace(tiny, ledger), Contents(names=("whole-f*",))).text


def test_results_of_another_run_are_not_shown_as_this_ones(tiny: Project) -> None:
    """A version that was counted anew: the folder's run.json decides, and results that moved aside are found."""
    run, other = _run(1, [0.5, 0.5]), _run(2, [0.5, 0.5])
    there = _results(tiny, other, tiny.results(run.experiment, run.target, 1))
    assert directory_of(tiny, run) is None
    aside = _results(tiny, run, there.with_name(f"{there.name}-{run.id[:8]}"))
    assert directory_of(tiny, run) == aside


def test_what_a_run_left_behind_is_read(tiny: Project) -> None:
    """Curves by fold in spite of a broken last line; as many pictures as asked for; no mask in run lengths."""
    run = _run(1, [0.7, 0.8])
    directory = _results(tiny, run)
    (directory / "worst" / "01-scan-1.png").write_bytes(PNG)
    (directory / "worst" / "02-scan-2.png").write_bytes(b"<svg onload=alert(1)>")
    (item,) = gather(tiny, [run], About(), pictures=1)
    assert item.curves["val/dice"] == {
        "fold 0": [(1, 0.1), (2, 0.2), (3, 0.3)],
        "fold 1": [(1, 0.1), (2, 0.2), (3, 0.3)],
    }
    assert [(picture.image, picture.facts) for picture in item.pictures] == [
        ("scan-1", (("fold", "0"), ("dice", "0.25")))
    ]
    assert item.pictures_left_out == 2
    (item,) = gather(tiny, [run], About(), pictures=9)
    assert [picture.image for picture in item.pictures] == ["scan-1", "scan-3"], "what is no PNG stays out"


def test_a_chain_has_one_curve(tiny: Project) -> None:
    """A run that went on from another begins where that began; an epoch that both have is the later run's."""
    first, second = _run(1, [0.7, 0.8]), _run(2, [0.8, 0.9])
    _results(tiny, first)
    event = {"event": "epoch", "fold": 0, "metrics": {"val/dice": 0.9}}
    lines = [json.dumps(event | {"epoch": epoch}) for epoch in (3, 4)]
    (_results(tiny, second) / "metrics.jsonl").write_text("\n".join(lines))
    (item,) = gather(tiny, [second], About(parts={second.id: [first]}), pictures=0)
    assert item.curves["val/dice"]["fold 0"] == [(1, 0.1), (2, 0.2), (3, 0.9), (4, 0.9)]


def test_a_page_of_many_runs_stays_small(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures of the first runs are shown, and of the others it is said how many there are."""
    monkeypatch.setattr(material, "_PAGE_PICTURES", 3)
    runs = [_run(n, [0.7, 0.8]) for n in (1, 2, 3)]
    for run in runs:
        _results(tiny, run)
    items = gather(tiny, runs, About(), pictures=2)
    assert [(len(item.pictures), item.pictures_left_out) for item in items] == [(2, 1), (1, 2), (0, 3)]
    assert "3 more in the results folder" in _page(tiny, runs, pictures=2)


def test_a_page_of_many_configs_is_bounded(tiny: Project) -> None:
    """The best and the newest have lines, the others a row of a table; the runs that are not shown are counted."""
    runs = [
        _run(n, [n / 200, n / 200], id=f"{n:016}", created_at=f"2026-11-01T00:{n // 60:02}:{n % 60:02}+00:00")
        for n in range(1, 131)
    ]
    # The oldest are the best: by rank, 1 is the oldest and 130 the newest.
    runs = [
        dataclasses.replace(run, created_at=other.created_at) for run, other in zip(runs, reversed(runs), strict=True)
    ]
    made = _made(tiny, runs)
    board = made.text[made.text.index('class="sortable board"') : made.text.index("more configs: neither")]
    shown = [int(rank) for rank in re.findall(r'<tr><td class="number" data-value="(\d+)">', board)]
    assert shown == [*range(1, 31), *range(121, 131)]
    assert "90 more configs: neither among the best nor among the newest" in made.text
    assert made.text.count('<th scope="row">exp50</th>') == 1
    assert len(made.runs) == 40 == made.text.count('<details id="run-')
    assert "40 of 130 runs are shown one by one" in made.text
    assert any("40 of 130 runs are shown one by one" in text for text in made.warnings)
    assert "129 comparisons with one config" in made.text
    assert set(re.findall(r'href="#(run-\d+)"', made.text)) <= set(re.findall(r'id="(run-\d+)"', made.text))


def test_a_page_of_many_repeats_is_bounded(tiny: Project) -> None:
    """Of one config with many runs the mean counts all; the newest are shown, and so many dots as can be told apart."""
    runs = [
        _run(
            n,
            [0.5 + n / 1000] * 2,
            id=f"{n:016}",
            experiment="one",
            version=n,
            created_at=f"2026-11-01T00:{n // 60:02}:{n % 60:02}+00:00",
            config={"seed": n},
        )
        for n in range(1, 121)
    ]
    text = _page(tiny, runs)
    assert "(sd 0.0348, 120 values)" in text
    assert text.count('<details id="run-') == ONE_BY_ONE == 80
    assert "40 more runs of it count in the mean" in text
    assert "of many folds some are drawn" in text
    assert ">one local-v41<" in text
    assert ">one local-v40<" not in text
    strip = text[text.index('<svg class="strip"') :]
    assert strip[: strip.index("</svg>")].count("<circle") == 40


def test_a_page_that_is_still_too_large_shows_fewer_runs(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the runs say of themselves: it stays under the limit, and says how many it shows."""
    runs = [_run(n, [n / 10] * 2, config={"seed": 0, "text": f"{n}" * 50_000}) for n in range(1, 9)]
    whole = _made(tiny, runs)
    monkeypatch.setattr(make, "PAGE_MOST", len(whole.text) * 2 // 3)
    with Ledger(tiny.ledger) as ledger:
        fewer = make_report(Workspace(tiny, ledger), Contents())
    assert (len(whole.runs), len(fewer.runs)) == (8, 4)
    assert len(fewer.text) <= make.PAGE_MOST
    assert "4 of 8 runs are shown one by one" in fewer.text
    assert fewer.configs == whole.configs


def test_large_pictures_do_not_fill_a_page(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """All pictures together have a limit, too; what was left out is counted with its run."""
    monkeypatch.setattr(material, "_PAGE_PICTURE_BYTES", 3 * (4 * len(PNG) // 3 + 30))
    runs = [_run(n, [0.7, 0.8]) for n in (1, 2)]
    for run in runs:
        _results(tiny, run)
    items = gather(tiny, runs, About(), pictures=2)
    assert [(len(item.pictures), item.pictures_left_out) for item in items] == [(2, 1), (1, 2)]


def test_configs_show_where_they_differ_only(tiny: Project) -> None:
    """A column a setting that differs, the seed apart; a path that one run does not have counts as a difference."""
    runs = [_run(1, [0.9]), _run(2, [0.8], config={"seed": 7, "same": 1, "optim": {"lr": 0.2}, "new": [1]})]
    runs[0].config["same"] = 1
    text = _page(tiny, runs)
    table = text[text.index('class="sortable matrix"') :]
    table = table[: table.index("</table>")]
    assert [path in table for path in ("optim.lr", "new", "same", "seed<")] == [True, True, False, False]
    assert '<td class="wide differs">0.2</td>' in table
    assert "<dt>optim.lr</dt><dd>0.1</dd>" in text


def test_a_fold_of_several_seeds_has_a_short_name(tiny: Project) -> None:
    """A sweep names the fold after the seed."""
    for seed in (0, 1):
        finished(tiny, f"base--lr0.1-s{seed}-f2", 1, [0.5, 0.6 + seed / 10], seed=seed)
    assert [entry.name for board in _boards(tiny) for entry in board.entries] == ["base--lr0.1-f2"]


def test_many_settings_are_folded_away(tiny: Project) -> None:
    """A large sweep's table stays readable: eight columns, and the others one key away."""
    runs = [_run(n, [n / 10], config={f"p{at}": n for at in range(11)}) for n in (1, 2)]
    assert "<summary>3 more settings that differ</summary>" in _page(tiny, runs)


def test_what_there_is_stands_in_for_the_metric_by_epoch(tiny: Project) -> None:
    """Without its metric by epoch, the loss is shown, and it is said that the metric is missing."""
    run = _run(1, [0.7, 0.8])
    lines = [json.dumps({"event": "epoch", "epoch": at, "metrics": {"train/loss": 1 / at}}) for at in (1, 2)]
    (_results(tiny, run) / "metrics.jsonl").write_text("\n".join(lines))
    text = _page(tiny, [run])
    assert "No run reports cv/dice by epoch, so this is what there is." in text
    assert "train/loss by epoch: exp1 ends at 0.5" in text


def test_notes_tags_and_scores(tiny: Project) -> None:
    """What people said of a run stands beside it, and what the competition said."""
    run = _run(1, [0.7, 0.8])
    with Ledger(tiny.ledger) as ledger:
        ledger.add(run)
        note(ledger, "exp1", "the one to beat")
        tag(ledger, "exp1", "keep")
        state = SubmissionState.COMPLETE
        sent = Submission("s", run.id, "local", "c", "f", "", False, "d", state, "2026-11-01", public=0.8125)
        add_submission(ledger, sent)
        text = make_report(Workspace(tiny, ledger), Contents()).text
    assert '<span class="tag">keep</span>' in text
    assert "the one to beat" in text
    assert 'data-value="0.8125"' in text
    assert "<li>exp1 local-v1: 0.75, 0.8125</li>" in text


def test_a_digest_that_is_not_the_pushed_one_is_pointed_out(tiny: Project) -> None:
    """Provenance: the kernel computes its own digest."""
    assert "digests differ" in _page(tiny, [_run(1, [0.5, 0.5], digest="sha256:1")])
    assert "digests differ" not in _page(tiny, [_run(2, [0.5, 0.5])], names=["exp2"])


def test_text_of_a_run_is_never_markup(tiny: Project) -> None:
    """In names, messages, config, fold names and metrics: only the page's own script is one."""
    summary = _summary([0.5, 0.6], EVIL, f"cv/{EVIL}")
    summary["metrics"][0]["folds"][0]["fold"] = EVIL
    summary |= {"error": EVIL, "versions": {EVIL: EVIL}, "devices": [EVIL]}
    run = _run(1, [], message=EVIL, config={EVIL: EVIL}, summary=Summary.parse(summary), experiment="evil")
    _results(tiny, run, text=EVIL)
    with Ledger(tiny.ledger) as ledger:
        note(ledger, "evil", EVIL)
        tag(ledger, "evil", "<b>")
    text = _page(tiny, [dataclasses.replace(run, git=EVIL), _run(2, [0.4, 0.4])], title=EVIL)
    assert "<b>" not in text
    assert text.count("<script>") == 1
    assert "&lt;script&gt;" in text
    assert "http://" not in text.replace("http://example.invalid/", "")


def test_the_command(project: Project) -> None:
    """Writes the page and says so; --exp chooses; a name that does not exist is answered with the near one."""
    coord = Coord(project.root, {})
    done = json.loads(coord.here("report", "-o", "all.html", "--json").stdout)
    assert len(done["runs"]) == 3
    text = (project.root / "all.html").read_text()
    assert "evil local-v1" in text
    assert len(text.encode()) == done["bytes"]
    coord.here("report", "--exp", "exp1", "-o", "one.html")
    assert "evil local-v1" not in (project.root / "one.html").read_text()
    assert "slow" in coord.here("report", "--exp", "slwo", code=1).output
    assert "No such file" in coord.here("report", "-o", "nowhere/x.html", code=2).output


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt install chromium")
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def test_in_a_browser(page: Page, project: Project) -> None:
    """Content is there, the keyboard sorts, light and dark change, 400 pixels are wide enough; nothing is asked for."""
    Coord(project.root, {}).here("report", "-o", "report.html")
    page.open(project.root / "report.html")
    first = "document.querySelector('table.sortable tbody th a').innerText"
    assert page.run("document.title") == "Experiments"
    assert page.run(first) == "evil"
    assert page.run("document.querySelectorAll('svg.chart circle').length") > 10
    assert page.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.run("document.images.length") == 6
    assert "<script>document.title" in page.run("document.body.textContent")

    page.press("Tab", 9)
    assert page.run("document.activeElement.className") == "skip"
    page.run("document.querySelectorAll('table.sortable thead button')[2].focus()")
    head = "document.querySelectorAll('table.sortable th')[2].getAttribute('aria-sort')"
    page.press("Enter", 13, "\r")
    assert (page.run(head), page.run(first)) == ("descending", "evil")
    page.press("Enter", 13, "\r")
    assert (page.run(head), page.run(first)) == ("ascending", "exp1")

    # A line opens to its runs by the keyboard, and no other one with it.
    shown = "[...document.querySelectorAll('tr.run')].filter(row => row.offsetParent !== null).length"
    assert page.run(shown) == 0
    page.run("document.querySelector('button.toggle').focus()")
    page.press("Enter", 13, "\r")
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert (page.run(shown), page.run(first)) == (1, "exp1")
    named = "one.getAttribute('aria-label') || one.textContent.trim()"
    parts = "document.querySelectorAll('button, a, svg[role=img]')"
    nameless = f"[...{parts}].filter(one => !({named}))"
    assert page.run(f"{nameless}.length") == 0
    assert page.run("document.querySelectorAll('[tabindex=\"0\"]:not([role=region][aria-label])').length") == 0
    lost = "[...document.querySelectorAll('a')].filter(a => !document.getElementById(a.hash.slice(1))).length"
    assert page.run(lost) == 0, "every link leads somewhere"

    # So do a run's section, and a link to it.
    section = "document.querySelectorAll('#runs ~ details')[1]"
    page.run(f"{section}.querySelector('summary').focus()")
    for is_open in (True, False):
        page.press("Enter", 13, "\r")
        assert page.run(f"{section}.open") is is_open
    page.run(f"document.querySelector(`a[href='#${{{section}.id}}']`).click()")
    assert page.run(f"new Promise(done => setTimeout(() => done({section}.open), 50))", wait=True)

    back = "getComputedStyle(document.body).backgroundColor"
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    # The page is told of the new scheme before its next frame is drawn.
    page.run("new Promise(done => requestAnimationFrame(() => done(true)))", wait=True)
    button = "getComputedStyle(document.getElementById('theme')).backgroundColor"
    dark, pressed = page.run(back), page.run(button)
    page.run("document.getElementById('theme').click()")
    light = page.run(back)
    assert dark != light
    assert page.run(button) == "rgba(0, 0, 0, 0)" != pressed, "the button shows that it is pressed"
    assert page.run("document.getElementById('theme').getAttribute('aria-pressed')") == "false"

    page.run("document.documentElement.dataset.theme = 'dark'")
    page.call("Emulation.setEmulatedMedia", media="print")
    page.call("Emulation.setDeviceMetricsOverride", width=760, height=1000, deviceScaleFactor=1, mobile=False)
    assert page.run("getComputedStyle(document.body).color") == "rgb(28, 32, 36)", "dark on white paper"
    assert page.run("document.documentElement.scrollWidth") <= 760
    page.call("Emulation.setEmulatedMedia", media="")

    page.call("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=False)
    page.run("document.querySelectorAll('details').forEach(item => item.open = true)")
    assert page.run("document.documentElement.scrollWidth") <= 400

    assert page.complaints() == []
    assert page.requests() == []
    # The watch itself works: a page that asks and complains is noticed.
    bad = project.root / "bad.html"
    bad.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('x')</script>")
    page.open(bad)
    assert page.requests()
    assert page.complaints()
