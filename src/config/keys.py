"""Every key the schema knows, by its dotted path, and what a value of it must be."""

import dataclasses
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from omegaconf import MISSING

from .models import MODELS
from .paper_models import PAPER_MODELS
from .schema import Config
from .sources import SIMULATIONS, SOURCES

GROUPS = ("data", "model", "transfer", "trainer", "logger")
EXPERIMENT = "experiment"
CHOICES = (*GROUPS, EXPERIMENT)  # set by the name of a file


@dataclass(frozen=True)
class Kinds:
    """A section that comes in several kinds, told apart by one of its keys."""

    table: Mapping[str, type]
    selector: str  # the key that holds the kind
    optional: bool = False  # the whole section may be null


KINDS: dict[str, Kinds] = {
    "data.source": Kinds(SOURCES, "kind"),
    "data.simulation": Kinds(SIMULATIONS, "kind", optional=True),
    "model": Kinds(MODELS | PAPER_MODELS, "name"),
}


@dataclass(frozen=True)
class Key:
    """A leaf of the schema.

    Attributes
    ----------
    path : dotted path, such as ``data.split.folds``.
    type : ``str``, ``int``, ``float``, ``bool`` or ``list`` (of text).
    optional : whether null is a value of it.
    default : the default; ``MISSING`` where a recipe or the user must give one.
    help : the one-line description.
    choices : the values allowed, empty if any.
    bounds : closed range of a number.
    """

    path: str
    type: type
    optional: bool
    default: Any
    help: str
    choices: tuple[str, ...]
    bounds: tuple[float, float] | None

    @property
    def required(self) -> bool:
        """Whether nothing stands in for it when nobody gives it."""
        return isinstance(self.default, str) and self.default == MISSING


def keys_of(kinds: Mapping[str, str], root: type = Config) -> dict[str, Key]:
    """Return the keys of a configuration whose sections are of these kinds.

    Parameters
    ----------
    kinds : for a path of `KINDS`, the kind chosen; the keys of a section without one are left out.
    root : the dataclass to walk.
    """
    return {key.path: key for key in _walk(root, "", kinds)}


def kind_keys(path: str, kind: str) -> dict[str, Key]:
    """Return the keys that the section ``path`` has when it is of this kind."""
    return {key.path: key for key in _walk(KINDS[path].table[kind], f"{path}.", {})}


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the word most like the given one; of a dotted path, the last part may count alone."""

    def likeness(candidate: str) -> tuple[float, float]:
        whole = SequenceMatcher(None, candidate, word).ratio()
        last = SequenceMatcher(None, candidate.rpartition(".")[2], word.rpartition(".")[2]).ratio()
        return max(whole, 0.9 * last), whole

    return max(words, key=likeness)


def _walk(section: type, prefix: str, kinds: Mapping[str, str]) -> Iterator[Key]:
    hints = typing.get_type_hints(section)
    for field in dataclasses.fields(section):
        path = prefix + field.name
        if path in KINDS:
            if path in kinds:
                yield from _walk(KINDS[path].table[kinds[path]], f"{path}.", kinds)
        elif dataclasses.is_dataclass(hints[field.name]):
            yield from _walk(hints[field.name], f"{path}.", kinds)
        else:
            yield _leaf(path, field, hints[field.name])


def _leaf(path: str, field: "dataclasses.Field[Any]", hint: object) -> Key:
    return Key(
        path=path,
        type=_plain(hint),
        optional=isinstance(hint, types.UnionType),
        default=field.default if field.default_factory is dataclasses.MISSING else field.default_factory(),
        help=field.metadata["help"],
        choices=tuple(field.metadata.get("choices", ())),
        bounds=field.metadata.get("bounds"),
    )


def _plain(hint: object) -> type:
    """Return ``int`` for ``int | None`` and ``list`` for ``list[str]``."""
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    plain = typing.get_origin(hint) or hint
    assert isinstance(plain, type)
    return plain
