"""How a config key is declared: its default, its one line of help, and what a value is checked against."""

from dataclasses import field
from typing import Any


def key(default: object, help_: str, **checks: object) -> Any:  # noqa: ANN401  as dataclasses.field
    """Declare a config key: its default, its description, and perhaps ``choices=[...]`` or ``bounds=(low, high)``."""
    metadata = {"help": help_, **checks}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: default.copy(), metadata=metadata)
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)
