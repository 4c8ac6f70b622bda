"""A session is like Kaggle's image: its user, its packages, its variables, its modules, its messages."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from runner_test.errors import BadSecrets
from runner_test.sessions import Record, SessionOptions, isolation, kaggle_modules, run_once
from runner_test.settings import Settings
from tests.runner_test.local import PLAIN, Local, Run, notebook
from tests.runner_test.serving import ISOLATIONS

needs_isolation = pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem()))


def wheel(folder: Path, name: str, version: str, text: str) -> None:
    """Write a wheel of one module, as a data set of wheels has it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-says = {name}:main\n",
    }
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}")
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,", ""]))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels: a package that is not installed, one that is in another version, and another one."""
    folder = tmp_path_factory.mktemp("wheels")
    wheel(folder, "tiny_wheel", "1.0", "def main():\n    print('tiny')\n")
    wheel(folder, "six", "99.0", "import sys\nhere = 'the new six'\n")
    wheel(folder, "users_wheel", "1.0", "here = 'the user'\n")
    return folder


INSTALLS = """
import json, os, subprocess, sys
def sh(command):
    done = subprocess.run(command, shell=isinstance(command, str), capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout.strip()
wheels = os.environ.get("COORD_KAGGLE_ROOT", "/kaggle") + "/input/datasets/me/wheels"
import six
before = six.__version__
quick = "--no-warn-conflicts --no-compile"
said = sh(f"pip install {quick} --no-index --find-links {wheels} tiny_wheel numpy --upgrade six")
if not "COORD_KAGGLE_ROOT" in os.environ:
    flags = ["--user", "--no-index", *quick.split()]
    sh([sys.executable, "-m", "pip", "install", *flags, "--find-links", wheels, "users_wheel"])
    import users_wheel
import tiny_wheel
print(json.dumps({
    "before": before,
    "child": sh([sys.executable, "-c", "import six, tiny_wheel; print(six.here)"]),
    "shell": sh("python -c 'import importlib.metadata; print(importlib.metadata.version(\\"six\\"))'"),
    "program": sh("tiny_wheel-says"), "satisfied": "already satisfied: numpy" in said,
    "places": [module.__file__ for name, module in sys.modules.items() if name.endswith("_wheel")],
}))
"""


@pytest.mark.parametrize("isolated", ISOLATIONS)
def test_pip_installs_into_the_session_alone(tmp_path: Path, wheels: Path, isolated: str) -> None:
    """As people write it: into the running process, its children and the shell; over an installed package; --user."""
    code, printed = _run(tmp_path, INSTALLS, {"datasets/me/wheels": wheels}, Settings(isolation=isolated))  # type: ignore[arg-type]
    assert code == 0, printed
    found = json.loads(printed.splitlines()[-1])
    assert found["before"] == importlib.metadata.version("six") != "99.0"  # this machine's, before and now
    assert (found["child"], found["shell"]) == ("the new six", "99.0")
    assert (found["program"], found["satisfied"]) == ("tiny", True)
    assert len(found["places"]) == (2 if isolated == "auto" else 1)
    assert importlib.util.find_spec("tiny_wheel") is None
    assert not any(Path(place).exists() for place in found["places"])  # gone with the session


@needs_isolation
def test_pip_in_a_notebook(tmp_path: Path, wheels: Path) -> None:
    """`!pip install` in a cell, imported in the next one; figures are drawn below the cells."""
    pytest.importorskip("ipykernel", reason="pip install 'coord[notebook]'")
    cells = notebook(
        "!pip install --quiet --no-warn-conflicts --no-index --find-links /kaggle/input/datasets/me/wheels tiny_wheel",
        "import os, tiny_wheel\ntiny_wheel.main()\nprint('inline' in os.environ.get('MPLBACKEND', ''))",
    )
    code, printed = _run(tmp_path, cells, {"datasets/me/wheels": wheels}, Settings(), name="kernel.ipynb")
    assert (code, printed.splitlines()[-2:]) == (0, ["tiny", "True"]), printed


def _run(
    folder: Path, text: str, inputs: dict[str, Path], settings: Settings, *, name: str = "kernel.py", **options: Any
) -> tuple[int, str]:
    (folder / name).write_text(text)
    records: list[Record] = []
    chosen = SessionOptions(inputs, timeout=100, settings=settings, **options)
    code = run_once(folder / name, folder / "root", records.append, chosen)
    return code, "".join(record.data for record in records)


