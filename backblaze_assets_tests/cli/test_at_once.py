"""Several commands, and changes of the folder, while one is at work."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from backblaze_assets.cli import console
from backblaze_assets.film.probe import probe
from backblaze_assets_tests.cli.conftest import outcome, run_program, start_program
from backblaze_assets_tests.project import AROUND, DAYS, write_fleet
from backblaze_assets_tests.work.test_locks import held_elsewhere


@pytest.fixture
def when_said(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Has something happen when the command first says a line with this beginning."""

    def arrange(beginning: str, happens: Callable[[], object]) -> None:
        waiting = [happens]
        say = console.say

        def said(text: str) -> None:
            say(text)
            if waiting and text.startswith(beginning):
                waiting.pop()()

        monkeypatch.setattr(console, "say", said)

    return arrange


def replaced(path: Path, last: date) -> None:
    """Put a zip with days up to `last` in the place of `path`, as a download does."""
    write_fleet(path.parent / "elsewhere", last=last)
    (path.parent / "elsewhere" / path.name).replace(path)


@pytest.mark.slow
def test_commands_at_once_end_well(tmp_path):
    """On a folder without an instance, so that all of them make it."""
    commands = ("movie", "afr", "movie")
    write_fleet(tmp_path)
    processes = [start_program(command, "--data", tmp_path) for command in commands]
    done = [outcome(process) for process in processes]
    assert [it.code for it in done] == [0] * len(commands), [it.stderr for it in done]
    said = [line for it in done for line in it.stderr.splitlines()]
    assert not [line for line in said if "Error" in line]
    assert [line for line in said if line.startswith("raw_quarter 2")] == [
        "raw_quarter 2013-Q2 to 2013-Q3 (2)"
    ]
    assert probe(tmp_path / "movie" / "movie.mp4").frames == DAYS + sum(AROUND.values())
    assert not list(tmp_path.rglob(".tmp-*"))
    assert run_program("status", "--data", tmp_path).stderr == ""


@pytest.mark.slow
def test_a_command_says_that_it_waits_for_another(run, when_said):
    write_fleet(Path("data"))
    with held_elsewhere(Path("data/.locks").absolute(), "update") as other:
        when_said("Another backblaze-assets is at work in ", other.kill)
        done = run("import")
    assert done.code == 0
    assert done.stderr.splitlines()[:2] == [
        f"Another backblaze-assets is at work in {Path('data').absolute()}; waiting for it.",
        "raw_quarter 2013-Q2 to 2013-Q3 (2)",
    ]


@pytest.mark.slow
def test_what_the_other_command_has_made_is_not_made_again(run, when_said):
    """While it waits, everything comes to be there."""
    write_fleet(Path("data"))
    with held_elsewhere(Path("data/.locks").absolute(), "update") as other:

        def made_by_the_other() -> None:
            assert run_program("import", "--data", "elsewhere").code == 0
            Path("elsewhere/raw_quarter").rename("data/raw_quarter")
            shutil.rmtree("data/dagster/history")
            Path("elsewhere/dagster/history").rename("data/dagster/history")
            other.kill()

        write_fleet(Path("elsewhere"))
        when_said("Another backblaze-assets", made_by_the_other)
        done = run("import")
    assert done.code == 0
    assert done.stderr.splitlines()[1:] == ["Everything is up to date."]


@pytest.mark.slow
def test_looking_does_not_wait(run, data):
    with held_elsewhere(data / ".locks", "update"):
        assert run("status", "--data", data).code == 0
        assert run("afr", "--all", "--data", data).code == 0


@pytest.mark.slow
def test_a_zip_that_arrives_meanwhile_is_for_the_next_command(run, when_said):
    write_fleet(Path("data"))
    when_said(
        "raw_quarter", lambda: write_fleet(Path("data/x"), date(2014, 1, 1), date(2014, 1, 2))
    )
    when_said("daily_stats", lambda: Path("data/x/data_2014.zip").rename("data/data_2014.zip"))
    done = run("afr")
    assert done.code == 0, done.stderr
    assert "2014" not in done.stderr
    assert done.stdout.startswith("Annualized failure rates, 2013-Q3")
    again = run("afr")
    assert again.code == 0, again.stderr
    assert "raw_quarter 2014-Q1" in again.stderr
    assert again.stdout.startswith("Annualized failure rates, 2014-Q1")


@pytest.mark.slow
def test_a_zip_that_is_replaced_meanwhile_is_said_and_taken_by_the_next_command(run, when_said):
    write_fleet(Path("data"))
    path = Path("data/data_2013.zip")
    when_said("raw_quarter", lambda: replaced(path, date(2013, 7, 2)))
    done = run("import")
    assert done.code == 1
    assert done.stderr.count("raw_quarter 2013-Q2 to 2013-Q3 (2)") == 1
    assert done.stderr.count("Error:") == 1
    assert "data_2013.zip" in done.stderr
    assert "was replaced or changed" in done.stderr
    again = run("import")
    assert again.code == 0, again.stderr
    assert (Path("data/raw_quarter/2013-07-01/2013-07-02.parquet")).is_file()
    assert not (Path("data/raw_quarter/2013-07-01/2013-07-03.parquet")).exists()
