"""From the plain values of a YAML page to frozen dataclasses, with every key and type checked."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ...errors import UserError, did_you_mean

T = TypeVar("T")


def find_page(name: str, shipped: Path, what: str) -> Path:
    """Return the file of a page of YAML: a name in the folder of those that ship, or a path of the user's.

    Raises
    ------
    UserError
        None is shipped under that name. A path that leads nowhere is said when it is read.
    """
    own = name.endswith((".yaml", ".yml"))
    path = Path(name) if own else shipped / f"{name}.yaml"
    if own or path.is_file():
        return path
    known = [page.stem for page in shipped.glob("*.yaml")]
    raise UserError(f"{what} {name!r}: {did_you_mean(name, known)} Your own: give its path, ending in .yaml")


def build(kind: type[T], values: object, where: str) -> T:
    """Make a dataclass of a mapping, checking keys and types; nested dataclasses, lists and mappings are made too.

    Raises
    ------
    UserError
        A key is unknown or missing, or a value has the wrong type; ``where`` and the key are named.
    """
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected 'key: value' pairs, found {values!r}")
    hints = get_type_hints(kind)
    for key in values:
        if key not in hints:
            raise UserError(f"{where}: unknown key {key!r}; {did_you_mean(key, hints)}")
    for declared in fields(kind):  # type: ignore[arg-type]
        required = declared.default is MISSING and declared.default_factory is MISSING
        if required and declared.name not in values:
            raise UserError(f"{where}: the key {declared.name!r} is missing")
    return kind(**{key: _convert(hints[key], value, f"{where}: {key}") for key, value in values.items()})


def _convert(hint: Any, value: object, where: str) -> Any:  # noqa: ANN401  types are data here
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _convert_union(inner, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise UserError(f"{where}: expected a list, found {value!r}")
        return tuple(_convert(inner[0], item, where) for item in value)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise UserError(f"{where}: expected 'key: value' pairs, found {value!r}")
        return {key: _convert(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint in _SCALARS:
        return _SCALARS[hint](value, where)
    return build(hint, value, where)


def _convert_union(options: tuple[Any, ...], value: object, where: str) -> Any:  # noqa: ANN401
    """Take ``X | None`` and ``str | float``."""
    if value is None and type(None) in options:
        return None
    if isinstance(value, str) and str in options:
        return value
    rest = [option for option in options if option not in (type(None), str)] or [str]
    return _convert(rest[0], value, where)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{where}: expected text, found {value!r}; put it in quotes if it is a name")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{where}: expected a number, found {value!r}")
    return float(value)


def _switch(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise UserError(f"{where}: expected true or false, found {value!r}")
    return value


_SCALARS: dict[type, Callable[[object, str], Any]] = {str: _text, float: _number, bool: _switch}
