"""The exceptions that a user is meant to read."""

import difflib
from collections.abc import Iterable
from pathlib import Path

MOST_NAMES = 12
"""Names that an error lists where none is near."""


class DataError(Exception):
    """Something in the user's data or request that the user can mend.

    Its message names the file, the line or column where there is one, and what to do. The command
    line prints it without a traceback. Control characters, which may come from the data, stand in
    it as escapes.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class DamagedError(DataError):
    """A file of this project is not what was written.

    Attributes:
        path: the file.
        reason: what is the matter with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"{path} cannot be read: {reason}. It is damaged; remove it, and the next run makes it "
            "anew."
        )

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.path, self.reason)


def printable(text: str) -> str:
    r"""`text` with everything that a terminal might obey written as an escape such as `\x1b`.

    Line feeds stay; so does every character that can be seen, and the blank.
    """
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() or char == "\n"
        else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


def no_such(what: str, name: str, known: Iterable[str]) -> DataError:
    """The error that there is no model, column, ... of a name; it says the nearest ones."""
    names = sorted(set(known))
    lower = {each.lower(): each for each in names}
    near = [lower[each] for each in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    if near:
        return DataError(f"There is no {what} {name!r}. Do you mean {' or '.join(near)}?")
    shown = ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "")
    return DataError(f"There is no {what} {name!r}. There are {shown or 'none'}.")
