"""What is typed on the command line: ``key=value``."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError
from ..yaml_strict import parse_yaml
from .keys import CHOICES
from .layers import Given, Layer, add, flatten

_NULLS = ("null", "~")


@dataclass(frozen=True)
class Typed:
    """What the command line gives: values by dotted path, and options or recipes by group."""

    values: Layer
    choices: Layer


def parse_overrides(overrides: Sequence[str]) -> Typed:
    """Return what is typed; each value is read as YAML.

    Raises
    ------
    UserError
        An argument is not ``key=value``, has no value, is not YAML, or gives a key that another argument gives.
    """
    typed = Typed({}, {})
    for argument in overrides:
        path, equals, text = argument.partition("=")
        path = path.strip()
        if not equals or not path:
            raise UserError(f"{argument!r} is not key=value, such as model.hidden=32")
        value = parse_yaml(text, f"{path}={text}")
        if value is None and text.strip().lower() not in _NULLS:
            raise UserError(f"{path}= has no value; give one, or write null or '\"\"' if you mean it")
        if isinstance(value, dict):
            for leaf, given in flatten(value, "", f"{path}.").items():
                add(typed.values, leaf, given)
        else:
            add(typed.choices if path in CHOICES else typed.values, path, Given(value, text=text))
    return typed