LOOKS = """
import getpass, io, json, multiprocessing, os, pathlib, subprocess, sys, tarfile
def tries(function):
    try:
        return function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
def sh(command):
    return subprocess.run(command, shell=True, capture_output=True, text=True).returncode
def plants():
    weights = pathlib.Path("~/.cache/torch/hub/checkpoints/x.pth").expanduser()
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    return str(weights)
archive = tarfile.open("/tmp/x.tar", "w")
entry = tarfile.TarInfo("of-another-user")
entry.uid = entry.gid = 4321
archive.addfile(entry, io.BytesIO())
archive.close()
from joblib import Parallel, delayed
print(json.dumps({
    "user": [os.getuid(), getpass.getuser(), os.path.expanduser("~"), oct(os.stat("/root").st_mode & 0o700)],
    "environ": dict(os.environ), "path": sys.path, "executable": sys.executable,
    "plants": tries(plants),
    "joblib": tries(lambda: Parallel(n_jobs=2)(delayed(abs)(-each) for each in (1, 2))),
    "tar": sh("tar -C /tmp -xf /tmp/x.tar"), "sudo": sh("sudo true"), "shell": sh("cd /kaggle/temp && touch x"),
    "first process": open("/proc/1/cmdline").read(), "modules": tries(lambda: __import__("of_the_competition").x),
    "gcp": tries(lambda: __import__("kaggle_gcp").BigQuery),
    "tpu": tries(lambda: __import__("kaggle_datasets").KaggleDatasets().get_gcs_path("x")),
    "draft": tries(lambda: __import__("kaggle_session").UserSessionClient().get_exportable_ipynb()),
    "integrations": __import__("kaggle_gcp").get_integrations().has_bigquery(),
}))
"""


@needs_isolation
def test_what_people_do_in_a_session(tmp_path: Path) -> None:
    """Root with a home to write to, Kaggle's variables and modules; nothing of this machine in variables and paths."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "of_the_competition.py").write_text("x = 'read'\n")
    inputs, modules = {"competitions/siim": data}, ("competitions/siim",)
    code, printed = _run(tmp_path, LOOKS, inputs, Settings(), modules=modules, machine_shape="TpuV5E8")
    assert code == 0, printed
    note, *_, told = printed.splitlines()
    assert note == "The local Kaggle: this machine has no TPU. The session asked for TpuV5E8, and runs without it."
    found = json.loads(told)
    assert found["user"] == [0, "root", "/root", "0o700"]
    assert found["plants"] == "/root/.cache/torch/hub/checkpoints/x.pth"
    assert (found["joblib"], found["modules"]) == ([1, 2], "read")
    assert (found["tar"], found["sudo"], found["shell"]) == (0, 127, 0)
    environ = found["environ"]
    assert environ["PYTHONPATH"] == "/kaggle/lib/kagglegym:/kaggle/lib:/kaggle/input/competitions/siim"
    assert (environ["PYTHONUSERBASE"], environ["MPLBACKEND"]) == ("/root/.local", "agg")
    assert environ["PATH"].startswith("/image/python/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:")
    shown = " ".join([*environ.values(), *found["path"], found["executable"], found["first process"]])
    prefixes = [sys.prefix, str(tmp_path), str(Path(__file__).parents[3])]
    assert [each for each in prefixes if each in shown] == []
    offline = "ConnectionError: Connection error trying to communicate with service."
    assert (found["tpu"], found["draft"], found["integrations"]) == (offline, offline, False)
    assert "no services of Google" in found["gcp"]


ASKS = """
import os
from kaggle_secrets import UserSecretsClient
for label in ("KEY", "other", ""):
    try:
        print(UserSecretsClient().get_secret(label))
    except Exception as error:
        print(type(error).__name__, error)
