"""The proxy that the environment names for an address, and whether its setting can be used at all."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


@dataclass(frozen=True)
class ProxySetting:
    """A variable that names a proxy. Its value is not kept: it may have a password."""

    variable: str
    problem: str = ""
    """Why it cannot be used; empty if it can."""


def proxy_setting(url: str) -> ProxySetting | None:
    """The setting that counts for the address; None if none does."""
    try:
        value = select_proxy(url, get_environ_proxies(url))
    except ValueError:  # of an address in no_proxy
        return ProxySetting("no_proxy", "it has an address that cannot be read")
    if not value:
        return None
    scheme = urlsplit(url).scheme
    names = [name for each in (f"{scheme}_proxy", "all_proxy") for name in (each, each.upper())]
    variable = next((name for name in names if os.environ.get(name) == value), "the system's proxy setting")
    return ProxySetting(variable, _problem(value))


def _problem(value: str) -> str:
    if any(character.isspace() or not character.isprintable() for character in value):
        return "it has a space or a line break in it"
    malformed = "it is not an address such as http://host:port"
    try:
        parts = urlsplit(prepend_scheme_if_needed(value, "http"))
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return malformed
    if parts.scheme not in _SCHEMES:
        return f"its scheme is none of {', '.join(_SCHEMES)}"
    if not (parts.hostname and has_port) or set(parts.hostname) & set("*<>{}|\\^`\"'%"):
        return malformed
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socks") is None:
        return "a SOCKS proxy needs one more package: pip install pysocks"
    return ""
