"""Layers of a configuration: what a file or the command line gives, by dotted path, and how layers lie over others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from .keys import KINDS


@dataclass(frozen=True)
class Given:
    """A value someone gave.

    Attributes
    ----------
    value : the value as YAML reads it.
    origin : the file it stands in; empty for the command line.
    text : how it was typed, on the command line only.
    """

    value: Any
    origin: str = ""
    text: str | None = None

    def error(self, problem: str) -> UserError:
        """Return the error to raise about this value, which says where it stands."""
        return UserError(f"{self.origin}: {problem}" if self.origin else problem)


Layer = dict[str, Given]


def flatten(tree: Mapping[str, Any], origin: str, prefix: str = "") -> Layer:
    """Return the leaves of a nested mapping by dotted path; a list is a leaf.

    Raises
    ------
    UserError
        A key is given twice, once nested and once dotted.
    """
    layer: Layer = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        leaves = flatten(value, origin, f"{path}.") if isinstance(value, Mapping) else {path: Given(value, origin)}
        for leaf, given in leaves.items():
            add(layer, leaf, given)
    return layer


def add(layer: Layer, path: str, given: Given) -> None:
    """Put a value into a layer that has none there.

    Raises
    ------
    UserError
        The layer holds the key, a key inside it or the section around it already.
    """
    for other in layer:
        if other == path:
            raise given.error(f"{path} is given twice; keep one")
        if _inside(path, other) or _inside(other, path):
            raise given.error(f"{other} and {path} contradict each other; keep one")
    layer[path] = given


def lay_over(below: Layer, above: Layer) -> Layer:
    """Return both layers as one, the upper one's values first; a section that changes its kind starts afresh."""
    kept = dict(below)
    for section, kinds in KINDS.items():
        selector = f"{section}.{kinds.selector}"
        if selector in above and selector in kept and above[selector].value != kept[selector].value:
            kept = {path: given for path, given in kept.items() if not _inside(path, section)}
    for path in above:
        kept = {q: given for q, given in kept.items() if q != path and not _inside(q, path) and not _inside(path, q)}
    return kept | above


def nest(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Return leaves by dotted path as a nested mapping."""
    tree: dict[str, Any] = {}
    for path, value in leaves.items():
        *sections, name = path.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        node[name] = value
    return tree


def _inside(path: str, section: str) -> bool:
    return path.startswith(f"{section}.")
