"""YAML read strictly: what a person meant is what comes back.

Plain YAML 1.1, which PyYAML reads, takes the site code ``NO`` for false, ``12:30`` for 750, ``1e-3`` for text,
``2001-01-31`` for a date and lets the later of two equal keys win. Here scalars follow the core schema of YAML 1.2.2
(section 10.3.2), and a key given twice or a key without a value is refused.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from .errors import UserError

_SAY_WHAT_YOU_MEAN = "give one, or write null or '' if you mean nothing"


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2 and without silent repairs."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own declaration

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
                raise _refusal(key_node, f"the key {key_node.value!r} is not text; put it in quotes")
            if key_node.value in seen:
                raise _refusal(key_node, f"the key {key_node.value!r} is given twice; keep one")
            if _is_bare(value_node):
                raise _refusal(key_node, f"the key {key_node.value!r} has no value; {_SAY_WHAT_YOU_MEAN}")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)

    def construct_sequence(self, node: yaml.SequenceNode, deep: bool = False) -> list[Any]:
        for item in node.value:
            if _is_bare(item):
                raise _refusal(item, f"a list item has no value; {_SAY_WHAT_YOU_MEAN}")
        return super().construct_sequence(node, deep)


def _add_scalar(kind: str, pattern: str, first_letters: str) -> None:
    whole = re.compile(rf"^(?:{pattern})$")
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", whole, list(first_letters))


_add_scalar("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_add_scalar("null", "null|Null|NULL|~", "nN~")
_add_scalar("int", r"[-+]?[0-9]+", "-+0123456789")
_add_scalar("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789")
_add_scalar("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.")
_StrictLoader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))  # YAML 1.1 reads 010 as eight


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping; a file of nothing but comments is an empty mapping.

    Raises
    ------
    UserError
        The file is missing or unreadable, is not YAML, is not a mapping, gives a key twice or leaves one without a
        value; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    loaded = parse_yaml(text, str(path))
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UserError(f"{path}: expected 'key: value' lines at the top level, found a {type(loaded).__name__}")
    return loaded


def parse_yaml(text: str, origin: str) -> Any:  # noqa: ANN401  whatever the text says
    """Read YAML text, such as the value of a command-line override.

    Parameters
    ----------
    text : the YAML.
    origin : what the text is called in a message, such as a file name.

    Raises
    ------
    UserError
        As for `load_yaml`.
    """
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{origin}{line}: {_one_line(error.problem)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{origin}: is not YAML ({_one_line(str(error))})") from None


def _is_bare(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == "" and node.style is None


def _refusal(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _one_line(text: str | None) -> str:
    return " ".join((text or "not YAML").split())
