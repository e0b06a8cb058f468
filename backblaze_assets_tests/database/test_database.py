"""Questions in SQL: answers against counts by other means, and what cannot be asked."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from backblaze_assets.cli import sql
from backblaze_assets.database.columns import describe_columns, describe_tables
from backblaze_assets.database.query import Database
from backblaze_assets.database.views import FILE_NAME, TABLES, missing
from backblaze_assets.errors import DataError
from backblaze_assets.graph import GRAPH
from backblaze_assets_tests.project import everything_built

README = Path(__file__).parents[2] / "README.md"
REJECT = '3,"no ""model"", at all","2013-06-26,X\n,Y",1\n'


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A data folder with all tables, under a name with characters that mean something elsewhere."""
    root = tmp_path_factory.mktemp("database") / "it's [a] folder, *"
    shutil.copytree(everything_built(tmp_path_factory), root)
    rejects = root / "raw_quarter/2013-04-01/rejects"
    rejects.mkdir(exist_ok=True)
    (rejects / "2013-06-26.csv").write_text("line,reason,row,rows\n" + REJECT, encoding="utf-8")
    return root


@pytest.fixture
def copy(root, tmp_path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(root, tmp_path / "copy"))


def asked(root: Path, query: str) -> list[tuple]:
    with Database(root) as database:
        return database.ask(query).fetchall()


def raw_rows(root: Path) -> pl.DataFrame:
    files = sorted((root / "raw_quarter").glob("*/2*.parquet"))
    return pl.concat(
        [pl.read_parquet(path, glob=False, columns=["date", "model", "serial_number", "failure"])
         for path in files]
    )  # fmt: skip


def test_every_question_of_the_readme_has_an_answer(root):
    section = README.read_text(encoding="utf-8").partition("<!-- questions -->")[2]
    queries = re.findall(r"```sql\n(.*?)```", section.partition("<!-- end -->")[0], re.DOTALL)
    assert len(queries) == 10
    for query in queries:
        with Database(root) as database:
            assert database.ask(query).description
    answered = [bool(asked(root, query)) for query in queries]
    # The tiny fleet is too young for two years, and has no published table.
    assert answered.count(True) >= 7


def test_counts_are_those_of_the_files(root):
    rows = raw_rows(root)
    assert asked(root, "SELECT count(*), sum(failure) FROM raw") == [
        (rows.height, rows["failure"].sum())
    ]
    expected = dict(rows.group_by("model").agg(pl.col("failure").sum()).iter_rows())
    found = dict(asked(root, "SELECT model, sum(failures) FROM daily_stats GROUP BY model"))
    assert {name: int(count) for name, count in found.items()} == expected
    serials = rows["serial_number"].n_unique()
    assert asked(root, "SELECT count(*), sum(drive_days) FROM drives") == [(serials, rows.height)]
    assert asked(root, "SELECT count(*) FROM days") == [(12,)]
    assert asked(root, "SELECT DISTINCT quarter FROM afr ORDER BY quarter") == [
        (date(2013, 4, 1),),
        (date(2013, 7, 1),),
    ]
    assert asked(root, "FROM rejects") == [
        (date(2013, 6, 26), 3, 'no "model", at all', "2013-06-26,X\n,Y", 1)
    ]


def test_columns_that_only_some_eras_have_are_empty_in_the_others(copy):
    path = sorted((copy / "raw_quarter/2013-07-01").glob("*.parquet"))[-1]
    frame = pl.read_parquet(path, glob=False)
    frame.with_columns(smart_999_raw=pl.lit(7)).write_parquet(path)
    (total,) = asked(copy, "SELECT count(*), count(smart_999_raw), max(smart_999_raw) FROM raw")
    assert total == (raw_rows(copy).height, frame.height, 7)


