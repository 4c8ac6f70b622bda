"""Secrets that leave the machine in a kernel: in any form, in any file, setting or name, and harmless ones that don't.

Seen: found by trying it on coord; the forms are those that detect-secrets, gitleaks and the services' own pages name.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path, PurePosixPath

import pytest

from coordinator.bundle.secrets import Guard, find_secrets, is_secret_name
from coordinator.bundle.vendor import vendored
from coordinator.errors import BundleError
from coordinator.kernel import build_kernel
from coordinator.project import Project, find_project, resolve
from tests.coordinator.bundle.distributions import install
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord

# Made up, and in pieces, so that nobody takes this file for a place of secrets.
HEX = "9f3c17ab5e08d2641b7fa0c83e59d476"
B62 = "q7Hd2kLm9Xw4ZtRvB3nJ8sYc5PfG1uWeA6yT0iQo"
KAGGLE = "KGAT_" + HEX
GROQ = "gsk_" + B62 + B62[:12]
HUB = "hf_" + B62[:34]
KEYS = {
    "a Kaggle access token": KAGGLE,
    "a Hugging Face token": HUB,
    "a Groq key": GROQ,
    "an OpenRouter key": "sk-or-v1-" + HEX * 2,
    "an Anthropic key": "sk-ant-" + "api03-" + B62 + "-AA",
    "an OpenAI key": "sk-" + "proj-" + B62 + "_" + B62,
    "a DeepSeek key": "sk-" + HEX,
    "an xAI key": "xai-" + B62 * 2,
    "a Replicate token": "r8_" + B62[:37],
    "a Weights & Biases key": "wandb_v1_" + B62 + B62,
    "a Slack token": "xapp-1-" + "A0123BCDEFG-4567890123456-" + HEX * 2,
    "a GitHub token": "ghp_" + B62[:36],
    "a GitLab token": "glpat-" + B62[:20],
    "an Azure client secret": "Ab1" + "8Q~" + B62[:34],
    "an Azure storage key": "DefaultEndpointsProtocol=https;AccountName=ada;AccountKey=" + (B62 * 3)[:86] + "==",
    "an Azure access key": "Endpoint=sb://ada.servicebus.windows.net/;SharedAccessKey=" + (B62 * 2)[:43] + "=",
    "an Azure access signature": "https://ada.blob.core.windows.net/x?sv=2024&se=2027&sig=" + B62 + "ab%3D",
    "a Google OAuth secret": "GOCSPX-" + B62[:28],
    "a Google OAuth token": "ya29." + "a0Af_" + B62,
    "a Google API key": "AIza" + B62[:35],
    "a JSON web token": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiJhZGEifQ." + B62,
    "a Databricks token": "dapi" + HEX,
    "a Docker token": "dckr_pat_" + B62[:27],
    "an AWS access key": "AKIA" + "Q7HD2KLM9XW4ZTRV",
    "a password in an address": "postgresql+psycopg://ada:" + "hunt3r-two@db.internal:5432/runs",
}
AZURE_AI = "AZURE_OPENAI_API_KEY"
NAMED = {
    f'{{"key": "{HEX}", "username": "ada"}}': "a Kaggle API key",
    f"username: ada\nkey: {HEX}\n": "a Kaggle API key",
    f"kaggle:\n  key: '{HEX}'\n": "a Kaggle API key",
    f"[kaggle]\nkey = {HEX}\n": "a Kaggle API key",
    f"export KAGGLE_KEY={HEX}\n": "a Kaggle API key",
    f"wandb:\n  api_key: {HEX}{HEX[:8]}\n": "a Weights & Biases key",
    f"!wandb login {HEX}{HEX[:8]}\n": "a Weights & Biases key",
    f"machine api.wandb.ai\n  login user\n  password {HEX}{HEX[:8]}\n": "a password of a .netrc file",
    f"machine example.org login ada password {B62[:12]}\n": "a password of a .netrc file",
    f"{AZURE_AI}={HEX}\n": "a key",
    f'api_key: "{B62}"\n': "a key",
    f"api_key: {B62}\n": "a key",
    f"api-key = {B62}\n": "a key",
    f'apiKey: str = "{B62}"\n': "a key",
    f"'secret_access_key': '{B62}'\n": "a key",
    f"aws_secret_access_key = {B62[:18]}/{B62[19:31]}+{B62[:8]}\n": "a key",
    f'os.environ["SERVICE_TOKEN"] = "{B62}"\n': "a key",
    f'os.environ.setdefault("SERVICE_TOKEN", "{B62}")\n': "a key",
    f'headers = {{"Authorization": "Bearer {B62}"}}\n': "a key",
    f"curl -H 'X-Api-Key: {B62}' https://example.org\n": "a key",
    f"tool --api-key {B62}\n": "a key",
    f"https://example.org/data.zip?token={B62}&x=1\n": "a key",
    f"client_secret={B62}\r\n": "a key",
    'password = "' + "hunt3r-twenty" + '"\n': "a password",
    "DB_PASSWORD=" + "hunt3r-twenty" + "\n": "a password",
}


@pytest.mark.parametrize(("what", "key"), KEYS.items(), ids=list(KEYS))
@pytest.mark.parametrize(
    "form",
    [
        "# 1\nX = '{}'\n",
        "# 1\nX: {}\n",
        '# 1\n{{"text": "first\\n{}"}}\n',  # after "\n" in a file of JSON
        '# 1\n{{"text": "run(\\"{}\\")"}}\n',
    ],
    ids=["Python", "bare", "after an escaped line end", "in escaped quotes"],
)
def test_keys_are_found_in_every_form(what: str, key: str, form: str) -> None:
    """By themselves, whatever stands around them; and by their line."""
    found = find_secrets(form.format(key).encode())
    assert [(each.line, each.what) for each in found][:1] == [(2, f"holds what looks like {what}")]


@pytest.mark.parametrize(("text", "what"), NAMED.items(), ids=range(len(NAMED)))
def test_keys_are_found_by_their_names(text: str, what: str) -> None:
    """In code, YAML, JSON, INI and dotenv files, headers, commands and addresses; quoted or not."""
    assert {each.what for each in find_secrets(text.encode())} == {f"holds what looks like {what}"}
    inside = json.dumps({"cell": text}).encode()
    assert find_secrets(inside), "escaped in JSON"


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("key", [KAGGLE, KEYS["an AWS access key"], HUB])
@pytest.mark.parametrize("end", ["", "'\n"])
def test_keys_are_found_in_wide_letters(codec: str, key: str, end: str) -> None:
    """As some editors, and PowerShell's `>`, write a text."""
    data = f"# 1\n# zwei\nX = '{key}{end}".encode(codec)
    assert [each.line for each in find_secrets(data)] == [3]


