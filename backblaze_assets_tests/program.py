"""The command line as tests start it: a film with next to no title and end, and Dagster quick.

    python -m backblaze_assets_tests.program movie --data DIR

That halves what it takes to make everything of a few days. The installed program is what the tests
of the README's commands, of Ctrl-C and of real data start.
"""

from dataclasses import replace

from backblaze_assets.cli.app import main
from backblaze_assets.film.style import Style
from backblaze_assets_tests.project import AROUND
from backblaze_assets_tests.quick import make_dagster_quick

_named = Style.named


def brief(name: str, pace: int) -> Style:
    """What `Style.named` gives, with a title and an end of a few frames."""
    return replace(_named(name, pace), **AROUND)


if __name__ == "__main__":
    make_dagster_quick()
    Style.named = brief
    main()
