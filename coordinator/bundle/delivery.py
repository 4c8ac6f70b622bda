"""Brings the resolved config to the program: as arguments, as variables of the environment, or as a file of its own.

It is part of every kernel, and uses the standard library only (so it has no `from __future__` import). The coordinator
says how, in JSON-like data (see project/declaration/ways.py); `kind` is one of

    file         nothing: the program reads the file that COORD_CONFIG names
    arguments    `flags`: for each value its path, the words that give it, and the program's default
    hydra        `defaults`: what the program composes by itself
    environment  NAME=value for every value
    written      `path` of a YAML, JSON or TOML file, which is written unless the values are those that it has

Only what differs from the program's own default is passed, and what it requires.
"""

import decimal
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping

Words = list[str]
Table = Mapping[str, object]

NOTHING = object()
"""Stands for a value that a config does not have."""


def delivered(config: Table, how: Table) -> tuple[Words, dict[str, str], dict[str, str]]:
    """(arguments, variables of the environment, path of a file -> its text) that give the program this config."""
    kind = how["kind"]
    if kind == "arguments":
        return (
            [word for flag in _tables(how["flags"]) for word in words_of(flag, at(config, str(flag["path"])))],
            {},
            {},
        )
    if kind == "hydra":
        return hydra_words(config, how), {}, {}
    if kind == "environment":
        return [], {variable(path): text_of(value) for path, value in values_of(config) if value is not None}, {}
    if kind == "written" and digest_of_values(config) != how.get("unchanged"):
        return [], {}, {str(how["path"]): FORMATS[str(how["format"])](config, how)}
    return [], {}, {}


def at(config: Table, path: str) -> object:
    """The value at a dotted path."""
    found: object = config
    for key in path.split("."):
        found = found.get(key, NOTHING) if isinstance(found, dict) else NOTHING
    return found