@pytest.mark.parametrize(
    "parts",
    [
        'X = (\n    "{0}"\n    "{1}"\n)\n',
        "X = (\n    '{0}' +\n    b'{1}'\n)\n",
        'X = (\n    "{0}" \\\n    "{1}")\n',
        "X =\\\n  {0}\\\n  {1}\n",
        "key:\n  {0}\n  {1}\n",
        "# ...\r\n{0}\r\n{1}\r\n",
    ],
    ids=["literals", "added", "continued literals", "continued line", "folded", "wrapped"],
)
@pytest.mark.parametrize("key", [KAGGLE, GROQ, KEYS["a GitHub token"], KEYS["an OpenRouter key"]])
def test_keys_over_two_lines_are_found(parts: str, key: str) -> None:
    """The line is that of the first part."""
    found = find_secrets(("# 1\n" + parts.format(key[:22], key[22:])).encode())
    assert {each.line for each in found} & {2, 3}


def test_keys_in_a_notebook_are_found_as_its_cells_have_them() -> None:
    """A string in a cell may go on in the next line, which is another string of the file's JSON."""
    cell = ["import os\n", f'os.environ["A"] = ("{GROQ[:30]}"\n', f'  "{GROQ[30:]}")\n']
    notebook = {"cells": [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []}], "nbformat": 4}
    data = json.dumps(notebook, indent=1).encode()
    assert [each.what for each in find_secrets(data)] == ["holds what looks like a Groq key"]
    printed = {"cells": [{"cell_type": "code", "source": [], "outputs": [{"text": ["token\n", f"{HUB}\n"]}]}]}
    assert find_secrets(json.dumps(printed).encode())


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".ENV", ".Env.local", "prod.env", ".env.bak", ".env~", ".envrc", "id_rsa", "ID_RSA", "id_rsa.bak"),
        *(
            "id_rsa (1)",
            "id_ed25519.old",
            "credentials",
            "Credentials",
            "credentials.json",
            "netrc",
            ".netrc",
            "_netrc",
        ),
        *(
            "kaggle.json",
            "Kaggle.JSON",
            "kaggle (1).json",
            "kaggle.json.bak",
            "kaggle copy.json",
            "Copy of kaggle.json",
        ),
        *(
            "kaggle2.json",
            "kaggle.json.txt",
            ".kaggle.json.swp",
            "access_token",
            "ACCESS_TOKEN.txt",
            ".git-credentials",
        ),
        *("client_secret_12-ab.apps.googleusercontent.com.json", "service-account.json", "service_account_prod.json"),
        *("secrets.toml", "secrets.yaml", "x.pem", "X.PEM", "a/.aws/config", "a/.ssh/known_hosts", "hf_token", "b.p12"),
        *("application_default_credentials.json", ".pgpass", ".htpasswd", "vault.kdbx", "terraform.tfstate", ".pypirc"),
    ],
)
def test_names_of_files_with_secrets(name: str) -> None:
    """In any case, and copies of them."""
    assert is_secret_name(PurePosixPath("pack", name))


