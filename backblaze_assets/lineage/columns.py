"""What the columns of a table mean, for the UI: the words below its schema in the code.

There, each column stands before a colon, several with one meaning as a list: `first, second: text`.
Like all docstrings these are no part of a version of code, so better words make nothing stale.
"""

import inspect
import re
import sys

import polars as pl

from backblaze_assets.lineage.code_version import PACKAGE

_DOMAIN = f"{PACKAGE.name}.drive_stats."


def descriptions(schema: pl.Schema) -> dict[str, str]:
    """What each column of a schema of `drive_stats/` means; nothing for one that tells nothing."""
    text = " ".join(_words_below(schema).split())
    names = "|".join(map(re.escape, schema))
    heads = list(re.finditer(rf"(?<![\w`])((?:{names})(?:, (?:{names}))*)(?: \([^)]*\))?: ", text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    found: dict[str, str] = {}
    for head, end in zip(heads, ends, strict=False):
        said = text[head.end() : end].strip(" -;.")
        found |= dict.fromkeys(head[1].split(", "), said)
    return found


def _words_below(schema: pl.Schema) -> str:
    """The docstring below the assignment of a schema."""
    for module in [it for name, it in sys.modules.items() if name.startswith(_DOMAIN)]:
        for name in [name for name, value in vars(module).items() if value is schema]:
            below = rf'^{name} = .*?^\)\n"""(.*?)"""'
            if found := re.search(below, inspect.getsource(module), re.DOTALL | re.MULTILINE):
                return found[1]
    return ""
