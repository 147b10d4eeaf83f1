"""What the user is told in one line before exit code 1."""


class Failure(Exception):  # noqa: N818  what was asked for did not happen
    """Its text is the line."""
