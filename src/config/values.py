"""One value against the key it is given for: type, choices and bounds."""

from typing import Any

from .keys import Key, nearest
from .layers import Given

_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of texts, such as [A, B]",
}


def checked(key: Key, given: Given) -> Any:
    """Return the value as the key's type.

    Raises
    ------
    UserError
        The value is of another type, not among the choices, outside the bounds, or reaches for the environment.
    """
    value = _typed(key, given)
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    for item in items:
        if isinstance(item, str) and ("${" in item or item == "???"):
            raise given.error(
                f"{key.path}: {item!r} is not filled in from elsewhere; write the value itself, "
                "or let the shell put it in"
            )
        if key.choices and item not in key.choices:
            raise given.error(
                f"{key.path} cannot be {item!r}; did you mean {nearest(str(item), key.choices)!r}? "
                f"It takes {', '.join(key.choices)}"
            )
    if isinstance(value, list) and len(set(value)) < len(value):
        raise given.error(f"{key.path} names {_first_twice(value)!r} twice; keep one")
    if key.bounds and not key.bounds[0] <= value <= key.bounds[1]:
        raise given.error(f"{key.path} must lie between {key.bounds[0]} and {key.bounds[1]}; given {shown(given)}")
    return float(value) if key.type is float else value


def shown(given: Given) -> str:
    """Return the value as the user wrote it, or as near to it as is known."""
    if given.text is not None:
        return given.text
    return "null" if given.value is None else repr(given.value)


def _typed(key: Key, given: Given) -> Any:
    value = given.value
    if value is None and key.optional:
        return None
    if key.type is str and isinstance(value, (bool, int, float)) and given.text is not None:
        return given.text.strip()  # a run folder may be called 2024
    if key.type is float and _is_number(value):
        return value
    if type(value) is not key.type:
        hint = ", or null" if key.optional else ""
        if key.type is str and value is not None and not isinstance(value, list):
            hint += "; put it in quotes if it is one"
        raise given.error(f"{key.path} takes {_NAMES[key.type]}{hint}; given {shown(given)}")
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, str):
                raise given.error(f"{key.path} takes {_NAMES[list]}; {item!r} is none: put it in quotes if it is text")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _first_twice(values: list[str]) -> str:
    return next(value for place, value in enumerate(values) if value in values[:place])
