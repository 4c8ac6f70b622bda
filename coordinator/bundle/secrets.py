"""What must never become part of a kernel's source: files by their names, and texts that are keys wherever they stand.

The patterns are those of tokens with a fixed beginning, so that ordinary sources raise none; each is looked for only in
files that hold one of its words, because a plain search costs next to nothing and a pattern does not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import PurePath

_FILES = {
    *(".env", ".envrc", "kaggle.json", "access_token", "access_token.txt", ".netrc", "_netrc", ".pypirc", ".npmrc"),
    *(".git-credentials", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "service_account.json"),
}
_SUFFIXES = {".pem", ".key", ".p12", ".pfx", ".keystore", ".jks", ".ppk"}
_TEMPLATES = {".env.example", ".env.sample", ".env.template", ".env.dist"}

# (a word that is in every match, the pattern, what it is)
_TEXTS = tuple(
    (word, re.compile(pattern), what)
    for word, pattern, what in (
        (b"KGAT_", rb"\bKGAT_[0-9A-Za-z]{16,}", "a Kaggle access token"),
        (b'"key"', rb'"key"\s*:\s*"[0-9a-f]{32}"', "a Kaggle API key"),
        (b"KAGGLE_KEY", rb"""KAGGLE_KEY["'\]]*\s*[=:,]\s*["']?[0-9a-f]{32}\b""", "a Kaggle API key"),
        (b"WANDB_API_KEY", rb"""WANDB_API_KEY["'\]]*\s*[=:,]\s*["']?[0-9a-f]{40}\b""", "a Weights & Biases key"),
        (b"PRIVATE KEY-----", rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----", "a private key"),
        (b"AKIA", rb"\bAKIA[0-9A-Z]{16}\b", "an AWS access key"),
        (b"ASIA", rb"\bASIA[0-9A-Z]{16}\b", "an AWS access key"),
        *((word, rb"\b" + word + rb"[0-9A-Za-z]{36}\b", "a GitHub token") for word in (b"ghp_", b"gho_", b"ghu_")),
        *((word, rb"\b" + word + rb"[0-9A-Za-z]{36}\b", "a GitHub token") for word in (b"ghs_", b"ghr_")),
        (b"github_pat_", rb"\bgithub_pat_[0-9A-Za-z_]{60,}", "a GitHub token"),
        (b"glpat-", rb"\bglpat-[0-9A-Za-z_-]{20,}", "a GitLab token"),
        (b"hf_", rb"\bhf_[0-9A-Za-z]{30,}\b", "a Hugging Face token"),
        (b"xox", rb"\bxox[abeoprs]-[0-9A-Za-z-]{24,}", "a Slack token"),
        (b"hooks.slack.com", rb"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{20,}", "a Slack webhook"),
        (b"sk-", rb"\bsk-(?:proj|svcacct|admin)-[0-9A-Za-z_-]{40,}", "an OpenAI key"),
        (b"sk-", rb"\bsk-[0-9A-Za-z]{40,}\b", "an OpenAI key"),
        (b"sk-ant-", rb"\bsk-ant-[0-9A-Za-z]{2,12}-[0-9A-Za-z_-]{40,}", "an Anthropic key"),
        (b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])", "a Google API key"),
        (b"_live_", rb"\b[sr]k_live_[0-9A-Za-z]{20,}", "a Stripe key"),
        (b"pypi-AgE", rb"\bpypi-AgE[0-9A-Za-z_-]{50,}", "a PyPI token"),
        (b"npm_", rb"\bnpm_[0-9A-Za-z]{36}\b", "an npm token"),
    )
)

# A long random string that is assigned to a name which says what it is.
_NAMES = (b"api_key", b"apikey", b"api-key", b"secret", b"access_token", b"auth_token")
_ASSIGNED = re.compile(
    rb"""(?i)(?:api[_-]?key|secret(?:[_-]?(?:access[_-])?key)?|(?:access|auth)_token)["'\]]*\s*[=:]\s*["']([0-9A-Za-z+/=_-]{32,})["']"""
)


def is_secret_name(path: PurePath) -> bool:
    """Whether a file of that name holds a secret, whatever is in it."""
    if path.name in _TEMPLATES:
        return False
    return path.name in _FILES or path.name.startswith(".env.") or path.suffix in _SUFFIXES


def find_secret(data: bytes) -> tuple[int, str] | None:
    """(line, what it looks like) of the first secret of the first kind that is in a file's content."""
    for word, pattern, what in _TEXTS:
        found = pattern.search(data) if word in data else None
        if found:
            return _line(data, found.start()), what
    lower = data.lower()
    if any(name in lower for name in _NAMES):
        for found in _ASSIGNED.finditer(data):
            if _is_random(found[1]):
                return _line(data, found.start()), "a key"
    return None


def _line(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _is_random(text: bytes) -> bool:
    """Whether it is a key and no word: digits among letters, and close to the entropy of random hexadecimal digits."""
    if not (re.search(rb"\d.*\d.*\d", text) and re.search(rb"[A-Za-z]", text)):
        return False
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares) > 3.3
