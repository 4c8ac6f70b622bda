"""Decides which addresses may be requested: with TLS only, except on this machine."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine. No name is looked up: only `localhost` and IP addresses can be."""
    host = _host(url)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe(url: str, *, from_here: bool = True) -> bool:
    """Whether the address is over TLS, or on this machine (which only someone on this machine may send us to)."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        return False
    return bool(_host(url)) and (scheme == "https" or (scheme == "http" and from_here and is_loopback(url)))


def is_address(url: str) -> bool:
    """Whether it is the address of a server: scheme, host, perhaps a port and a path, and nothing else."""
    try:
        parts = urlsplit(url)
        has_host = bool(re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", parts.hostname or "", re.ASCII)) and parts.port != 0
    except ValueError:
        return False
    is_bare = not (parts.query or parts.fragment or "@" in parts.netloc or any(map(str.isspace, url)))
    return parts.scheme in ("http", "https") and has_host and is_bare and url.isprintable()


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
