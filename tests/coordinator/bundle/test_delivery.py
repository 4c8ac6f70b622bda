"""How the config reaches the program, in the kernel: arguments, Hydra's overrides, variables, written files."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from coordinator.bundle.delivery import as_json, as_toml, as_yaml, delivered, digest_of_values, hydra_text, words_of
from coordinator.project.values import digest_of_values as digest_at_home

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = TEXT | st.sampled_from(
    ["on", "y", "No", "null", "1", "1e5", "a b", "a.b", "~", "-", "#", "lambda", "batch-size"]
)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | NUMBERS
    | TEXT
    | st.sampled_from(["1e-5", "2020-01-05", "yes", "0x10", "1:30", "=", "<<"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
CONFIGS = st.dictionaries(NAMES, VALUES, max_size=4)
HYDRA_KEYS = st.from_regex(r"[a-z][a-z0-9_ :.,=-]*[a-z]_", fullmatch=True)
HYDRA = st.recursive(
    st.none()
    | st.booleans()
    | NUMBERS
    | TEXT
    | st.sampled_from(["it's", "a\\'b", "null", "1", "a,b", "[a]", "${x}", " a "]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HYDRA_KEYS, inner, max_size=3),
    max_leaves=8,
)
NO_NULLS = st.recursive(
    st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(config=CONFIGS)
def test_written_yaml_is_read_as_the_same_values(config: dict[str, Any]) -> None:
    """By PyYAML in C and in Python; as JSON, too."""
    text = as_yaml(config, {})
    for loader in filter(None, (yaml.SafeLoader, getattr(yaml, "CSafeLoader", None))):
        found = yaml.load(text, Loader=loader)
        assert json.dumps(found, sort_keys=True) == json.dumps(config, sort_keys=True), text
    assert json.loads(as_json(config, {})) == config


@settings(max_examples=150, deadline=None)
@given(config=st.dictionaries(NAMES, NO_NULLS, max_size=4))
def test_written_toml_is_read_as_the_same_values(config: dict[str, Any]) -> None:
    """It has no null."""
    text = as_toml(config, {})
    assert json.dumps(tomllib.loads(text), sort_keys=True) == json.dumps(config, sort_keys=True), text


def test_numbers_have_a_dot() -> None:
    """YAML 1.1 takes 1e-05 for text."""
    assert as_yaml({"lr": 1e-05, "big": 1e22, "list": [1e-05]}, {}) == "lr: 1.0e-05\nbig: 1.0e+22\nlist: [1.0e-05]\n"


def test_keys_and_dates_that_are_no_text() -> None:
    """They stand as they did in the program's own file."""
    how = {"bare_keys": {"names.0": "0", "True": "on"}, "bare_values": ["day"]}
    text = as_yaml({"names": {"0": "cat", "1": "dog"}, "True": 1, "day": "2020-01-05"}, how)
    assert text == 'names:\n  0: "cat"\n  "1": "dog"\non: 1\nday: 2020-01-05\n'
    assert as_yaml({"day": "later: 1"}, how) == 'day: "later: 1"\n'


def test_a_file_that_has_the_values_is_not_written() -> None:
    """Whatever the order of the names; both sides have the same digest."""
    how = {
        "kind": "written",
        "path": "a.json",
        "format": "json",
        "unchanged": digest_at_home({"a": 1, "b": {"c": 2.0}}),
    }
    assert digest_of_values({"b": {"c": 2.0}, "a": 1}) == how["unchanged"]
    assert delivered({"b": {"c": 2.0}, "a": 1}, how) == ([], {}, {})
    assert delivered({"b": {"c": 3.0}, "a": 1}, how)[2].keys() == {"a.json"}


def test_environment() -> None:
    """A name for each value; what is null is not set."""
    config = {
        "lr": 1e-05,
        "amp": True,
        "none": None,
        "optim": {"batch-size": 4, "betas": [0.9, "x"]},
        "text": "a b",
        "d": {},
    }
    assert delivered(config, {"kind": "environment"}) == (
        [],
        {"LR": "1e-05", "AMP": "true", "OPTIM_BATCH_SIZE": "4", "OPTIM_BETAS": '[0.9, "x"]', "TEXT": "a b", "D": "{}"},
        {},
    )


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ({"kind": "value", "flag": "--lr", "default": 1}, 1.0, []),
        ({"kind": "value", "flag": "--lr", "default": True}, 1, ["--lr", "1"]),
        ({"kind": "value", "flag": "--lr", "default": 0.1}, -1e-05, ["--lr=-1e-05"]),
        ({"kind": "value", "flag": "--lr"}, None, []),
        ({"kind": "value", "flag": "--text", "default": ""}, "--x", ["--text=--x"]),
        ({"kind": "value", "flag": "--json"}, {"a": [1]}, ["--json", '{"a": [1]}']),
        ({"kind": "value", "flag": "--pre", "true": "True", "false": ""}, False, ["--pre", ""]),
        ({"kind": "switch", "flag": "--amp", "default": False}, True, ["--amp"]),
        ({"kind": "switch", "flag": "--amp", "off": "--no-amp", "default": True}, False, ["--no-amp"]),
        ({"kind": "switch", "flag": "--amp"}, False, []),
        ({"kind": "count", "flag": "-v", "default": 1}, 3, ["-v", "-v"]),
        ({"kind": "list", "flag": "--n"}, [-1e-05, 2], ["--n", "-0.00001", "2"]),
        ({"kind": "list", "flag": "--n"}, [], ["--n"]),
        ({"kind": "repeated", "flag": "--tag"}, ["a", "-b"], ["--tag", "a", "--tag=-b"]),
        ({"kind": "positional"}, ["a", "b"], ["a", "b"]),
        ({"kind": "positional"}, "a", ["a"]),
    ],
)
def test_words_of_a_flag(flag: dict[str, Any], value: Any, words: list[str]) -> None:
    """Each kind of flag."""
    assert words_of({"path": "x", **flag}, value) == words


def test_a_value_that_the_config_lacks_gives_no_words() -> None:
    """It is among the arguments of the launch."""
    assert delivered({}, {"kind": "arguments", "flags": [{"path": "a.b", "kind": "value", "flag": "--b"}]}) == (
        [],
        {},
        {},
    )


@settings(max_examples=150, deadline=None)
@given(value=HYDRA)
def test_hydra_reads_its_values_back(value: Any) -> None:
    """Hydra's own parser of overrides, where it is installed."""
    parser = pytest.importorskip("hydra.core.override_parser.overrides_parser")
    found = parser.OverridesParser.create().parse_override(f"a={hydra_text(value)}").value()
    assert json.dumps(_plain(found), sort_keys=True) == json.dumps(value, sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.text if hasattr(value, "text") else value
