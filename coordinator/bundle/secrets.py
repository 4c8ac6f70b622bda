"""What must never become part of a kernel's source: files by their names, and texts that are keys wherever they stand.

The patterns are of keys with a fixed form, so that ordinary sources have none. Beside our own, the tables have those of
detect-secrets 1.5, but for its guesses (entropy, public addresses) and for Discord's tokens, which have no fixed part
to search for. The package itself is not used: it takes 0.4 s to import, and over twenty times as long to search.
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

# Each table has (a word that is in every match, the pattern, what it is). A plain search for a word is many times as
# fast as one for a pattern, and most words are only looked for in the few long runs of letters and digits of a file.
_Table = tuple[tuple[bytes, re.Pattern[bytes], str], ...]
_LONG = re.compile(rb"\b[\w+/=-]{20,}")


def _table(*rows: tuple[bytes, bytes, str]) -> _Table:
    return tuple((word, re.compile(pattern), what) for word, pattern, what in rows)


# Keys that can be told by themselves; the word is part of the key.
_KEYS = _table(
    (b"KGAT_", rb"\bKGAT_[0-9A-Za-z]{16,}", "a Kaggle access token"),
    (b"hf_", rb"\bhf_[0-9A-Za-z]{30,}\b", "a Hugging Face token"),
    *((word, rb"\b" + word + rb"[0-9A-Z]{16}\b", "an AWS access key") for word in (b"AKIA", b"ASIA", b"ABIA", b"ACCA")),
    *((word, rb"\b" + word + rb"[0-9A-Za-z]{36}\b", "a GitHub token") for word in (b"ghp_", b"gho_", b"ghu_")),
    *((word, rb"\b" + word + rb"[0-9A-Za-z]{36}\b", "a GitHub token") for word in (b"ghs_", b"ghr_")),
    (b"github_pat_", rb"\bgithub_pat_[0-9A-Za-z_]{60,}", "a GitHub token"),
    (b"gl", rb"\bgl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[0-9A-Za-z_-]{20,}", "a GitLab token"),
    (b"GR1348941", rb"\bGR1348941[0-9A-Za-z_-]{20,}", "a GitLab token"),
    (b"xox", rb"\bxox[abeoprs]-[0-9A-Za-z-]{24,}", "a Slack token"),
    (b"sk-", rb"\bsk-(?:proj|svcacct|admin)-[0-9A-Za-z_-]{40,}", "an OpenAI key"),
    (b"sk-", rb"\bsk-[0-9A-Za-z]{40,}\b", "an OpenAI key"),
    (b"sk-ant-", rb"\bsk-ant-[0-9A-Za-z]{2,12}-[0-9A-Za-z_-]{40,}", "an Anthropic key"),
    (b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])", "a Google API key"),
    (b"k_live_", rb"\b[sr]k_live_[0-9A-Za-z]{20,}", "a Stripe key"),
    (b"pypi-AgE", rb"\bpypi-AgE[0-9A-Za-z_-]{50,}", "a PyPI token"),
    (b"npm_", rb"\bnpm_[0-9A-Za-z]{36}\b", "an npm token"),
    (b"_authToken=", rb"/:_authToken=[0-9A-Fa-f-]{36}\b", "an npm token"),
    (b"eyJhcGlfYWRkcmVzcyI6", rb"\beyJhcGlfYWRkcmVzcyI6[0-9A-Za-z+/=_-]{40,}", "a Neptune token"),
    (b"eyJ", rb"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{20,}", "a JSON web token"),
    (b"AccountKey=", rb"\bAccountKey=[0-9A-Za-z+/=]{88}", "an Azure storage key"),
    (b"-us", rb"\b[0-9a-f]{32}-us[0-9]{1,2}\b", "a Mailchimp key"),
    (b"SK", rb"\bSK[0-9a-f]{32}\b", "a Twilio key"),
    (b"sq0csp-", rb"\bsq0csp-[0-9A-Za-z_-]{43}", "a Square key"),
    (b"AKCp", rb"\bAKCp[0-9A-Za-z]{40,}\b", "an Artifactory key"),
)
# Keys that are told by what stands before them.
_NAMED = _table(
    (b'"key"', rb'"key"\s*:\s*"[0-9a-f]{32}"', "a Kaggle API key"),
    (b"KAGGLE_KEY", rb"""KAGGLE_KEY["'\]]*\s*[=:,]\s*["']?[0-9a-f]{32}\b""", "a Kaggle API key"),
    (b"WANDB_API_KEY", rb"""WANDB_API_KEY["'\]]*\s*[=:,]\s*["']?[0-9a-f]{40}\b""", "a Weights & Biases key"),
    (b"wandb.login", rb"""wandb\.login\([^)]{0,80}["'][0-9a-f]{40}["']""", "a Weights & Biases key"),
    (b"COMET_API_KEY", rb"""COMET_API_KEY["'\]]*\s*[=:,]\s*["']?[0-9A-Za-z]{25}\b""", "a Comet key"),
    (b"hooks.slack.com", rb"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{20,}", "a Slack webhook"),
    (b"SG.", rb"\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}\b", "a SendGrid key"),
    (b":AA", rb"\b[0-9]{8,10}:AA[0-9A-Za-z_-]{33}\b", "a Telegram token"),
    (b"cloudant", rb"""(?i)cloudant\w*["'\]]*\s*[=:]\s*["'][0-9a-f]{64}["']""", "a Cloudant key"),
    (b"api.softlayer.com", rb"api\.softlayer\.com/soap/v3(?:\.1)?/[0-9a-z]{64}", "a SoftLayer key"),
)
# What is told without a long run of letters and digits.
_OTHERS = _table(
    (b"PRIVATE KEY", rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----", "a private key"),
    (b"PuTTY-User-Key-File", rb"PuTTY-User-Key-File-[23]: ", "a private key"),
    (b"://", rb"://[\w.+-]{1,64}:(?=[^@\s]*[0-9])(?=[^@\s]*[A-Za-z])[\w!#+.~-]{10,64}@\w", "a password in an address"),
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
    long = b" ".join(_LONG.findall(data))
    found = _first(_KEYS, data, long) or _first(_OTHERS, data, data)
    if found is None and any(digit in long for digit in b"0123456789"):
        found = _first(_NAMED, data, data) or _assigned(data)
    return found


def _first(table: _Table, data: bytes, words: bytes) -> tuple[int, str] | None:
    """Of the table's kinds whose word is in `words`, the first that is in `data`."""
    for word, pattern, what in table:
        found = pattern.search(data) if word in words else None
        if found:
            return _line(data, found.start()), what
    return None


def _assigned(data: bytes) -> tuple[int, str] | None:
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
