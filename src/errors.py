"""The one error that a user's mistake raises."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake the user can mend: one line that says what, where and what to do.

    Scripts print it without a traceback and leave with exit status 2.
    """


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return ``"did you mean 'x'?"`` for the nearest choice, or a list of the choices where none is near."""
    known = sorted(choices)
    folded = {choice.casefold(): choice for choice in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    return f"known: {', '.join(known)}" if known else "there is none to choose from"
