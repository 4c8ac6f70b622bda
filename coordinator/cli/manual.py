"""What `coord --help` says of each command beyond its options: when one uses it, two examples, its page.

In the order of `coord --help`: by stage, and within a stage by use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Stage = Literal["start", "run", "look", "decide", "submit", "keep"]
STAGES: tuple[Stage, ...] = get_args(Stage)
TITLES: dict[Stage, str] = {
    "start": "Start a project, try it here",
    "run": "Run it",
    "look": "Look at runs",
    "decide": "Decide what is better",
    "submit": "Submit",
    "keep": "Keep runs, and keep things in order",
}


@dataclass(frozen=True)
class Manual:
    """About one command."""

    stage: Stage
    examples: tuple[str, str]
    """Two command lines that people use; the first is the plainest."""
    page: str
    """Where docs/ tells more: a file, perhaps with a heading."""


TOPICS = (
    "experiments",
    "names",
    "settings",
    "targets",
    "sweeps",
    "chains",
    "competitions",
    "data",
    "metrics",
    "exit-codes",
    "environment",
)
"""What `coord help TOPIC` explains (see topics.py)."""

MANUAL: dict[str, Manual] = {
    "init": Manual(
        "start",
        ("coord init mine", "coord init . --from train.py --competition titanic"),
        "docs/projects.md",
    ),
    "experiments": Manual("start", ("coord experiments", "coord experiments --json"), "docs/experiments.md"),
    "show": Manual(
        "start", ("coord show base", "coord show base --set optim.lr=0.01"), "docs/projects.md#what-declares-the-config"
    ),
    "dry-run": Manual("start", ("coord dry-run base", "coord dry-run base --set optim.lr=0.01"), "docs/guide.md"),
    "build": Manual("start", ("coord build base", "coord build base --check"), "docs/bundle.md"),
    "targets": Manual("start", ("coord targets", "coord targets --json"), "docs/settings.md"),
    "doctor": Manual("start", ("coord doctor", "coord doctor --target local"), "docs/reliability.md"),
    "bundle": Manual(
        "start",
        ("coord bundle train.py -o kernel.py", "coord bundle train.py -o kernel.py -- --epochs 3"),
        "docs/bundle.md#one-script-of-any-program",
    ),
    "push": Manual("run", ("coord push base", "coord push base --set optim.lr=0.01 --wait"), "docs/guide.md"),
    "sweep": Manual(
        "run",
        ("coord sweep base --grid optim.lr=0.1,0.01", "coord sweep base --seeds 3 --plan"),
        "docs/experiments.md#many-runs",
    ),
    "sweep status": Manual(
        "run", ("coord sweep status", "coord sweep status base--lr"), "docs/experiments.md#many-runs"
    ),
    "sweep resume": Manual(
        "run",
        ("coord sweep resume base--lr", "coord sweep resume base--lr --retry"),
        "docs/experiments.md#many-runs",
    ),
    "sweep merge": Manual(
        "run", ("coord sweep merge base--f5", "coord sweep merge base--f5 --json"), "docs/experiments.md#many-runs"
    ),
    "cancel": Manual("run", ("coord cancel base", "coord cancel base@v3 --yes"), "docs/guide.md"),
    "continue": Manual(
        "run",
        ("coord continue base", "coord continue base --set train.epochs=20"),
        "docs/guide.md#continuing-and-keeping-a-run",
    ),
    "rehearse": Manual(
        "run", ("coord rehearse base", "coord rehearse infer --with-needs"), "docs/competitions.md#a-code-competition"
    ),
    "data": Manual("run", ("coord data push weights ada/weights", "coord data list"), "docs/data.md"),
    "data push": Manual(
        "run",
        ("coord data push weights ada/weights", 'coord data push weights ada/weights -m "epoch 20"'),
        "docs/data.md",
    ),
    "data list": Manual("run", ("coord data list", "coord data list --target local"), "docs/data.md"),
    "data status": Manual(
        "run", ("coord data status ada/weights", "coord data status ada/weights --json"), "docs/data.md"
    ),
    "data fetch": Manual(
        "run",
        ("coord data fetch ada/weights weights", "coord data fetch ada/weights/3 weights-v3"),
        "docs/data.md#fetching",
    ),
    "wheels": Manual("run", ("coord wheels", "coord wheels --upgrade --no-push"), "docs/packages.md#wheels"),
    "status": Manual("look", ("coord status", "coord status base --watch"), "docs/guide.md"),
    "logs": Manual("look", ("coord logs base", "coord logs base@v3 --follow"), "docs/guide.md"),
    "fetch-results": Manual(
        "look", ("coord fetch-results base", "coord fetch-results --all --skip '*.pth'"), "docs/guide.md"
    ),
    "ui": Manual("look", ("coord ui", "coord ui --port 8000"), "docs/ui.md"),
    "runs": Manual(
        "look",
        ("coord runs --sort=-value --limit 5", "coord runs 'base--*' --columns run,value,optim.lr"),
        "docs/experiments.md",
    ),
    "report": Manual(
        "look", ("coord report", "coord report 'base*' -o base.html"), "docs/guide.md#a-page-for-the-team"
    ),
    "compare": Manual(
        "decide",
        ("coord compare base wide", "coord compare base@v3 base@local-v4"),
        "docs/experiments.md#better-or-luck",
    ),
    "best": Manual("decide", ("coord best", "coord best --limit 3"), "docs/experiments.md#better-or-luck"),
    "note": Manual(
        "decide", ('coord note base "overfits after epoch 3"', 'coord note base@v3 "with a bad fold"'), "docs/guide.md"
    ),
    "tag": Manual("decide", ("coord tag base good", "coord tag base@v3 good --remove"), "docs/guide.md"),
    "submit": Manual(
        "submit",
        ("coord submit base --wait", 'coord submit base@v3 -m "five folds"'),
        "docs/experiments.md#submitting",
    ),
    "scores": Manual("submit", ("coord scores", "coord scores base --csv"), "docs/experiments.md#submitting"),
    "promote": Manual(
        "keep",
        ("coord promote base@v3 -o frozen/base", "coord promote --verify frozen/base"),
        "docs/guide.md#continuing-and-keeping-a-run",
    ),
    "export": Manual(
        "keep",
        ("coord export --mlflow sqlite:///runs.db", "coord export base --tensorboard events"),
        "docs/experiments.md#export-to-mlflow-tensorboard-and-wb",
    ),
    "hide": Manual("keep", ("coord hide base@v3", "coord hide base@v3 --undo"), "docs/experiments.md"),
    "rm": Manual("keep", ("coord rm base@v3", "coord rm base@v3 --undo"), "docs/experiments.md"),
    "quota": Manual("keep", ("coord quota", "coord quota --json"), "docs/experiments.md"),
    "ledger": Manual("keep", ("coord ledger check", "coord ledger export -o runs.csv"), "docs/reliability.md"),
    "ledger check": Manual(
        "keep",
        ("coord ledger check --offline", "coord ledger check --repair"),
        "docs/reliability.md#a-ledger-that-is-damaged-or-lost",
    ),
    "ledger export": Manual(
        "keep", ("coord ledger export -o runs.csv", "coord ledger export --json"), "docs/experiments.md"
    ),
    "image": Manual("keep", ("coord image show", "coord image show numpy"), "docs/packages.md"),
    "image show": Manual("keep", ("coord image show", "coord image show numpy"), "docs/packages.md"),
    "image refresh": Manual(
        "keep", ("coord image refresh kernel.log", "coord image refresh probe@v1"), "docs/packages.md"
    ),
    "image probe": Manual("keep", ("coord image probe", "coord image probe -o probe.py"), "docs/packages.md"),
    "local": Manual("keep", ("coord local serve", "coord local add-competition titanic data"), "docs/local_kaggle.md"),
    "local serve": Manual(
        "keep",
        ("coord local serve", "coord local serve --port 8000 --faults plan.json"),
        "docs/local_kaggle.md#the-official-command",
    ),
    "local add-competition": Manual(
        "keep",
        (
            "coord local add-competition titanic data",
            "coord local add-competition titanic data --solution solution.csv",
        ),
        "docs/local_kaggle.md#competitions",
    ),
    "local add-dataset": Manual(
        "keep",
        ("coord local add-dataset ada/weights weights", "coord local add-dataset ada/weights ../weights"),
        "docs/local_kaggle.md#data-sets",
    ),
    "local add-model": Manual(
        "keep",
        ("coord local add-model ada/net/pytorch/small/1 net", "coord local add-model ada/net/pytorch/small/2 net-2"),
        "docs/local_kaggle.md#models",
    ),
    "local rerun-log": Manual(
        "keep",
        ("coord local rerun-log titanic", "coord local rerun-log titanic --gateway"),
        "docs/local_kaggle.md#hidden-data",
    ),
    "live-check": Manual("keep", ("coord live-check", "coord live-check --clean --yes"), "docs/live_check.md"),
    "completion": Manual("keep", ("coord completion install", "coord completion show zsh"), "docs/completion.md"),
    "completion install": Manual(
        "keep", ("coord completion install", "coord completion install zsh --uninstall"), "docs/completion.md"
    ),
    "completion show": Manual(
        "keep", ("coord completion show bash", "coord completion show fish"), "docs/completion.md"
    ),
    "help": Manual("keep", ("coord help push", "coord help settings"), "docs/guide.md"),
}
"""By the command's words: `"sweep status"`."""
