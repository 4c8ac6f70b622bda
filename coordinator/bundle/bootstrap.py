"""Runs first inside the kernel: unpacks the sources, checks them, and runs the entry as `__main__`.

They go to `<temporary directory>/coord-<random>/sources/`, a directory of this process alone, or into the working
directory (see `checkout`).

This code uses the standard library only. It is the end of every kernel (so it has no `from __future__` import), and
coord imports it as a module, too, for the digest.
"""

import atexit
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import NamedTuple

STAMP = "# coord: "
"""Begins the script's first line, the only one that its digest leaves out: `# coord: run=... digest=sha256:...`."""
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")
"""Where to unpack if the environment names no temporary directory, or one that cannot be used."""
CONFIG_FILE = "coord_config.json"

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]
Filled = tuple[list[str], dict[str, object] | None, dict[str, str]]
"""Arguments, config, variables of the environment."""
Packed = dict[str, tuple[str, str, str]]
"""Path -> (SHA-256, encoding, text); see `decoded`."""


class StartOptions(NamedTuple):
    """How the program is started."""

    arguments: Sequence[str] = ()
    """Its arguments; those of the delivery come after them, and then those of this script."""
    path: Sequence[str] = ()
    """Folders among the files in which Python finds modules, too, as PYTHONPATH names them."""
    place: Callable[[dict[str, bytes], Path], Path] | None = None
    """Puts the files (path -> content) elsewhere than into the session's directory; see `checkout.check_out`."""
    deliver: Callable[[dict[str, object]], tuple[list[str], dict[str, str], dict[str, str]]] | None = None
    """(arguments, variables, path -> text of files) that give the program its config; see `delivery.delivered`."""
    fill: Callable[[Sequence[str], dict[str, object] | None], Filled] | None = None
    """Puts the folders of other kernels' outputs into arguments and config; see `needed.with_needs`."""
    loaded: Iterable[str] | None = None
    """The names of the modules that Python had loaded before this script imported any."""


AS_IT_IS = StartOptions()
"""Without arguments, from the session's directory."""


def digest_of(script: str) -> str:
    """The digest of a kernel's text: SHA-256 of everything but the stamp line."""
    first, _, rest = script.partition("\n")
    return "sha256:" + hashlib.sha256((rest if first.startswith(STAMP) else script).encode("utf-8")).hexdigest()


def stamp_of(script: str) -> dict[str, str]:
    """The key=value pairs of the stamp line; empty if there is none."""
    first = script.partition("\n")[0]
    return dict(re.findall(r"(\w+)=(\S+)", first)) if first.startswith(STAMP) else {}


def packed_in(files: Packed, archive: str) -> Packed:
    """Everything in the bundle. `archive` is a Packed as JSON, compressed, in base 64; `files` then only lists it."""
    packed = dict(files)
    if archive:
        packed.update(json.loads(archive_text(archive)))
    return packed


def archive_text(archive: str, most: int = -1) -> bytes:
    """The JSON of an archive; its first `most` bytes if that is given: a small archive may hold a lot."""
    import base64
    import bz2
    import io

    return bz2.BZ2File(io.BytesIO(base64.b64decode(archive))).read(most)


def decoded(encoding: str, text: str) -> bytes:
    """The bytes of one file. `encoding` is "base64", or a codec's name, followed by " crlf" if lines end with CR LF.

    The text of a file begins with a newline that is not part of it, so that its first line is a line of the kernel.
    """
    if encoding == "base64":
        import base64

        return base64.b64decode(text)
    codec, _, line_ends = encoding.partition(" ")
    return (text[1:].replace("\n", "\r\n") if line_ends else text[1:]).encode(codec)


def overrides_in(text: str) -> dict[str, object]:
    """Dotted paths and values, from a JSON object. Anything else ends the run."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SystemExit("coord: COORD_OVERRIDES is not a JSON object")
    return found


def overridden(config: dict[str, object], overrides: dict[str, object]) -> dict[str, object]:
    """The config with these values at dotted paths. A path that the config does not have ends the run."""
    result: dict[str, object] = json.loads(json.dumps(config))
    for path, value in overrides.items():
        *sections, name = path.split(".")
        inner: object = result
        for section in sections:
            inner = inner.get(section) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or name not in inner:
            raise SystemExit(f"coord: COORD_OVERRIDES: the config has no {path}")
        inner[name] = value
    return result


def verified(files: Packed, archive: str) -> dict[str, bytes]:
    """The content of each file, checked against its SHA-256."""
    try:
        packed = packed_in(files, archive)
        contents = {path: decoded(encoding, text) for path, (_, encoding, text) in packed.items()}
    except Exception as error:  # every encoding has errors of its own
        raise SystemExit(f"coord: the sources are damaged ({error}): build and push again") from None
    digests = {path: sha256 for path, (sha256, _, _) in (files or packed).items()}
    for path, data in contents.items():
        if hashlib.sha256(data).hexdigest() != digests.get(path):
            raise SystemExit(f"coord: {path} is not what was bundled (its SHA-256 differs): build and push again")
    return contents


def new_session(contents: dict[str, bytes], config: str) -> Path:
    """Makes this process's own directory, with the files in `sources/` and the config; removed when the process ends.

    It never lies in the working directory, where everything is the kernel's output.
    """

    def fill(session: Path) -> None:
        write_files(session / "sources", contents)
        if config:
            (session / CONFIG_FILE).write_text(config, encoding="utf-8")

    return own_folder("sources", fill)


def write_files(folder: Path, contents: dict[str, bytes]) -> None:
    """Writes path -> content below a new folder. (With pathlib it takes nearly twice as long.)"""
    for parent in {os.path.dirname(path) for path in ["", *contents]}:
        os.makedirs(os.path.join(folder, parent), exist_ok=True)
    for path, data in contents.items():
        with open(os.path.join(folder, path), "wb") as file:
            file.write(data)


def own_folder(what: str, fill: Callable[[Path], None]) -> Path:
    """A new folder that `fill` has filled, in the first temporary directory that has room; this process removes it."""
    failures = []
    for temporary in dict.fromkeys([os.environ.get("TMPDIR") or TEMPORARY[0], *TEMPORARY]):
        folder = Path(temporary).absolute() / f"coord-{os.urandom(8).hex()}"
        try:
            folder.mkdir(0o700)  # only this user may write what is run from there
            atexit.register(remove, folder, os.getpid())
            fill(folder)
            return folder
        except OSError as error:
            failures.append(f"{temporary}: {error.strerror or error}")
            remove(folder, os.getpid())
    raise SystemExit(f"coord: the {what} cannot be unpacked ({'; '.join(failures)})")


def remove(session: Path, owner: int) -> None:
    """Removes a session's directory, if this is the process that made it: forked workers end here, too."""
    if os.getpid() == owner:
        shutil.rmtree(session, ignore_errors=True)


