"""Runs first inside the kernel: unpacks the sources, checks them, and runs the entry module as `__main__`.

Standard library only. This file's text is the end of every kernel (which is why it has no `from __future__` import),
and coord imports it as a module too, for the digest.
"""

import atexit
import base64
import hashlib
import json
import lzma
import os
import re
import runpy
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

STAMP = "# coord: "
"""Begins the script's first line, the only one that its digest leaves out: `# coord: run=... digest=sha256:...`."""


def digest_of(script: str) -> str:
    """The digest of a kernel's text: SHA-256 of everything but the stamp line."""
    first, _, rest = script.partition("\n")
    return "sha256:" + hashlib.sha256((rest if first.startswith(STAMP) else script).encode("utf-8")).hexdigest()


def stamp_of(script: str) -> dict[str, str]:
    """The key=value pairs of the stamp line; empty if there is none."""
    first = script.partition("\n")[0]
    return dict(re.findall(r"(\w+)=(\S+)", first)) if first.startswith(STAMP) else {}


def packed_in(files: dict[str, tuple[str, str, str]], archive: str) -> dict[str, tuple[str, str, str]]:
    """Path -> (sha256, encoding, text) of everything in the bundle.

    `files` is the same, readable; `archive` is the same as JSON, compressed, in base 85.
    """
    packed = dict(files)
    if archive:
        packed.update(json.loads(lzma.decompress(base64.b85decode("".join(archive.split())))))
    return packed


def decoded(encoding: str, text: str) -> bytes:
    """The bytes of one file of the bundle."""
    return base64.b64decode(text) if encoding == "base64" else text[1:].encode("utf-8")


def unpack(files: dict[str, tuple[str, str, str]], archive: str) -> dict[str, bytes]:
    """Path -> bytes, each checked against its SHA-256."""
    unpacked = {}
    for path, (sha256, encoding, text) in packed_in(files, archive).items():
        data = decoded(encoding, text)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise SystemExit(f"coord: {path} is not what was bundled (its SHA-256 differs): build and push again")
        unpacked[path] = data
    return unpacked


def overrides_in(text: str) -> dict[str, Any]:
    """Dotted paths and values from JSON; anything else ends the run."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SystemExit("coord: COORD_OVERRIDES is not a JSON object")
    return found


def overridden(config: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """The config with dotted paths replaced; a path that the config does not have ends the run."""
    result: dict[str, Any] = json.loads(json.dumps(config))
    for path, value in overrides.items():
        *sections, name = path.split(".")
        inner: Any = result
        for section in sections:
            inner = inner.get(section) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or name not in inner:
            raise SystemExit(f"coord: COORD_OVERRIDES: the config has no {path}")
        inner[name] = value
    return result


def _remove(directory: Path, owner: int) -> None:
    # A forked worker may come here too when it ends; only the first process removes what all of them use.
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)


def run(
    *, files: dict[str, tuple[str, str, str]], archive: str, config: dict[str, Any], entry: str, experiment: str
) -> None:
    """Unpacks the sources into a temporary directory and runs `entry` as `__main__`."""
    script = Path(__file__).read_text(encoding="utf-8")
    resolved = overridden(config, overrides_in(os.environ.get("COORD_OVERRIDES") or "{}"))
    digest = digest_of(script)
    if stamp_of(script).get("digest", digest) != digest:
        print("coord: this script was edited after it was built; its digest is now", digest, file=sys.stderr)
    directory = Path(tempfile.mkdtemp(prefix="coord-"))
    atexit.register(_remove, directory, os.getpid())
    for path, data in unpack(files, archive).items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    (directory / "coord_config.json").write_text(json.dumps(resolved, indent=2), encoding="utf-8")
    os.environ["COORD_CONFIG"] = str(directory / "coord_config.json")
    os.environ["COORD_EXPERIMENT"] = experiment
    os.environ["COORD_RUN_ID"] = stamp_of(script).get("run", "-")
    os.environ["COORD_BUNDLE_DIGEST"] = digest
    # PYTHONPATH is for children: spawned workers and torchrun start a fresh interpreter.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH")]))
    sys.path.insert(0, str(directory))
    runpy.run_module(entry, run_name="__main__", alter_sys=True)