@pytest.mark.parametrize(
    "name",
    [
        *(
            ".env.example",
            ".ENV.sample",
            "example.env",
            "kaggle.json.example",
            "credentials.py",
            "secrets.py",
            "env.py",
        ),
        *("id_rsa.pub", "secretary.json", "tokens.json", "tokenizer.json", "kaggle-image.json", "key.txt", "netrc.py"),
        *("keys.csv", "environment.yml", "credentials_test.py", "train.1", "model.json", "secret_sauce.txt"),
    ],
)
def test_names_that_only_look_like_them(name: str) -> None:
    """Templates, public halves, modules and data."""
    assert not is_secret_name(PurePosixPath("pack", name))


HARMLESS = [
    "AKIA" + "IOSFODNN7EXAMPLE",  # Amazon's own
    'aws_secret_access_key = "wJalrXUtnFEMI/' + 'K7MDENG/bPxRfiCYEXAMPLEKEY"',
    f'{{"file": "a.png", "key": "{HEX}"}}',  # a digest
    f'{{"key": "{HEX}", "md5": "{HEX}"}}',
    f"cache_key: {HEX}\n",
    'api_key = "your-api-key-1234567890-goes-here"',
    "OPENAI_API_KEY=sk-" + "x" * 48,
    'token = "hf_' + "x" * 34 + '"',
    "KAGGLE_KEY=<your key>\n",
    'api_key = os.environ["OPENAI_API_KEY_2024_PROD"]',
    "token = tokenizer_v2_of_2024_with_many_words",
    "postgresql://user:password@localhost/db",
    "postgresql://${USER_1}:${PASSWORD_1}@host/db",
    "redis://user:password1@host",
    'password = "********"',
    'password: "<PASSWORD_123>"',
    f"commit: {HEX}{HEX[:8]}\n",
    f"sha256-{B62}=\n",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n",
]


@pytest.mark.parametrize("text", HARMLESS, ids=range(len(HARMLESS)))
def test_harmless_texts_pass(text: str) -> None:
    """Examples of the services, digests, placeholders, words, names of variables, public keys."""
    assert find_secrets(text.encode()) == []


@pytest.mark.parametrize(
    ("experiment", "sets", "place"),
    [
        (f"about: with {GROQ}", (), "about"),
        (f"config: {{note: {HUB}}}", (), "config.note"),
        (f"config: {{keys: {{username: ada, key: {HEX}}}}}", (), "config.keys.key"),
        (f"config: {{names: [a, 'Bearer {B62}', {KAGGLE}]}}", (), "config.names"),
        ("about: x", (f"note={KAGGLE}",), "config.note"),
        (f"kernel: {{title: 'My {KAGGLE}'}}", (), "kernel.title"),
        (f"kernel: {{keywords: [{KAGGLE}]}}", (), "kernel.keywords"),
        (f"kernel: {{docker_image: 'https://ada:{B62[:14]}@docker.example.org/x'}}", (), "kernel.docker_image"),
    ],
)
def test_settings_are_searched(tmp_path: Path, experiment: str, sets: tuple[str, ...], place: str) -> None:
    """What is no file goes into the kernel, the manifest and the ledger, too: nothing is written, or shown."""
    project = _project(tmp_path, experiment)
    with pytest.raises(BundleError) as caught:
        build_kernel(project, resolve(project, "base", sets))
    assert caught.value.what.startswith(f"{place} holds what looks like ")
    said = f"{caught.value.what} {caught.value.hint}"
    assert not any(key in said for key in (GROQ, HUB, KAGGLE, HEX, B62[:14]))
    assert not (project.root / "build" / "base").exists()


@pytest.mark.parametrize("file", ["templates/kernel.py.j2", "pack/notes.ipynb", "pack/table.bin", "pack/data/.ENV.1"])
def test_every_file_that_goes_in_is_searched(tmp_path: Path, file: str) -> None:
    """The project's own template, notebooks and data."""
    project = _project(tmp_path, "about: x")
    shipped = project.template("kernel.py.j2").read_text(encoding="utf-8")
    write_files(tmp_path, {file: f"# {KAGGLE}\n{shipped}".encode().replace(b"\0", b"")})
    project = find_project(tmp_path)
    with pytest.raises(BundleError, match=re.escape(file)) as caught:
        build_kernel(project, resolve(project, "base"))
    assert KAGGLE not in str(caught.value)


