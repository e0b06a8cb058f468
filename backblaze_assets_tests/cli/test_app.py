"""The command line as a person meets it: what it prints where, its exit codes, its messages."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import dagster as dg
import polars as pl
import pytest

from backblaze_assets.cli import app as cli
from backblaze_assets.definitions import build_definitions
from backblaze_assets.drive_stats.afr import WINDOWS
from backblaze_assets.errors import DataError
from backblaze_assets.film.probe import probe
from backblaze_assets.graph import GRAPH
from backblaze_assets.instance.opening import open_instance
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings
from backblaze_assets_tests.cli.conftest import run_program
from backblaze_assets_tests.project import AROUND, FIRST, LAST, lose_a_row, write_fleet
from backblaze_assets_tests.real_data import REPOSITORY

AFR_COLUMNS = (
    *("maker", "model", "capacity_tb", "drives_end", "drives_seen", "drives_added"),
    *("drives_failed", "drives_removed", "drive_days", "failures", "afr", "afr_low", "afr_high"),
    *("mean_age_months", "mean_age_of_failed_months", "status"),
)


# Help and usage


def test_help_comes_without_the_heavy_libraries():
    code = (
        "import sys, backblaze_assets.cli.app as cli; sys.argv[1:] = ['--help']; cli.main(); "
        "print(sorted({'dagster', 'polars', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", cli.app.commands)
def test_every_command_explains_itself_and_stands_in_the_readme(run, command):
    done = run(command, "-h")
    assert done.code == 0
    assert "--data DIR" in done.stdout
    assert len(cli.app.commands[command].help or "") > 20
    assert f"| `{command}" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["movie", "--fast"],
        ["movie", "now"],
        ["afr", "2021-Q7"],
        ["afr", "2012-Q4"],
        ["afr", "--window", "month"],
        ["afr", "--format", "xml"],
        ["movie", "--from", "last year"],
        ["movie", "--to", "2013-Q7"],
        ["changes", "--against", "month"],
        ["survival", "--from-years", "young"],
        ["why", "nothing"],
        ["download"],
        ["download", "last"],
        ["dev", "--port", "ui"],
        ["--data"],
    ],
)
def test_wrong_usage_is_said_with_exit_code_2(run, arguments):
    done = run(*arguments)
    assert (done.code, done.stdout) == (2, "")
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


# Where the data are


@pytest.mark.parametrize(
    "arguments", [["status", "--data", "DATA"], ["--data", "DATA", "status"], ["status"]]
)
def test_the_folder_may_be_said_before_or_after_the_command_or_by_a_variable(
    run, data, monkeypatch, arguments
):
    if "--data" not in arguments:
        monkeypatch.setenv("BACKBLAZE_DATA", str(data))
    done = run(*(str(data) if word == "DATA" else word for word in arguments))
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert done.code == 0, done.stderr
    assert rows["frames"] == ["12", "0", "0", "0", "0"]
    assert rows["data_2013.zip"] == [
        "2013-Q2",
        "to",
        "2013-Q3",
        "12",
        "174",
        "657",
        "657",
        "0",
        "0",
    ]
    assert list(rows) == ["data", "data_2013.zip", "asset", *GRAPH]


def test_the_folder_is_data_where_nothing_is_said(run):
    write_fleet(Path("data"))
    done = run("status")
    assert "data_2013.zip" in done.stdout
    assert [path.name for path in Path("data").iterdir()] == ["data_2013.zip"]


# What can go wrong


@pytest.mark.parametrize(
    "command", [["movie"], ["import"], ["afr"], ["status"], ["trace"], ["why"]]
)
def test_a_folder_that_is_not_there_is_not_made(run, command):
    done = run(*command, "--data", "nowhere")
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no folder ")
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("command", ["movie", "import", "afr"])
def test_a_folder_without_zips_is_said_with_what_to_do(run, command):
    Path("data").mkdir()
    done = run(command)
    assert done.code == 1
    assert "There are no zips in" in done.stderr
    assert "backblaze-assets download" in done.stderr


@pytest.mark.parametrize(
    "content", [b"", b"no zip at all", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "bare"]
)
def test_a_zip_that_cannot_be_used_is_named(run, content):
    Path("data").mkdir()
    Path("data/data_2013.zip").write_bytes(content)
    done = run("import")
    assert done.code == 1
    assert "data_2013.zip" in done.stderr
    assert done.stderr.count("Error:") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_damaged_day_is_named_and_the_days_before_it_are_kept(run):
    write_fleet(Path("data"))
    path = Path("data/data_2013.zip")
    content = bytearray(path.read_bytes())
    at = content.index(b"2013/2013-07-06.csv") + 200
    content[at : at + 50] = bytes(50)
    path.write_bytes(content)
    done = run("import")
    assert done.code == 1
    assert "2013-07-06.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(Path("data").rglob(".tmp-*"))


def test_a_quarter_without_zip_is_named_before_anything_is_made(run):
    write_fleet(Path("data"))
    done = run("afr", "2016-Q1")
    assert (done.code, done.stdout) == (1, "")
    assert "There is no zip for 2016-Q1" in done.stderr
    assert "backblaze-assets download 2016-Q1" in done.stderr
    assert "There are 2013-Q2, 2013-Q3." in done.stderr
    assert not Path("data/raw_quarter").exists()


def test_a_folder_that_cannot_be_written_is_named(run):
    write_fleet(Path("data"))
    Path("data/dagster").write_text("in the way", encoding="utf-8")
    done = run("import")
    assert done.code == 1
    assert str(Path("data/dagster").absolute()) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_dagster_home_is_said(run, monkeypatch):
    write_fleet(Path("data"))
    monkeypatch.setenv("DAGSTER_HOME", "nowhere")
    done = run("status")
    assert done.code == 1
    assert "DAGSTER_HOME is nowhere" in done.stderr


@pytest.mark.parametrize("kind", [RuntimeError, pl.exceptions.PanicException])
def test_what_nobody_has_thought_of_is_one_message_too(run, monkeypatch, kind):
    """A panic of Polars is no Exception."""

    def fail() -> None:
        raise kind("the moon is full\nand so is the disk")

    monkeypatch.setattr(Settings, "from_environment", fail)
    done = run("movie")
    assert done.code == 1
    assert done.stderr == (
        f"Error: {kind.__name__}: the moon is full\n--debug shows where it happened.\n"
    )


@pytest.mark.parametrize("arguments", [["--debug", "movie"], ["movie", "--debug"]])
def test_debug_lets_the_traceback_through(run, arguments):
    with pytest.raises(DataError, match="There is no folder"):
        run(*arguments, "--data", "nowhere")


def test_a_full_disk_is_said(run, monkeypatch):
    write_fleet(Path("data"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "data/raw_quarter/x.parquet")

    monkeypatch.setattr("os.fsync", full)
    done = run("import")
    assert done.code == 1
    assert f"No space left in {Path('data').absolute()}" in done.stderr
    assert "Traceback" not in done.stderr


# Results


@pytest.mark.slow
def test_the_first_movie_says_what_it_makes(tmp_path):
    write_fleet(tmp_path)
    done = run_program("movie", "--data", tmp_path)
    assert done.code == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'movie' / 'movie.mp4'}\n"
    said = [line.split()[0] for line in done.stderr.splitlines() if not line.startswith(" ")]
    assert sorted(it for it in said if it in GRAPH) == sorted(GRAPH)
    assert "raw_quarter 2013-Q2 to 2013-Q3 (2)\n" in done.stderr
    assert f"frames {FIRST} to 2013-07-06 (12)\n" in done.stderr


def test_a_second_movie_starts_nothing(run, data):
    done = run("movie", "--data", data)
    assert done.stderr == "Everything is up to date.\n"
    assert done.stdout == f"{data / 'movie' / 'movie.mp4'}\n"


def test_paths_are_shown_from_the_current_folder(run, data, monkeypatch):
    monkeypatch.chdir(data.parent)
    assert run("movie", "--data", data.name).stdout == f"{data.name}/movie/movie.mp4\n"


@pytest.mark.parametrize("window", WINDOWS)
def test_afr_as_json_and_csv(run, data, window):
    done = run("afr", "2013-Q3", "--all", "--window", window, "--format", "json", "--data", data)
    rows = json.loads(done.stdout)
    assert done.code == 0
    assert [tuple(row) for row in rows] == [AFR_COLUMNS] * len(rows)
    stored = pl.read_parquet(data / "afr_table" / "2013-07-01.parquet", glob=False)
    stored = stored.filter(pl.col("window") == window, pl.col("kind") == "model")
    assert sum(row["drive_days"] for row in rows) == stored["drive_days"].sum() > 0
    assert sorted(row["model"] for row in rows) == sorted(stored["model"])
    again = run("afr", "2013-Q3", "--all", "--window", window, "--format", "csv", "--data", data)
    by_csv = list(csv.DictReader(io.StringIO(again.stdout)))
    assert [row["model"] for row in by_csv] == [row["model"] for row in rows]
    assert tuple(by_csv[0]) == AFR_COLUMNS


def test_afr_is_about_the_newest_quarter(run, data):
    done = run("afr", "--all", "--data", data)
    assert done.stdout.startswith("Annualized failure rates, 2013-Q3")


def test_afr_in_a_narrow_terminal_is_complete(run, data, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    narrow = run("afr", "--all", "--data", data).stdout
    monkeypatch.setenv("COLUMNS", "200")
    assert narrow.split() == run("afr", "--all", "--data", data).stdout.split()
    assert "HDS722020ALA330" in narrow


def test_afr_says_when_the_published_rule_leaves_models_out(run, data):
    some = run("afr", "--window", "quarter", "--data", data)
    assert "--all shows every model" in some.stdout
    every = run("afr", "--window", "quarter", "--all", "--data", data)
    assert "ST4000DM000" in every.stdout
    assert "ST4000DM000" not in some.stdout


def test_changes_between_the_two_quarters(run, data):
    done = run("changes", "--by", "all", "--data", data)
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("Changes from 2013-Q2 to 2013-Q3: ")
    alone = run("changes", "2013-Q2", "--data", data)
    assert (alone.code, alone.stdout) == (1, "")
    assert "There is no quarter '2013-Q1'" in alone.stderr
    year = run("changes", "--against", "year", "--data", data)
    assert "There is no quarter '2012-Q3'" in year.stderr


def test_survival_of_every_model(run, data):
    options = ("--to-years", "1", "--all", "--format", "json")
    rows = json.loads(run("survival", *options, "--data", data).stdout)
    stored = pl.read_parquet(data / "survival" / "2013-07-01.parquet", glob=False)
    models = stored.filter(pl.col("kind") == "model")["group"].unique()
    assert sorted(row["group"] for row in rows) == sorted(models)
    by_maker = run("survival", "2013-Q2", "--by", "maker", *options, "--data", data)
    assert {row["group"] for row in json.loads(by_maker.stdout)} > {"HGST", "Seagate"}


def test_the_spread_of_a_column_over_all_raw_rows(run, data):
    done = run("hist", "smart_9", "--by", "model", "--format", "json", "--data", data)
    assert done.code == 0, done.stderr
    stored = pl.read_parquet(data / "daily_stats", columns=["model", "drives"])
    drives = dict(stored.group_by("model").agg(pl.col("drives").sum()).iter_rows())
    found = dict.fromkeys(drives, 0)
    for row in json.loads(done.stdout):
        found[row["group"]] += row["drive_days"]
    assert found == drives
    wrong = run("hist", "smrt_9_raw", "--data", data)
    assert (wrong.code, wrong.stdout) == (1, "")
    assert "smart_9_raw" in wrong.stderr


def test_reconcile_says_that_nothing_was_published_of_these_quarters(run, data):
    done = run("reconcile", "--data", data)
    assert (done.code, done.stdout) == (0, "No published table is known of these quarters.\n")


def test_the_report_is_one_page(run, data):
    done = run("report", "--data", data)
    assert done.stdout == f"{data / 'report' / 'report.html'}\n"
    assert Path(done.stdout.strip()).read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.slow
def test_a_cut_of_the_film(run, data, tmp_path):
    data = shutil.copytree(data, tmp_path / "copy")
    done = run("movie", "--from", "2013-Q3", "--data", data)
    assert done.code == 0, done.stderr
    cut = Path(done.stdout.strip())
    assert cut == data / "cuts" / "2013-Q3_to_2013-Q3.mp4"
    days = (LAST - date(2013, 7, 1)).days + 1
    assert probe(cut).frames == days + sum(AROUND.values())
    assert probe(cut).chapters == ("Title", "2013", "End")
    assert cut.with_suffix(".srt").is_file()
    tree = run("trace", cut, "--data", data).stdout
    assert "movie_clip 2013-07-01  data" in tree
    assert "data_2013.zip  sha256" in tree
    assert "movie_clip 2013-04-01" not in tree
    none = run("movie", "--from", "2014", "--to", "2015", "--data", data)
    assert (none.code, none.stdout) == (1, "")
    assert "no data from 2014-Q1 to 2015-Q4: the film goes from 2013-Q2 to 2013-Q3" in none.stderr


def test_why_and_trace(run, data, tmp_path):
    assert run("why", "--data", data).stdout == (
        "movie is up to date, and so is all that it is made from.\n"
    )
    copy = shutil.copy(data / "movie" / "movie.mp4", tmp_path / "copy.mp4")
    tree = run("trace", "--data", data).stdout
    assert "data_2013.zip" in tree
    assert run("trace", copy, "--data", data).stdout == tree
    [film] = json.loads(run("trace", copy, "--format", "json", "--data", data).stdout)
    assert film["asset"] == "movie"
    quarter = run("trace", "raw_quarter", "2013-04-01", "--data", data).stdout
    assert "raw_quarter 2013-04-01" in quarter
    missing = run("trace", "frames", "2016-01-01", "--data", data)
    assert missing.code == 1
    assert "frames 2016-01-01 has not been materialized" in missing.stderr


def test_a_file_is_traced_where_there_is_no_data_folder(run, data):
    copy = shutil.copy(data / "movie" / "movie.mp4", "film.mp4")
    done = run("trace", copy)
    assert done.code == 0, done.stderr
    assert "made elsewhere" in done.stdout
    assert "data_2013.zip" in done.stdout
    assert [path.name for path in Path.cwd().iterdir()] == ["film.mp4"]


def test_why_names_what_is_missing(run):
    write_fleet(Path("data"))
    lines = run("why", "afr_table").stdout.splitlines()
    assert lines[0] == "raw_quarter 2013-04-01 to 2013-07-01 (2) is missing"
    assert {line.split()[0] for line in lines} == {
        "raw_quarter",
        "daily_stats",
        "drive_lifetimes",
        "afr_table",
    }


@pytest.mark.slow
def test_what_a_check_refuses_is_said_by_every_command(run):
    write_fleet(Path("data"))
    assert run("import").code == 0
    path = Path(f"data/raw_quarter/2013-04-01/{FIRST}.parquet")
    lose_a_row(path)
    materialize("raw_quarter", "2013-04-01")
    said = "raw_quarter 2013-04-01 is refused by a check, and nothing is made from it. rows_account"
    for _ in range(2):
        done = run("movie")
        assert (done.code, done.stdout) == (1, "")
        assert said in done.stderr
    done = run("status")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["raw_quarter", "2", "0", "0", "0", "1"] in rows
    assert said in done.stderr
    lines = run("why").stdout.splitlines()
    assert lines[0].startswith(said)
    assert any("is missing; it waits for what a check refuses" in line for line in lines[1:])
    path.unlink()
    assert run("afr").code == 0


def materialize(asset: str, key: str) -> None:
    """Materialize a partition as the UI does, whatever its status is."""
    folder = Path("data").absolute()
    definitions = build_definitions(Data(folder), Settings(data=folder))
    with open_instance(folder) as instance:
        definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(asset)],
            partition_key=key,
            raise_on_error=False,
        )


# Download


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served at BACKBLAZE_URL."""
    folder = tmp_path / "host"
    write_fleet(folder)
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("BACKBLAZE_URL", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield folder
        server.shutdown()


def test_download_fetches_once_and_warns_of_another_size(run, host):
    done = run("download", "2013", "2013-Q3", "--data", "zips")
    assert done.code == 0, done.stderr
    assert done.stdout.count("fetched") == 1
    assert "Warning: data_2013.zip has" in done.stdout
    fetched = Path("zips/data_2013.zip").read_bytes()
    assert fetched == (host / "data_2013.zip").read_bytes()
    again = run("download", "2013", "--data", "zips")
    assert "is there already" in again.stdout


@pytest.mark.usefixtures("host")
def test_a_quarter_that_is_not_published_is_said(run):
    done = run("download", "2014-Q1", "--data", "zips")
    assert done.code == 1
    assert "2014-Q1" in done.stderr
    assert "is not published" in done.stderr
