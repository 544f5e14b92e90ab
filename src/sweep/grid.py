"""From ``key=a,b,c`` and ``key=0..4`` to the points of a grid."""

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..config.keys import CHOICES
from ..errors import UserError

MOST_POINTS = 1000  # what a Slurm takes as one job array unless its administrator allows more
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_QUOTED = re.compile(r"""'(?:''|[^'])*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_CLOSING = {"[": "]", "{": "}"}


@dataclass(frozen=True)
class Axis:
    """A key and the values it takes, each as it would be typed for a single run."""

    key: str
    texts: tuple[str, ...]


def axes_of(arguments: Sequence[str]) -> list[Axis]:
    """Return the axes of a grid, one for each argument.

    Commas part values, unless they stand in brackets or quotes, as YAML has them; ``0..4`` are the whole numbers from
    0 to 4.

    Raises
    ------
    UserError
        An argument is not ``key=value``, a value is empty or there twice, a range runs backwards, brackets or quotes
        are left open, or the grid has more points than `MOST_POINTS`.
    """
    axes = []
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name.strip():
            raise UserError(f"{argument!r} is not key=value, such as seed=0..4 or model=lstm,raci")
        axes.append(Axis(name.strip(), _values(name.strip(), text)))
    count = math.prod(len(axis.texts) for axis in axes)
    if count > MOST_POINTS:
        raise UserError(f"the grid has {count} points and a sweep at most {MOST_POINTS}; part it into several")
    return axes


def grid(axes: Sequence[Axis]) -> Iterator[tuple[str, ...]]:
    """Yield the overrides of each point; the last axis varies fastest."""
    for texts in itertools.product(*(axis.texts for axis in axes)):
        yield tuple(f"{axis.key}={text}" for axis, text in zip(axes, texts, strict=True))


def varied(axes: Sequence[Axis], overrides: Sequence[str]) -> tuple[str, ...]:
    """Return those overrides of a point in which points of the grid differ."""
    return tuple(text for axis, text in zip(axes, overrides, strict=False) if len(axis.texts) > 1)


def point_name(number: int, differing: Sequence[str]) -> str:
    """Return a name that is a safe folder, unique by its number: ``0003-lstm-seed1-fold2``."""
    words = []
    for override in differing:
        name, _, text = override.partition("=")
        words.append(text if name in CHOICES else name.rpartition(".")[2] + text)
    told = "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", word).strip("_.") for word in words)
    return f"{number:04d}-{told[:80]}".strip("-")


def _values(name: str, text: str) -> tuple[str, ...]:
    parts = _parts(name, text)
    values = [value for part in parts for value in _range(name, part)]
    for place, value in enumerate(values):
        if not value and len(values) > 1:
            raise UserError(f"{name}={text}: a value between commas is empty; a comma inside a value wants quotes")
        if value in values[:place]:
            raise UserError(f"{name}={text} names {value} twice; keep one")
    return tuple(values)


def _range(name: str, text: str) -> Iterator[str]:
    """Yield the numbers of ``0..4``, or the text itself."""
    found = _RANGE.fullmatch(text)
    if not found:
        yield text
        return
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise UserError(f"{name}={text} runs backwards; write {last}..{first}")
    if last - first >= MOST_POINTS:
        raise UserError(f"{name}={text} has {last - first + 1} values and a sweep at most {MOST_POINTS} points")
    yield from map(str, range(first, last + 1))


def _parts(name: str, text: str) -> list[str]:
    """Part a text at the commas outside brackets and quotes; a text without any comma comes back as it is."""
    if "," not in text:
        return [text]
    starts, brackets, place, before = [0], "", 0, ","
    while place < len(text):
        letter = text[place]
        if letter in "'\"" and before in ",[{:":  # elsewhere it is an apostrophe
            quoted = _QUOTED.match(text, place)
            if quoted is None:
                raise UserError(f"{name}={text}: {letter} is not closed")
            place = quoted.end() - 1
        elif letter in _CLOSING:
            brackets += _CLOSING[letter]
        elif brackets and letter == brackets[-1]:
            brackets = brackets[:-1]
        elif letter == "," and not brackets:
            starts.append(place + 1)
        before = before if letter.isspace() else letter
        place += 1
    if brackets:
        raise UserError(f"{name}={text}: {brackets[-1]} is missing; close the bracket, or quote the value")
    if len(starts) == 1:
        return [text]
    ends = [*(start - 1 for start in starts[1:]), len(text)]
    return [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