def test_a_key_in_a_files_name_is_not_repeated(tmp_path: Path) -> None:
    """The place is its folder."""
    project = _project(tmp_path, "about: x")
    write_files(tmp_path, {f"pack/{KAGGLE}.txt": "x"})
    with pytest.raises(BundleError, match=r"a file's name in pack/ holds what looks like a Kaggle") as caught:
        build_kernel(project, resolve(project, "base"))
    assert KAGGLE not in f"{caught.value.what}{caught.value.hint}"


def test_vendored_distributions_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed here goes out like the project's own files, and is allowed like them."""
    site = tmp_path / "site"
    install(site, "leaky", files={"leaky/__init__.py": f"X = '{GROQ}'\n"})
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    with pytest.raises(BundleError, match=r"leaky/__init__\.py:1 holds what looks like a Groq key") as caught:
        vendored(tmp_path, ["leaky"])
    _allow(tmp_path, caught.value)
    assert vendored(tmp_path, ["leaky"]).files


def test_what_is_none_is_allowed_by_place_and_digest(tmp_path: Path) -> None:
    """The message has the lines to paste, for all places at once; another text at the same place is refused again."""
    project = _project(tmp_path, f"about: like {KAGGLE}")
    write_files(tmp_path, {"pack/a b.py": f"X = '{GROQ}'; Y = '{HUB}'\n", "pack/.env": "MODE=fast\n"})
    with pytest.raises(BundleError) as files:
        build_kernel(project, resolve(project, "base"))
    assert ".coordsecrets" in str(files.value.hint)
    _allow(tmp_path, files.value)
    with pytest.raises(BundleError) as texts:
        build_kernel(project, resolve(project, "base"))
    _allow(tmp_path, texts.value)
    build_kernel(project, resolve(project, "base"))
    write_files(tmp_path, {"pack/a b.py": f"X = '{GROQ[:-1]}Z'; Y = '{HUB}'\n"})
    with pytest.raises(BundleError, match=r"pack/a b\.py:1"):
        build_kernel(project, resolve(project, "base"))
    write_files(tmp_path, {"pack/a b.py": "", "pack/c.py": f"X = '{GROQ}'\n"})
    with pytest.raises(BundleError, match=r"pack/c\.py:1"):  # the same text at another place
        build_kernel(project, resolve(project, "base"))


@pytest.mark.parametrize("verb", ["note", "tag"])
def test_remarks_are_searched(tmp_path: Path, verb: str) -> None:
    """The report and other tools get them: neither the ledger nor its copy has one."""
    project = _project(tmp_path, "about: x")
    done = Coord(project.root, {}).here(verb, "--exp", "base", KAGGLE, code=1)
    assert "the remark holds what looks like a Kaggle access token" in done.output
    assert KAGGLE not in done.output
    assert not any(KAGGLE.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


@pytest.mark.parametrize("line", ["pack/x.py", "0123", "0123456789abcdef", "0123456789ABCDEF pack/x.py"])
def test_a_line_that_allows_nothing_is_said(tmp_path: Path, line: str) -> None:
    """A line that was not understood would be a surprise at the next build."""
    write_files(tmp_path, {".coordsecrets": f"# ours\n\n{line}\n"})
    with pytest.raises(BundleError, match=r"\.coordsecrets:3 is not a digest and a place"):
        Guard(tmp_path)


def test_large_data_is_searched_in_time() -> None:
    """One long line, many digests, many joints: the time grows as the size does."""
    for piece in (b"A" * 76 + b"\n", f'"{HEX}",\n'.encode(), b'"abcd" +\n', f"key: {HEX}\n".encode(), b"\\n\\n\\n\\n"):
        assert find_secrets(piece * (500_000 // len(piece))) == []
    keys = "".join(f"{HUB[:-5]}{number:05}\n" for number in range(10_000))
    assert [each.line for each in find_secrets(keys.encode())] == list(range(1, 10_001))


def _project(root: Path, experiment: str) -> Project:
    write_files(
        root,
        {
            "pyproject.toml": '[tool.coord]\nmodel_source = "pack"\nentry = "pack.train"\n'
            'config = "pack.config:Config"\n'
            'templates = "templates"\nowner = "ada"\n[tool.coord.kernel]\ntitle = "My kernel"\n',
            "pack/__init__.py": "",
            "pack/train.py": "",
            "pack/config.py": "from dataclasses import dataclass, field\n\n\n@dataclass(frozen=True)\nclass Config:\n"
            '    note: str = ""\n    names: tuple[str, ...] = ()\n'
            "    keys: dict[str, str] = field(default_factory=dict)\n",
            "experiments/base.yaml": experiment + "\n",
        },
    )
    return find_project(root)


def _allow(root: Path, error: BundleError) -> None:
    """Pastes the lines of the message."""
    with (root / ".coordsecrets").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in re.findall("(?m)^[0-9a-f]{16} .*$", str(error.hint)))
