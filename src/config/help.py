"""The text of ``--help``: how to call, what each group offers, and every key."""

import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from omegaconf import MISSING

from .compose import CONFIGS
from .keys import CHOICES, KINDS, Key, keys_of, kind_keys

WIDTH = 100
_NAMES = {str: "text", int: "whole number", float: "number", bool: "true/false", list: "list of texts"}

USAGE = """\
usage: python scripts/train.py [GROUP=OPTION ...] [KEY=VALUE ...] [FLAG]

  --validate      check everything that can be checked beforehand, say what would run, start nothing
  --print-config  print the whole configuration as YAML, start nothing
  --help          print this text

  python scripts/train.py                                          the default experiment
  python scripts/train.py experiment=fluxnet2015_gpp seed=1        a recipe, one key changed
  python scripts/train.py data=mine.yaml transfer=scratch          your own data file
  python scripts/train.py model.retrieval.enabled=false            RACI without retrieval
  python scripts/train.py resume=runs/NAME/ID                      go on with a run

Later beats earlier: defaults below, configs/train.yaml, the options of the groups, the experiment's recipe, the command
line. Values are YAML 1.2: NO is text, 1e-3 a number, [A, B] a list, null nothing."""


def help_text(folder: Path = CONFIGS) -> str:
    """Return the help, at most `WIDTH` columns wide.

    Parameters
    ----------
    folder : where the groups and their options are.
    """
    usage = "\n".join(line if line.startswith((" ", "usage")) else textwrap.fill(line, WIDTH) for line in _paragraphs())
    groups = "\n".join(line for group in CHOICES for line in _group(folder, group))
    keys = "\n".join(line for title, section in _sections() for line in _section(title, section))
    return f"{usage}\n\nGROUPS (an option below, or the path of your own YAML file)\n{groups}\n\nKEYS\n{keys}\n"


def _paragraphs() -> list[str]:
    head, _, tail = USAGE.rpartition("\n\n")
    return [*head.split("\n"), "", tail.replace("\n", " ")]


def _group(folder: Path, group: str) -> Iterator[str]:
    yield f"\n  {group}="
    for path in sorted((folder / group).glob("*.yaml")):
        yield from _wrapped(_first_sentence(path) or "-", f"    {path.stem:<22}  ", " " * 28)


def _first_sentence(path: Path) -> str:
    """Return the first sentence of the comment a file opens with."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    comment = " ".join(line.removeprefix("#").strip() for line in lines)
    return re.split(r"(?<=\.)\s+(?=[A-Z])", comment, maxsplit=1)[0]


def _sections() -> Iterator[tuple[str, dict[str, Key]]]:
    """Return a title and the keys of each block of the help."""
    top: dict[str, dict[str, Key]] = {}
    for path, key in keys_of({}).items():
        top.setdefault(path.rpartition(".")[0], {})[path] = key
    for section, keys in top.items():
        yield section or "run", keys
    for section, kinds in KINDS.items():
        twins = [
            other for other, seen in KINDS.items() if seen is not kinds and seen.table.items() <= kinds.table.items()
        ]
        for twin in twins:
            yield f"{section}: null, or the keys of {twin}", {}
        said = {kind for twin in twins for kind in KINDS[twin].table}
        for kind, dataclass in kinds.table.items():
            if kind in said:
                continue
            about = (inspect.getdoc(dataclass) or "").partition("\n")[0]
            yield f"{section}, {kinds.selector}={kind}: {about}", kind_keys(section, kind)


def _section(title: str, keys: dict[str, Key]) -> Iterator[str]:
    yield ""
    yield from _wrapped(title, "  ", "  ")
    for key in keys.values():
        yield from _wrapped(f"{key.path} = {_default(key)}  ({_allowed(key)})", "    ", "        ")
        yield from _wrapped(key.help, "        ", "        ")


def _default(key: Key) -> str:
    if key.default == MISSING:
        return "<to be given>"
    if key.default is None or isinstance(key.default, bool):
        return {None: "null", True: "true", False: "false"}[key.default]
    if isinstance(key.default, list):
        return f"[{', '.join(key.default)}]"
    return re.sub(r"\$\{oc\.env:(\w+),(.*)\}", r"$\1, else \2", str(key.default))


def _allowed(key: Key) -> str:
    if key.choices:
        allowed = f"{'any of ' if key.type is list else ''}{' | '.join(key.choices)}"
    else:
        allowed = _NAMES[key.type] + (f" {key.bounds[0]} to {key.bounds[1]}" if key.bounds else "")
    return f"{allowed} or null" if key.optional else allowed


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )
