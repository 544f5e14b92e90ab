"""One value against the key it is given for: type, choices and bounds."""

from .keys import Key, nearest
from .layers import Given

_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of texts, such as [A, B]",
}


def checked(key: Key, given: Given) -> object:
    """Return the value as the key's type.

    Raises
    ------
    UserError
        The value is of another type, not among the choices, outside the bounds, or reaches for the environment.
    """
    value = given.value
    if value is None and key.optional:
        return None
    if key.type is str and isinstance(value, bool | int | float) and given.text is not None:
        value = given.text.strip()  # a run folder may be called 2024
    if key.type is float and type(value) is int:
        _check_bounds(key, given, value)
        return float(value)
    if type(value) is not key.type:
        raise given.error(f"{key.path} takes {_NAMES[key.type]}{_hint(key, value)}; given {shown(given)}")
    if isinstance(value, str):
        _check_text(key, given, value)
    elif isinstance(value, list):
        _check_list(key, given, value)
    elif isinstance(value, int | float):
        _check_bounds(key, given, value)
    return value


def shown(given: Given) -> str:
    """Return the value as the user wrote it, or as near to it as is known."""
    if given.text is not None:
        return given.text
    return "null" if given.value is None else repr(given.value)


def _hint(key: Key, value: object) -> str:
    if key.optional:
        return " or null"
    return " (put it in quotes if it is one)" if key.type is str and isinstance(value, bool | int | float) else ""


def _check_text(key: Key, given: Given, text: str) -> None:
    if "${" in text or text == "???":
        raise given.error(
            f"{key.path}: {text!r} is not filled in from elsewhere; write the value itself, or let the shell put it in"
        )
    if key.choices and text not in key.choices:
        raise given.error(
            f"{key.path} cannot be {text!r}; did you mean {nearest(text, key.choices)!r}? "
            f"It takes {', '.join(key.choices)}"
        )


def _check_list(key: Key, given: Given, items: list[object]) -> None:
    for place, item in enumerate(items):
        if not isinstance(item, str):
            raise given.error(f"{key.path} takes {_NAMES[list]}; {item!r} is none: put it in quotes if it is text")
        _check_text(key, given, item)
        if item in items[:place]:
            raise given.error(f"{key.path} names {item!r} twice; keep one")


def _check_bounds(key: Key, given: Given, number: float) -> None:
    if key.bounds and not key.bounds[0] <= number <= key.bounds[1]:  # false for nan
        raise given.error(f"{key.path} must lie between {key.bounds[0]} and {key.bounds[1]}; given {shown(given)}")
