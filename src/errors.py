"""The one error that a user's mistake raises."""


class UserError(Exception):
    """A mistake the user can mend: one line that says what, where and what to do.

    Scripts print it without a traceback and leave with exit status 2.
    """