def values_of(config: Table, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is no section, with its dotted path."""
    for key, value in config.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from values_of(value, here)
        else:
            yield here, value


def digest_of_values(config: Table) -> str:
    """Says whether two configs have the same values; the order of their names makes no difference."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode("utf-8", "replace")).hexdigest()


def same(value: object, other: object) -> bool:
    """Whether two values are the same; 1 and 1.0 are, 1 and true are not."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True) or (
        isinstance(value, int | float) and type(value) is not bool and type(other) is not bool and value == other
    )


def _tables(value: object) -> list[Table]:
    return value if isinstance(value, list) else []


# --- arguments


def words_of(flag: Table, value: object) -> Words:
    """The words that give a flag this value; none where the program has it by itself."""
    if value is NOTHING or value is None or ("default" in flag and same(value, flag["default"])):
        return []
    kind, name = flag["kind"], str(flag.get("flag", ""))
    if kind == "switch":  # two names, one of which may be missing: `--amp` and `--no-amp`
        chosen = flag.get("flag" if value else "off")
        return [str(chosen)] if chosen else []
    if kind == "count" and isinstance(value, int):
        start = flag.get("default")
        return [name] * (value - (start if isinstance(start, int) else 0))
    items = value if isinstance(value, list) else [value]
    texts = [_argument(item, flag) for item in items]
    if kind == "positional":
        return texts
    if kind == "repeated":
        return [word for text in texts for word in _given(name, text)]
    if kind == "list":
        return [name, *map(_without_exponent, texts)]
    return _given(name, texts[0] if texts else "")


def _given(name: str, text: str) -> Words:
    """`--lr 0.1`; what begins with a dash would be taken for an option, so it is `--lr=-1e-05`."""
    return [f"{name}={text}"] if text.startswith("-") else [name, text]


def _argument(value: object, flag: Table) -> str:
    if isinstance(value, bool):
        return str(flag.get("true", "true") if value else flag.get("false", "false"))
    return text_of(value)


def _without_exponent(text: str) -> str:
    """In a list, argparse takes -0.00001 for a number and -1e-05 for an option."""
    if re.fullmatch(r"-[\d.]+e[-+]?\d+", text):
        return format(decimal.Decimal(text), "f")
    return text


def text_of(value: object) -> str:
    """A value as text: text itself, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def variable(path: str) -> str:
    """The variable for a dotted path: OPTIM_LR for optim.lr."""
    return re.sub(r"\W", "_", path).upper()


# --- Hydra


def hydra_words(config: Table, how: Table) -> Words:
    """Overrides of what Hydra composes: options of groups, and values; `+` and `++` add what it lacks."""
    defaults = how["defaults"]
    known = defaults if isinstance(defaults, dict) else {}
    words = []
    for path, value in values_of(config):
        before = at(known, path)
        if before is not NOTHING and same(value, before):
            continue
        if before == "???" and value is None:  # the program itself fills it in
            continue
        group = path.removeprefix("defaults.") if path.startswith("defaults.") else ""
        if group and value is None:
            words.append(f"~{group}")
        elif group:
            added = how.get("added")
            plus = "+" if isinstance(added, list) and group in added else ""
            words.append(f"{plus}{group}={hydra_text(value)}")
        elif value != {} or before is NOTHING:
            words.append(f"{'++' if before is NOTHING else ''}{path}={hydra_text(value)}")
    return words


def hydra_text(value: object) -> str:
    """A value in Hydra's grammar of overrides, in which everything but a plain word is quoted."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_hydra_key(key)}:{hydra_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(hydra_text, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    is_word = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_/.+-]*", value) and value.lower() not in (
        "null",
        "true",
        "false",
        "nan",
        "inf",
    )
    if is_word:
        return value
    # Only backslashes before a quote count: all others stand for themselves.
    quoted = re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    return f"'{quoted}'"


def _hydra_key(key: str) -> str:
    """A key cannot be quoted: what would end it is escaped."""
    return re.sub(r"([\\()\[\]{}:=, \t])", r"\\\1", key)


# --- files


def as_yaml(config: Table, how: Table) -> str:
    """YAML that PyYAML reads as the same values: texts are quoted, and small numbers have a dot (1.0e-05)."""
    return "".join(f"{line}\n" for line in _yaml_lines(config, how, "", "")) or "{}\n"


def _yaml_lines(table: Table, how: Table, path: str, indent: str) -> Iterator[str]:
    for key, value in table.items():
        here = f"{path}.{key}" if path else key
        name = indent + _yaml_key(key, here, how)
        if isinstance(value, dict) and value:
            yield f"{name}:"
            yield from _yaml_lines(value, how, here, indent + "  ")
        else:
            yield f"{name}: {_yaml_value(value, here, how)}"


def _yaml_key(key: str, path: str, how: Table) -> str:
    bare = how.get("bare_keys")
    if isinstance(bare, dict) and path in bare:
        return str(bare[path])
    # Words that YAML 1.1 takes for true, false or null are no names.
    words = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
    return key if re.fullmatch(r"[A-Za-z_][\w-]*", key, re.ASCII) and key.lower() not in words else _yaml_text(key)


def _yaml_value(value: object, path: str, how: Table) -> str:
    if isinstance(value, dict):
        items = value.items()
        return (
            "{"
            + ", ".join(f"{_yaml_key(k, f'{path}.{k}', how)}: {_yaml_value(v, f'{path}.{k}', how)}" for k, v in items)
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_yaml_value(item, f"{path}.{index}", how) for index, item in enumerate(value)) + "]"
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    if isinstance(value, str):
        return value if _is_date(value, path, how) else _yaml_text(value)
    return json.dumps(value)


def _is_date(value: str, path: str, how: Table) -> bool:
    bare = how.get("bare_values")
    return isinstance(bare, list) and path in bare and re.fullmatch(r"[\d:T .Z+-]+|-?\.(inf|nan)", value) is not None


def _yaml_text(text: str) -> str:
    """In double quotes. JSON's escapes will not do: YAML reads two halves of a character as two."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(each) or _yaml_character(each) for each in text) + '"'


def _yaml_character(each: str) -> str:
    if each.isprintable():
        return each
    return f"\\u{ord(each):04x}" if ord(each) < 0x10000 else f"\\U{ord(each):08x}"


def as_json(config: Table, _how: Table) -> str:
    """JSON, which says by itself what is text."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def as_toml(config: Table, how: Table) -> str:
    """TOML: values first, then a table for each section. It has no null: such a value is left out."""
    return "".join(f"{line}\n" for line in _toml_lines(config, how, "", ""))


def _toml_lines(table: Table, how: Table, path: str, header: str) -> Iterator[str]:
    sections = []
    for key, value in table.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            sections.append((f"{header}.{_toml_key(key)}" if header else _toml_key(key), here, value))
        elif value is not None:
            yield f"{_toml_key(key)} = {_toml_value(value, here, how)}"
    for name, here, section in sections:
        yield f"\n[{name}]"
        yield from _toml_lines(section, how, here, name)


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _yaml_text(key)


def _toml_value(value: object, path: str, how: Table) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(k)} = {_toml_value(v, f'{path}.{k}', how)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(item, f"{path}.{index}", how) for index, item in enumerate(value)) + "]"
    if isinstance(value, str) and not _is_date(value, path, how):
        return _yaml_text(value)
    return value.replace(".inf", "inf").replace(".nan", "nan") if isinstance(value, str) else json.dumps(value)


FORMATS: dict[str, Callable[[Table, Table], str]] = {"yaml": as_yaml, "json": as_json, "toml": as_toml}
