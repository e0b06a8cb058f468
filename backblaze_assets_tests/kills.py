"""Kills at random moments: whenever `movie` is killed, the next run ends with the same bytes.

    python -m backblaze_assets_tests.kills --kills 200 --seed 1

A run is killed by SIGKILL, alone or with all that it has started, and begun again, until one comes
to its end. Then every result must be as after a run that nobody has disturbed. After that a part
of the results is deleted, and it goes on. Needs `os.fork`, which spares the imports.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backblaze_assets.cli.update import bring_up_to_date
from backblaze_assets.definitions import build_definitions
from backblaze_assets.files.records import HIDDEN
from backblaze_assets.graph import GRAPH
from backblaze_assets.instance.opening import open_instance
from backblaze_assets.lineage.status import Status
from backblaze_assets.lineage.verifying import damaged
from backblaze_assets.settings import Settings
from backblaze_assets_tests.project import Brief, write_fleet
from backblaze_assets_tests.quick import make_dagster_quick

LIMIT_S = 600
"""What one run may take on a busy machine."""


@dataclass
class Outcome:
    """What has been survived.

    Attributes:
        kills: runs that were killed before their end.
        ends: runs that came to their end, each compared with the undisturbed one.
        wrong: what was not as it ought to be.
    """

    kills: int = 0
    ends: int = 0
    wrong: list[str] = field(default_factory=list)


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a data folder but records, locks, and results that are kept."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] not in ("dagster", ".locks", HIDDEN)
    }


def start(work: Callable[[], object]) -> int:
    """Do some work in a process of its own, which leads a group; its id.

    All work is done in such processes: one in which libraries have started threads is not to fork.
    """
    child = os.fork()
    if child:
        return child
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def update(root: Path) -> None:
    """Bring all assets up to date."""
    with open_instance(root) as instance:
        bring_up_to_date(instance, Brief(root), list(GRAPH))


def ended(process: int, seconds: float) -> int | None:
    """The exit status of a process that ends within `seconds`, else None."""
    deadline = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.01)


def kill_often(
    folder: Path, kills: int, seed: int, say: Callable[[str], object] = lambda _: None
) -> Outcome:
    """Kill `kills` runs in an empty folder; the number of ends depends on chance."""
    chance = random.Random(seed)
    quiet, root = folder / "undisturbed", folder / "killed"
    ended(start(lambda: write_fleet(quiet)), LIMIT_S)
    shutil.copytree(quiet, root)
    begun = time.monotonic()
    code = ended(start(lambda: update(quiet)), LIMIT_S)
    usual = time.monotonic() - begun
    expected, outcome, to_do = contents(quiet), Outcome(), 1.0
    if code:
        outcome.wrong.append(f"the undisturbed run ended with {code}")
    while not outcome.wrong and outcome.kills < kills:
        process = start(lambda: update(root))
        # Much happens in the beginning, so a third of the kills fall there.
        span = usual * to_do * chance.choice([0.3, 1, 1])
        code = ended(process, chance.uniform(0, span))
        if code is None:
            whom = os.killpg if chance.random() < 0.7 else os.kill
            _kill(whom, process)
            outcome.kills += 1
            if outcome.kills < kills:
                continue
            code = ended(start(lambda: update(root)), LIMIT_S)
        outcome.ends += 1
        outcome.wrong += _wrong(root, code, expected)
        say(f"{outcome.kills} kills, {outcome.ends} ends")
        to_do = _delete_some(root, chance)
    return outcome


def _kill(whom: Callable[[int, int], None], process: int) -> None:
    try:
        whom(process, signal.SIGKILL)
    except ProcessLookupError:  # it had not made its group yet
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _wrong(root: Path, code: int | None, expected: dict[str, bytes]) -> list[str]:
    found = contents(root)
    wrong = [f"ended with {code}"] if code else []
    wrong += [f"unfinished: {name}" for name in found if "/.tmp-" in f"/{name}"]
    wrong += [f"too many: {name}" for name in sorted(found.keys() - expected.keys())]
    wrong += [f"missing: {name}" for name in sorted(expected.keys() - found.keys())]
    wrong += [f"other: {name}" for name in found if found[name] != expected.get(name)]
    report = root.with_name("report.txt")
    if code := ended(start(lambda: report.write_text(_judged(root), "utf-8")), LIMIT_S):
        return [*wrong, f"the judge ended with {code}"]
    return [*wrong, *report.read_text("utf-8").splitlines()]


def _judged(root: Path) -> str:
    """What is not up to date or damaged, a line each."""
    with open_instance(root) as instance:
        lineage = Brief(root).lineage(instance)
        stale = [
            f"{asset} {key}: {status.value}"
            for asset in GRAPH
            for key in lineage.expected(asset)
            if (status := lineage.status(asset, key)) is not Status.UP_TO_DATE
        ]
        return "\n".join([*stale, *map(str, damaged(lineage)[1])])


def _delete_some(root: Path, chance: random.Random) -> float:
    """Delete the results of some assets; now and then all, with Dagster's records.

    Returns:
        About which part of everything is to be made again.
    """
    if chance.random() < 0.2:
        for name in (*GRAPH, "dagster"):
            shutil.rmtree(root / name, ignore_errors=True)
        return 1
    some = chance.sample(list(GRAPH), 4)
    for asset in some:
        shutil.rmtree(root / asset, ignore_errors=True)
    return len(some) / len(GRAPH)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run by hand; 1 when something was not as it ought to be."""
    parser = argparse.ArgumentParser(prog="python -m backblaze_assets_tests.kills")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--quick", action="store_true", help="databases stay open, and do not wait for the disk"
    )
    options = parser.parse_args(arguments)
    make_dagster_quick(databases=options.quick)
    with tempfile.TemporaryDirectory() as name:
        build_definitions(Brief(Path(name)), Settings())  # all imports, once
        found = kill_often(Path(name), options.kills, options.seed, _say)
    _say(f"{found.kills} kills, {found.ends} ends as without a kill; wrong: {len(found.wrong)}")
    for wrong in found.wrong:
        _say(wrong)
    return int(bool(found.wrong))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