def test_any_client_can_open_the_database_wherever_it_is_started(root, tmp_path):
    asked(root, "SELECT 1")
    code = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print(con.execute('SELECT count(*) FROM raw').fetchone()[0])"
    )
    command = [sys.executable, "-c", code, str(root / FILE_NAME)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert int(done.stdout) == raw_rows(root).height


def test_the_database_is_made_anew_when_files_change_and_only_then(copy):
    asked(copy, "SELECT 1")
    first = (copy / FILE_NAME).stat().st_mtime_ns
    asked(copy, "SELECT 1")
    assert (copy / FILE_NAME).stat().st_mtime_ns == first
    shutil.rmtree(copy / "drive_lifetimes/2013-07-01")
    days = pl.read_parquet(copy / "drive_lifetimes/2013-04-01/days.parquet", glob=False).height
    assert asked(copy, "SELECT count(*) FROM days") == [(days,)]
    (copy / FILE_NAME).write_bytes(b"no database")
    assert asked(copy, "SELECT count(*) FROM days") == [(days,)]
    moved = copy.rename(copy.with_name("moved"))
    assert asked(moved, "SELECT count(*) FROM days") == [(days,)]
    assert not list(moved.glob(".tmp-*"))


def test_a_folder_that_cannot_be_written_to_is_asked_all_the_same(copy, monkeypatch):
    (copy / FILE_NAME).unlink(missing_ok=True)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert asked(copy, "SELECT count(*) FROM raw") == [(raw_rows(copy).height,)]
    assert not (copy / FILE_NAME).exists()


def test_a_folder_with_a_question_mark_in_its_name_is_asked_all_the_same(copy):
    asked_for = copy.rename(copy.with_name("what?"))
    assert asked(asked_for, "SELECT count(*) FROM raw") == [(raw_rows(asked_for).height,)]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("COPY drives TO 'stolen.csv'", "only read.*This is COPY"),
        ("EXPLAIN ANALYZE COPY drives TO 'stolen.csv'", "only read"),
        ("CREATE TABLE a AS SELECT 1", "only read"),
        ("ATTACH 'other.duckdb'", "only read"),
        ("SET enable_external_access = true", "only read"),
        ("INSTALL httpfs", "only read"),
        ("SELECT 1; DROP VIEW raw", "2 queries"),
        ("", "0 queries"),
        ("SELECT * FROM read_csv('/etc/passwd')", "Permission Error"),
        ("SELECT * FROM read_text('{root}/../secret.txt')", "Permission Error"),
        ("SELECT * FROM '{root}-more/secret.parquet'", "Permission Error|not found|No files"),
        ("SELECT * FROM afrr", "no table afrr. Do you mean afr"),
        ("SELECT * FROM nothing_like_it", "There are raw, rejects, daily_stats"),
        ("SELECT modle FROM drives", 'Candidate bindings: "model"'),
        ("SELEC 1", "Parser Error"),
    ],
)
def test_what_cannot_be_asked_is_said(root, query, says):
    (root.parent / "secret.txt").write_text("secret", encoding="utf-8")
    quoted = str(root).replace("'", "''")
    with pytest.raises(DataError, match=f"(?s){says}"):
        asked(root, query.replace("{root}", quoted))
    assert not Path("stolen.csv").exists()


def test_what_is_not_made_yet_is_said(tmp_path):
    assert missing(tmp_path) == list(TABLES)
    assert len(asked(tmp_path, "SELECT * FROM published LIMIT 3")) == 3
    with pytest.raises(DataError, match=r"no data of rejects .* yet: `backblaze-assets movie`"):
        asked(tmp_path, "SELECT * FROM rejects")
    with pytest.raises(DataError, match=r"no data of afr .* yet"):
        describe_columns(tmp_path, "afr_table")


@pytest.mark.slow
def test_columns_are_described_as_the_rows_say(root):
    for name in ("daily_stats", "drives", "raw", "afr"):
        described = describe_columns(root, name)
        if name == "raw":
            described = described.filter(pl.col("counted") == "all")
            assert {"date", "model", "failure"} <= set(described["column"])
        for row in described.iter_rows(named=True):
            column = '"' + row["column"] + '"'
            ((total, filled, least, most),) = asked(
                root, f"SELECT count(*), count({column}), min({column}), max({column}) FROM {name}"
            )
            assert row["filled_percent"] == pytest.approx(100 * filled / total)
            if isinstance(least, float):
                assert (float(row["minimum"]), float(row["maximum"])) == (least, most)
            elif row["type"] != "BOOLEAN" and filled:
                assert (row["minimum"], row["maximum"]) == (str(least), str(most))


def test_columns_without_statistics_are_counted_on_the_last_days(root):
    described = describe_columns(root, "raw_quarter").filter(pl.col("column") == "smart_9_raw")
    last = [sorted((root / "raw_quarter" / key).glob("2*.parquet"))[-1]
            for key in ("2013-04-01", "2013-07-01")]  # fmt: skip
    values = pl.concat([pl.read_parquet(it, glob=False)["smart_9_raw"] for it in last])
    (row,) = described.iter_rows(named=True)
    assert row["counted"] == "last day of each quarter"
    assert row["filled_percent"] == pytest.approx(100 * values.count() / len(values))
    assert (row["minimum"], row["maximum"]) == (str(values.min()), str(values.max()))
    assert len(row["examples"].split(", ")) <= 3


