"""The one exception for a user's mistake."""


class EdgecnnError(Exception):
    """Something the user can mend; its text is one line that says what is wrong and how to mend it."""
