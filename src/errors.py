"""The one error that a user's mistake raises."""

import difflib
from collections.abc import Iterable

MOST, LONGEST = 60, 80  # names that a message lists, and characters of each
HEAD, TAIL = 800, 250  # characters of a message that a damaged file made long


class UserError(Exception):
    """A mistake the user can mend: one line that says what, where and what to do.

    Scripts print it without a traceback and leave with exit status 2.
    """

    def __init__(self, message: str) -> None:
        long = len(message) > HEAD + TAIL
        super().__init__(f"{message[:HEAD]} ... {message[-TAIL:]}" if long else message)


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return ``"did you mean 'x'?"`` for the nearest choice, or a list of the choices where none is near."""
    known = sorted(choices)
    folded = {choice.casefold(): choice for choice in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    if near:
        return f"did you mean {_short(repr(folded[near[0]]))}?"
    if not known:
        return "there is none to choose from"
    more = f" and {len(known) - MOST} more" if len(known) > MOST else ""
    return f"known: {', '.join(_short(each) for each in known[:MOST])}{more}"


def _short(name: str) -> str:
    """Return a name that fits on a line, whatever a damaged file calls its columns."""
    plain = name if name.isprintable() else ascii(name)
    return plain if len(plain) <= LONGEST else plain[:LONGEST] + "..."