def start(sources: Path, entry: str, is_script: bool, folders: list[Path], loaded: Iterable[str] | None) -> None:
    """Runs the entry as `python -m module` or `python script.py` would in the directory of the sources.

    Modules are searched in the `folders`, after the script's own.
    """
    path = sources / entry
    if not sys.flags.safe_path:
        del sys.path[0]  # the directory of this script
    searched = [path.parent, *folders] if is_script else folders
    sys.path[:0] = dict.fromkeys(map(str, searched))
    if loaded is not None:
        # A module that was imported here must not be taken for one of the program's that has the same name.
        local = {each.name.partition(".")[0] for folder in searched for each in folder.glob("*")}
        for name in set(sys.modules).difference(loaded):
            if name.partition(".")[0] in local:
                del sys.modules[name]
    main = ModuleType("__main__")
    main.__dict__.update(
        {name: value for name, value in globals().items() if name in ("__annotations__", "__cached__")}
    )
    sys.modules["__main__"] = main
    sys.excepthook = without_bootstrap(sys.excepthook)
    if is_script:
        sys.argv[0] = main.__file__ = str(path)
        main.__loader__ = SourceFileLoader("__main__", str(path))
        exec(compile(path.read_bytes(), path, "exec", dont_inherit=True), main.__dict__)
    else:
        import runpy

        runpy._run_module_as_main(entry)  # type: ignore[attr-defined]  # what `python -m` calls


def without_bootstrap(hook: Hook) -> Hook:
    """A hook for uncaught exceptions that hides the frames of this script and calls `hook` with the rest."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        while trace is not None and trace.tb_frame.f_globals is globals():
            trace = trace.tb_next
        hook(kind, error.with_traceback(trace), trace)

    return show


def run(
    *,
    files: Packed,
    archive: str,
    config: dict[str, object] | None,
    entry: str,
    experiment: str,
    launch: StartOptions = AS_IT_IS,
) -> None:
    """Unpacks the sources and runs `entry`: a module's name, or the path of a script among the sources."""
    script = Path(__file__).read_text(encoding="utf-8")
    if config is not None:
        config = overridden(config, overrides_in(os.environ.get("COORD_OVERRIDES") or "{}"))
    words = list(launch.arguments)
    if launch.fill is not None:
        words, config, variables = launch.fill(words, config)
        os.environ.update(variables)
    resolved = "" if config is None else json.dumps(config, indent=2)
    digest = digest_of(script)
    if stamp_of(script).get("digest", digest) != digest:
        print("coord: this script was edited after it was built; its digest is now", digest, file=sys.stderr)
    contents = verified(files, archive)
    if config is not None and launch.deliver is not None:
        more, variables, texts = launch.deliver(config)
        words += more
        os.environ.update(variables)
        contents.update({path: text.encode("utf-8") for path, text in texts.items()})
    sys.argv[1:1] = words
    session = new_session({} if launch.place else contents, resolved)
    sources = launch.place(contents, session) if launch.place else session / "sources"
    if resolved:
        os.environ["COORD_CONFIG"] = str(session / CONFIG_FILE)
    if experiment:
        os.environ["COORD_EXPERIMENT"] = experiment
    os.environ["COORD_RUN_ID"] = stamp_of(script).get("run", "-")
    os.environ["COORD_BUNDLE_DIGEST"] = digest
    further = [sources / folder for folder in launch.path]
    is_script = entry in contents
    # In Python's order: the working directory comes first with `-m`, and is not searched by itself for a script.
    folders = [*further, sources] if is_script else [sources, *further]
    # PYTHONPATH is for children: spawned workers and torchrun start a fresh interpreter.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*map(str, folders), os.environ.get("PYTHONPATH")]))
    start(sources, entry, is_script, folders, launch.loaded)