@pytest.mark.slow
def test_tables_are_listed_with_their_rows(root):
    found = {row["table"]: row for row in describe_tables(root).iter_rows(named=True)}
    assert list(found) == [*TABLES, "published"]
    for name, row in found.items():
        assert asked(root, f"SELECT count(*) FROM {name}") == [(row["rows"],)]
    assert found["raw"]["files"] == 12
    with pytest.raises(DataError, match="drive_lifetimes is several tables: drives, spells, days"):
        describe_columns(root, "drive_lifetimes")
    with pytest.raises(DataError, match=r"no table serial\. Do you mean"):
        describe_columns(root, "serial")


def test_tables_are_of_files_that_assets_of_the_graph_have():
    for table in TABLES.values():
        names = [it.format(key="2013-04-01", day="2013-04-10") for it in GRAPH[table.asset].files]
        if table.parquet:
            assert any(Path(name).match(table.files) for name in names)


QUERY = (
    "SELECT model, sum(drives) AS n, 0.5::DOUBLE AS x, NULL AS nothing FROM daily_stats GROUP BY 1"
)


def test_answers_come_in_four_forms(root, capsysbinary):
    expected = {str(model): int(n) for model, n, *_ in asked(root, QUERY)}

    def printed(form: str) -> bytes:
        sql.answer(root, QUERY, form)
        return capsysbinary.readouterr().out

    rows = list(csv.DictReader(io.StringIO(printed("csv").decode())))
    assert {row["model"]: int(row["n"]) for row in rows} == expected
    assert {(row["x"], row["nothing"]) for row in rows} == {("0.5", "")}
    objects = json.loads(printed("json"))
    assert {row["model"]: row["n"] for row in objects} == expected
    assert objects[0]["nothing"] is None
    frame = pl.read_parquet(io.BytesIO(printed("parquet")))
    assert {row["model"]: int(row["n"]) for row in frame.iter_rows(named=True)} == expected
    lines = printed("table").decode().splitlines()
    assert len(lines) == len(expected) + 1
    assert lines[0].split() == ["model", "n", "x", "nothing"]
    sql.answer(root, "SELECT 'NaN'::DOUBLE AS a WHERE false", "json")
    assert json.loads(capsysbinary.readouterr().out) == []
    sql.answer(root, "SELECT 'NaN'::DOUBLE AS a", "json")
    assert json.loads(capsysbinary.readouterr().out) == [{"a": None}]


def test_a_table_for_people_is_cut_and_says_so_and_obeys_nothing(root, capsys):
    sql.answer(root, "SELECT i, chr(27) || '[2J' AS evil FROM range(1000) t(i)", "table")
    found = capsys.readouterr()
    assert len(found.out.splitlines()) == sql.MOST_ROWS + 1
    assert "\x1b" not in found.out
    assert "--format csv" in found.err


def test_questions_come_from_stdin_too(root, monkeypatch, capsys):
    text = "SELECT 1 AS a; SELECT\n';' AS b, -- not here;\n2 AS c;\nSELECT 3 AS d"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    sql.prompt(root, "csv")
    assert capsys.readouterr().out == "a\n1\nb,c\n;,2\nd\n3\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT x;"))
    with pytest.raises(DataError, match="Binder Error"):
        sql.prompt(root, "csv")


def test_on_a_terminal_the_tables_are_told_first_without_reading_any(root, monkeypatch, capsys):
    """Of a store, as nothing but the names of its files need be on this machine."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(""))
    monkeypatch.setattr(sql, "Database", None)
    sql.prompt(root, "csv")
    told = capsys.readouterr().err
    with Database(root) as database:
        there = [name for (name, *_) in database.ask("SHOW TABLES").fetchall()]
    assert f"Tables: {', '.join(there)}." in told
    assert {"afr", "published"} <= {*there}


@pytest.mark.slow
def test_the_database_imports_no_dagster():
    code = "import sys, backblaze_assets.cli.sql, backblaze_assets.database.columns\n"
    code += "assert not [name for name in sys.modules if name.partition('.')[0] == 'dagster']"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert duckdb.__version__ >= "2"
