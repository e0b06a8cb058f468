"""The one exception that a user is meant to read."""


class DataError(Exception):
    """Something in the user's data or request that the user can mend.

    Its message names the file, the line or column where there is one, and what to do. The command
    line prints it without a traceback.
    """
