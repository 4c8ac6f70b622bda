"""A session's folders: what may be mounted, and that a root is used once."""

from pathlib import Path

import pytest

from runner_test.errors import BadName, LocalKaggleError, MissingFolder, RootInUse
from tests.runner_test.local import Run


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"../out": Path("/tmp")}, BadName),
        ({"/etc": Path("/tmp")}, BadName),
        ({"": Path("/tmp")}, BadName),
        ({"datasets/a/b": Path("/does/not/exist")}, MissingFolder),
    ],
)
def test_inputs_that_cannot_be_mounted(run: Run, inputs: dict[str, Path], error: type[LocalKaggleError]) -> None:
    """Mount paths must stay below input/, and folders must exist."""
    with pytest.raises(error):
        run("pass", inputs=inputs)


def test_a_root_is_used_once(run: Run) -> None:
    """A root with an earlier session's folders is refused, so that old output is never mistaken for new."""
    run("pass")
    with pytest.raises(RootInUse, match="fresh folder"):
        run("pass")
