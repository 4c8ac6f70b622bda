"""The tiny project with all that the commands of coord need: a competition with a scorer, split folds, git."""

from __future__ import annotations

import subprocess
from pathlib import Path

CHANGES = {
    "tiny_model/config.py": {
        "    tags: tuple[str, ...] = ()\n": (
            "    tags: tuple[str, ...] = ()\n    folds: int = 2\n    run: tuple[int, ...] = ()\n"
        )
    },
    "tiny_model/train.py": {
        "in range(2):": 'in config["train"]["run"] or range(2):',
        ") / 2\n": ") / len(values)\n",
        '"seconds": 0.0': '"seconds": 5.0',
        'event(event="end", ': 'event(event="end", time=5.0, ',
        '"ImageId,dice\\n"': (
            '"ImageId,fold,dice\\n" + "".join(\n'
            "        f\"image{n}-{each['fold']},{each['fold']},{each['value'] + n / 100}\\n\"\n"
            "        for each in values for n in range(4))"
        ),
        '"ImageId,EncodedPixels\\n"': '"id,label\\nn0,1\\nn1,1\\n"',
    },
    "pyproject.toml": {
        "[tool.coord]\n": '[tool.coord]\nscorer = "metric:score"\ncontinue_setting = "train.wait_for"\n',
        "[tool.coord.kernel]\n": (
            '[tool.coord.local]\nisolation = "none"\n[tool.coord.sweep]\nfold_count = "train.folds"\n'
            'folds = "train.run"\n[tool.coord.kernel]\ncompetition_sources = ["parity"]\n'
        ),
    },
    "experiments/crash.yaml": {
        "base: base\n": "base: base\nrecorded: [{metric: leaderboard/public, mode: max, value: 0.7, note: elsewhere}]\n"
    },
}
"""What the tiny project lacks for a sweep of split folds, a submission and a continued run: file, old text, new text.

A continued run waits for a file that nobody writes, so that it is there to be cancelled.
"""
FILES = {
    "metric.py": "def score(submission, solution, ids):\n    return 0.5\n",
    "data/sample_submission.csv": "id,label\nn0,0\nn1,0\n",
    "solution.csv": "id,label,Usage\nn0,1,Public\nn1,1,Private\n",
}


def complete(root: Path) -> None:
    """Makes a project of the tiny one that every command can be tried in, and a git repository."""
    for name, changes in CHANGES.items():
        text = (root / name).read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, f"{name}: {old}"
            text = text.replace(old, new)
        (root / name).write_text(text)
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    (root / ".gitignore").write_text("build/\nresults/\n.coord/\n")
    me = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for arguments in (("init", "--quiet"), ("add", "."), (*me, "commit", "--quiet", "-m", "all")):
        subprocess.run(["git", *arguments], cwd=root, check=True)
