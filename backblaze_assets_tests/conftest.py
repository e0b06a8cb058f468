"""A data folder with a tiny made-up fleet, with nothing made of it or with everything."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from backblaze_assets_tests.project import FIRST as FIRST
from backblaze_assets_tests.project import LAST as LAST
from backblaze_assets_tests.project import Project, copy_of, everything_built, new_project
from backblaze_assets_tests.project import write_fleet as write_fleet
from backblaze_assets_tests.quick import make_dagster_quick, no_connection_kept

make_dagster_quick()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest come first, so that no core is idle at the end."""
    minutes: Counter[Path] = Counter()
    for item in items:
        for mark in item.iter_markers("slow"):
            minutes[item.path] += mark.kwargs.get("minutes", 0)
    items.sort(key=lambda item: -minutes[item.path])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with one zip of two quarters, of which nothing is made."""
    with new_project(tmp_path / "data") as project:
        write_fleet(project.root)
        yield project


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with everything made; its files stay as they are."""
    everything = everything_built(tmp_path_factory)
    with copy_of(everything, tmp_path_factory.mktemp("built") / "data") as project:
        yield project


@pytest.fixture
def settled(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with everything made, which a test may change."""
    with copy_of(everything_built(tmp_path_factory), tmp_path / "data") as project:
        yield project


@pytest.fixture
def no_database_open() -> Iterator[None]:
    """Dagster opens and closes its databases as always."""
    with no_connection_kept():
        yield
