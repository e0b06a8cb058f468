"""The whole chain on an object store: same results to the byte, nothing computed twice."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from backblaze_assets.cli.app import main
from backblaze_assets.files.store import Store, StoreError
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.reuse import TAKEN
from backblaze_assets.lineage.status import Status
from backblaze_assets_tests.project import LAST, Q2, Q3, new_project, write_fleet
from backblaze_assets_tests.servers import s3

pytestmark = pytest.mark.slow


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every file of a result."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for asset in GRAPH
        for path in sorted((root / asset).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of a store that refuses one request in fifty."""
    with s3(tmp_path_factory.mktemp("s3"), every=50) as running:
        yield running


@pytest.fixture
def store(server, tmp_path, monkeypatch):
    """A place in it of the test's own, with the zip of two quarters."""
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    own = replace(server, address=f"{server.address}/{tmp_path.name}")
    write_fleet(tmp_path / "zips")
    for path in (tmp_path / "zips").iterdir():
        Store(own.address).put(path.name, path)
    return own


def test_everything_is_made_in_a_store_as_it_is_on_a_disk(tmp_path, store, built):
    """Byte for byte, though one request in fifty is refused; and once for all machines."""
    begun = len(store.requests())
    with new_project(tmp_path / "here", store.address) as project:
        project.update()
    asked = store.requests()[begun:]
    assert abs(len([line for line in asked if " refused " in line]) - len(asked) // 50) <= 1
    assert len(asked) // 50 > 2
    local = digests(built.root)
    listed = Store(store.address).objects()
    assert {key for key in listed if key.partition("/")[0] in GRAPH} == local.keys()
    begun = len(store.requests())
    with new_project(tmp_path / "elsewhere", store.address) as other:
        other.data.folder.look()
        other.data.folder.fetch([other.root / asset for asset in GRAPH])
        assert digests(other.root) == local
        # What a second person has is all that he needs to be told: nothing is computed.
        other.update()
        everything = [
            made for asset in GRAPH for made in other.lineage().ledger.all(asset).values()
        ]
        assert all(TAKEN in made.metadata for made in everything)
        assert all(
            status is Status.UP_TO_DATE
            for asset in GRAPH
            for status in other.status(asset).values()
        )
        assert str(everything[0].metadata["path"]).startswith(store.address)
    stored = [line for line in store.requests()[begun:] if line.startswith("PUT")]
    assert not [line for line in stored if "/.kept/" not in line.replace("%2E", ".")]


def test_a_revised_zip_takes_vanished_days_out_of_the_store(tmp_path, store):
    with new_project(tmp_path / "here", store.address) as project:
        project.update("daily_stats")
        write_fleet(tmp_path / "revised", last=LAST.replace(day=4))
        for path in (tmp_path / "revised").iterdir():
            Store(store.address).put(path.name, path)
        project.update("daily_stats")
    listed = Store(store.address).objects()
    days = sorted(key for key in listed if key.startswith("daily_stats/"))
    assert days[-1] == "daily_stats/2013-07-04.parquet"
    assert max(key for key in listed if key.startswith(f"raw_quarter/{Q3}/2")).endswith(
        "07-04.parquet"
    )
    assert any(key.startswith(f"raw_quarter/{Q2}/") for key in listed)


def test_the_command_line_answers_from_a_store(tmp_path, store, monkeypatch, capsys):
    monkeypatch.setenv("BACKBLAZE_COPY", str(tmp_path / "copies"))
    monkeypatch.setenv("BACKBLAZE_DATA", store.address)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["backblaze-assets", *arguments])
        main()
        return capsys.readouterr().out

    assert "2013-Q2" in run("status")
    assert "AFR" in run("afr", "2013-Q3")
    monkeypatch.setenv("BACKBLAZE_COPY", str(tmp_path / "of another machine"))
    assert "AFR" in run("afr", "2013-Q3")
    rows = run("sql", "--format", "csv", "SELECT count(*) AS days FROM daily_stats")
    assert int(rows.splitlines()[1]) > 0
    assert int(run("sql", "--format", "csv", "SELECT count(*) FROM raw").splitlines()[1]) > 500
    assert "serial_number" in run("columns", "raw")
    assert "capacity_bytes" in run("hist", "capacity_bytes")
    assert "are as they were written" in run("verify")
    assert "nothing" in run("prune") or "can go" in run("prune")
    assert "sha256" in run("trace", "afr_table", Q3)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "the store cannot be reached"),
        ({"AWS_ENDPOINT_URL": "127.0.0.1:9"}, "AWS_ENDPOINT_URL is '127.0.0.1:9'; it has to"),
        ({"BUCKET": "no-such-bucket"}, "there is no such bucket"),
    ],
)
def test_what_is_wrong_with_a_store_is_said_at_once(tmp_path, store, monkeypatch, variables, said):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    address = store.address.replace("bucket", variables.get("BUCKET", "bucket"))
    with new_project(tmp_path / "here", address) as project, pytest.raises(StoreError, match=said):
        project.update()