print([value for value in os.environ.values() if "s3cret" in value])
"""
_MISSING = (
    "BackendError Unexpected response from the service. Response: {'errors': ['No user secrets exist for kernel id 0 \
and label other.'], 'error': {'code': 5}, 'wasSuccessful': False}."
)
_OFFLINE = "ConnectionError Connection error trying to communicate with service."
_EMPTY = "ValidationError Label must be non-empty."


@pytest.mark.parametrize("internet", [True, False])
@pytest.mark.parametrize("isolated", ISOLATIONS)
def test_secrets(tmp_path: Path, isolated: str, *, internet: bool) -> None:
    """They come from the file; a missing one, and the internet off, raise what they raise on Kaggle."""
    file = tmp_path / "secrets.toml"
    file.touch(mode=0o600)
    file.write_text('KEY = "s3cret"\n')
    settings = Settings(isolation=isolated, secrets=str(file))  # type: ignore[arg-type]
    code, printed = _run(tmp_path, ASKS, {}, settings, internet=internet)
    lines = [line for line in printed.splitlines() if not line.startswith("The local Kaggle: ")]
    expected = ["s3cret", _MISSING] if internet else [_OFFLINE, _OFFLINE]
    assert (code, lines) == (0, [*expected, _EMPTY, "[]"])
    assert len(printed.splitlines()) - len(lines) == (1 if internet else 2)  # what to do here, on stderr


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        ('KEY = "s3cret"', 0o644, "others may read it"),
        ("KEY = s3cret", 0o600, "is no TOML"),
        ("KEY = 17", 0o600, "the secret KEY must be a text"),
    ],
)
def test_a_file_of_secrets_that_is_refused(tmp_path: Path, run: Run, content: str, mode: int, message: str) -> None:
    """The session does not start, and the message has no part of a value."""
    file = tmp_path / "secrets.toml"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(BadSecrets, match=message) as caught:
        run("pass", settings=Settings(isolation="none", secrets=str(file)))
    assert "s3cret" not in str(caught.value)
    assert kaggle_modules.read_secrets(tmp_path / "none") == {}


def test_an_attached_output_has_the_files_that_kaggle_adds(local: Local) -> None:
    """As a source, and not in the output itself; the files are the output's own, and no copies."""
    local.run("earlier", "import os\nprint('<said>')\nos.mkdir('sub')\nopen('sub/file', 'w').write('content')")
    script = """
import glob, json, os
at = os.environ["COORD_KAGGLE_ROOT"] + "/input/notebooks/me/earlier/"
names = sorted(name[len(at):] for name in glob.glob(at + "**", recursive=True) if os.path.isfile(name))
print(json.dumps({name: open(at + name).read() for name in names}))
"""
    for slug in ("first-reader", "other-reader"):
        assert local.run(slug, script, kernel_data_sources=["me/earlier"]).status.name == "COMPLETE"
        found = json.loads(local.log_text(slug))
        assert list(found) == ["__output__.json", "__results__.html", "__script__.py", "custom.css", "sub/file"]
        assert found["__script__.py"].startswith("import os\nprint('<said>')")
        assert json.loads(found["__output__.json"])[0]["data"] == "<said>\n"
        assert "&lt;said&gt;" in found["__results__.html"]
        assert found["sub/file"] == "content"
    assert [file.file_name for file in local.output("earlier").files] == ["sub/file"]
    assert (local.working("earlier") / "sub/file").stat().st_nlink == 2


@pytest.mark.parametrize("settings", [PLAIN, Settings(isolation="none", log_mib=0.000001)])
def test_a_missing_gpu_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """In one line of the log's stderr, whatever its limit."""
    monkeypatch.setattr("runner_test.sessions.machine._GPUS", ("no-such-device",))
    code, printed = _run(tmp_path, "pass", {}, settings, machine_shape="NvidiaTeslaT4")
    assert (code, printed.count("\n"), "this machine has no GPU" in printed) == (0, 1, True)


@pytest.mark.parametrize("isolated", ISOLATIONS)
def test_what_is_installed_counts(tmp_path: Path, isolated: str) -> None:
    """Packages are files that a session writes elsewhere than in its output: `temporary_gb` has them, too."""
    script = "import sys\nopen(sys.prefix + '/big', 'wb').truncate(3_000_000)"
    code, printed = _run(tmp_path, script, {}, Settings(isolation=isolated, temporary_gb=0.002))  # type: ignore[arg-type]
    assert (code, "outside /kaggle/working, with a limit of 0.002 GB" in printed) == (1, True), printed
