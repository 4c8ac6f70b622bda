"""Decides which addresses may be requested: with TLS only, except on this machine."""

from __future__ import annotations

import ipaddress
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


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
