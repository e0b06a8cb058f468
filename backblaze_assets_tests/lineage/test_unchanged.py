"""What a question to a table remembers of a folder in which everything was up to date."""

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from backblaze_assets.cli import app as cli
from backblaze_assets.lineage import unchanged
from backblaze_assets.settings import Settings
from backblaze_assets_tests.project import Q2, Q3


@pytest.fixture
def settings(settled, monkeypatch):
    """Of a project in which everything is up to date, by the records that go with it."""
    monkeypatch.setenv("DAGSTER_HOME", settled.instance.root_directory)
    monkeypatch.setenv("BACKBLAZE_DATA", str(settled.root))
    return Settings.from_environment()


def asks(monkeypatch, *wanted):
    """How often Dagster's records are asked while tables are."""
    asked = []
    bring = cli._bring_up_to_date

    def counted(*arguments, **named):
        asked.append(arguments)
        return bring(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(cli, "_bring_up_to_date", counted)
        for asset, quarter in wanted:
            paths = cli._tables(asset, quarter)
            assert {str(each) for each in paths} == {Q2, Q3}
            assert all(path.exists() for path in paths.values())
    return len(asked)


@pytest.mark.slow
@pytest.mark.usefixtures("settings", "no_database_open")
def test_dagsters_records_are_asked_when_something_has_changed(settled, monkeypatch):
    afr = ("afr_table", None)
    assert asks(monkeypatch, afr, afr, ("afr_table", date(2013, 4, 1))) == 1
    assert asks(monkeypatch, ("survival", None)) == 1  # of which nothing is noted yet
    os.utime(settled.root / "data_2013.zip", ns=(1, 1))
    assert asks(monkeypatch, afr, afr) == 1
    (settled.root / "afr_table" / f"{Q2}.parquet").unlink()
    # The first call makes it anew and so notes nothing, the second one finds all up to date.
    assert asks(monkeypatch, afr, afr, afr) == 2


def test_what_shapes_the_answer_is_part_of_the_state(settings, settled, monkeypatch, tmp_path):
    seen = unchanged.state(settings)
    note = unchanged.Note([date(2013, 4, 1), date(2013, 7, 1)], ["told"])
    unchanged.remember(settings, "afr_table", "another state", note)
    assert unchanged.recall(settings, "afr_table", seen) is None
    unchanged.remember(settings, "afr_table", seen, note)
    assert unchanged.recall(settings, "afr_table", seen) == note
    assert unchanged.state(replace(settings, zip_limit=1)) != seen
    raw = settled.root / "raw_quarter" / Q2
    raw.rename(raw.with_name("elsewhere"))
    assert unchanged.state(settings) != seen
    raw.with_name("elsewhere").rename(raw)
    (settled.root / ".hidden").touch()
    assert unchanged.state(settings) == seen
    with monkeypatch.context() as other_code:
        other_code.setattr(unchanged, "PACKAGE", tmp_path)
        assert unchanged.state(settings) != seen
    os.utime(Path(settled.instance.root_directory) / "history" / "runs" / "index.db")
    assert unchanged.state(settings) != seen
    assert unchanged.recall(settings, "afr_table", unchanged.state(settings)) is None


def test_where_the_state_cannot_be_seen_nothing_is_remembered(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = Settings(data=tmp_path / "data")
    note = unchanged.Note([], [])
    records = tmp_path / "data" / "dagster" / "history" / "runs"
    assert unchanged.state(settings) is None  # nothing is recorded yet
    records.mkdir(parents=True)
    (records / "index.db").touch()
    seen = unchanged.state(settings)
    assert seen
    unchanged.remember(settings, "afr_table", seen, note)
    assert unchanged.recall(settings, "afr_table", seen) == note
    path = tmp_path / "data" / "dagster" / "afr_table.up-to-date.json"
    for damaged in (b"", b"[]", b"{}", b'{"state": 1}', b"\xff"):
        path.write_bytes(damaged)
        assert unchanged.recall(settings, "afr_table", seen) is None
    (tmp_path / "data" / "linked").symlink_to(tmp_path, target_is_directory=True)
    assert unchanged.state(settings) is None
    unchanged.remember(settings, "afr_table", None, note)
    assert path.read_bytes() == b"\xff"
    assert unchanged.recall(settings, "afr_table", None) is None
