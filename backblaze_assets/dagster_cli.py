"""Lets `dagster asset materialize` find the definitions in a checkout without being told a module.

`dagster dev`, `dagster definitions` and `dg` read the module's name from pyproject.toml or
workspace.yaml. `dagster asset` takes it from an option or from DAGSTER_MODULE_NAME only, which it
reads before `.env`; and with DAGSTER_MODULE_NAME set, what `dagster dev` starts fails, as that is
given a workspace file too (Dagster 1.13). But `dagster asset materialize` opens the instance before
it looks for the definitions, and so the instance's storage can help out.
"""

import sys
from collections.abc import Callable

from dagster._core.origin import RepositoryPythonOrigin
from dagster_shared.cli import PythonPointerOpts

DEFINITIONS = "backblaze_assets.definitions"
FINDER = "get_repository_python_origin_from_cli_opts"
"""Dagster's function that finds the definitions which a command's options name."""

Finder = Callable[[PythonPointerOpts], RepositoryPythonOrigin]


def default_to_our_definitions() -> None:
    """Make `dagster asset materialize` use this project's definitions when it was told none.

    This does nothing in other processes, nor where Dagster is not as expected: then the command
    asks for a module as ever.
    """
    command = sys.modules.get("dagster._cli.asset")
    find = getattr(command, FINDER, None)
    if find is not None and find.__module__ != __name__:
        setattr(command, FINDER, _with_default(find))


def _with_default(find: Finder) -> Finder:
    def find_or_default(options: PythonPointerOpts) -> RepositoryPythonOrigin:
        nothing = options == PythonPointerOpts()
        return find(PythonPointerOpts(module_name=DEFINITIONS) if nothing else options)

    return find_or_default
