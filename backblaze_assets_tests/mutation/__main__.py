"""How many small changes to the code the tests notice.

    python -m backblaze_assets_tests.mutation --paths backblaze_assets/lineage --max 100 --workers 2

Each change is made in a temporary copy of the repository, never in place. The tests that mirror the
changed file run first (`pkg/a/b.py`: `pkg_tests/a/test_b.py`, then the rest of `pkg_tests/a`), the
fast ones before the slow ones, and when they notice nothing, all other fast tests. A change that no
test can notice goes into `mutation_ignored.txt`, with the reason.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from queue import SimpleQueue

from backblaze_assets_tests.mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[1]
IGNORED = Path(__file__).with_name("mutation_ignored.txt")
PATHS = ("graph.py", "partitions.py", "lineage", "automation", "assets")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", "build", "dist")

SLACK_SECONDS = 20

FAST, SLOW = "not slow", "slow"

KILLED, TIMEOUT, SURVIVED, ERROR, LATE = "killed", "timeout", "survived", "error", "not run"
NOTICED = (KILLED, TIMEOUT)


class UnchangedError(Exception):
    """The tests fail without any change, so nothing can be said."""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        mutant: the change.
        verdict: one of the words above; `error` when pytest itself failed, `not run` when the
            time was over.
        seconds: how long its tests took.
        by: the first test that noticed it, empty for none.
    """

    mutant: Mutant
    verdict: str
    seconds: float = 0.0
    by: str = ""


@dataclass(frozen=True)
class Run:
    """How pytest ended: its exit code, None after the time limit; time; the first failed test."""

    code: int | None
    seconds: float
    failed: str


@dataclass
class Copy:
    """A temporary copy of the repository, in which one mutant at a time is tested."""

    source: Path
    folder: Path
    written: int = 0

    def __post_init__(self) -> None:
        shutil.copytree(self.source, self.folder, ignore=self._left_out, symlinks=True)

    def _left_out(self, folder: str, names: list[str]) -> set[str]:
        left_out = set(NOT_COPIED(folder, names))
        # The user's data are no part of the code.
        return left_out | ({"data"} if Path(folder) == self.source else set())

    def write(self, path: PurePosixPath, text: str) -> None:
        """Replace a file; never with a time that a compiled copy of it may have."""
        self.written += 1
        target = self.folder / path
        target.write_text(text, encoding="utf-8")
        os.utime(target, (self.written, self.written))

    def test(self, files: Sequence[Path], marked: str, limit: float | None) -> Run:
        """Run tests until one fails, in a process that is ended with all its children.

        Args:
            files: where the tests are.
            marked: which of them, in pytest's words for marks.
            limit: seconds that they may take.
        """
        begun = time.monotonic()
        with (
            tempfile.TemporaryDirectory(
                dir=self.folder.parent, ignore_cleanup_errors=True
            ) as scratch,
            Path(scratch, "output").open("w+", encoding="utf-8") as output,
        ):
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-m", marked),
                    *("-n", "0", "-p", "no:cacheprovider", "--basetemp", f"{scratch}/pytest"),
                    *(str(path.relative_to(self.source)) for path in files),
                ],
                cwd=self.folder,
                # Before the repository itself, where the package is installed from.
                env=os.environ | {"PYTHONPATH": str(self.folder), "TMPDIR": scratch},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code: int | None = None
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(limit)
            _end(process)
            output.seek(0)
            lines = [line for line in output if line.startswith(("FAILED", "ERROR"))]
        failed = lines[0] if lines and code is not None else ""
        words = failed.split()
        return Run(code, time.monotonic() - begun, words[1] if len(words) > 1 else "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a process and of what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass
class Judge:
    """Runs the tests of mutants, and of the unchanged code to know how long they take.

    Attributes:
        root: the repository.
        until: by `time.monotonic`, when no further mutant is begun.
    """

    root: Path
    until: float
    _limits: dict[tuple[str, tuple[Path, ...]], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, mutant: Mutant, copy: Copy) -> Outcome:
        """Test one mutant.

        Raises:
            UnchangedError: the tests fail without any change.
        """
        if time.monotonic() > self.until:
            return Outcome(mutant, LATE)
        seconds = 0.0
        original = (self.root / mutant.path).read_text(encoding="utf-8")
        near = near_tests(self.root, mutant.path)
        others = [path for path in all_tests(self.root, mutant.path) if path not in near]
        for files, marked in ((near, FAST), (near, SLOW), (others, FAST)):
            if not files:
                continue
            limit = self._limit(files, marked, copy)
            copy.write(mutant.path, mutant.text)
            try:
                run = copy.test(files, marked, limit)
            finally:
                copy.write(mutant.path, original)
            seconds += run.seconds
            if run.code is None:
                return Outcome(mutant, TIMEOUT, seconds)
            if run.code in (1, 2):
                return Outcome(mutant, KILLED, seconds, run.failed)
            if run.code not in (0, 5):
                return Outcome(mutant, ERROR, seconds, f"pytest ended with {run.code}")
        return Outcome(mutant, SURVIVED, seconds)

    def _limit(self, files: Sequence[Path], marked: str, copy: Copy) -> float:
        """Several times what the tests take without a change."""
        with self._lock:
            key = (marked, tuple(files))
            if key not in self._limits:
                run = copy.test(files, marked, None)
                if run.code not in (0, 5):
                    message = f"the tests fail without any change: {run.failed or run.code}"
                    raise UnchangedError(message)
                self._limits[key] = SLACK_SECONDS + 4 * run.seconds
            return self._limits[key]


def _tests_folder(root: Path, path: PurePosixPath) -> Path:
    return root / f"{path.parts[0]}_tests"


def all_tests(root: Path, path: PurePosixPath) -> list[Path]:
    """Every file with tests of the package that `path` belongs to."""
    return sorted(_tests_folder(root, path).rglob("test_*.py"))


def near_tests(root: Path, path: PurePosixPath) -> list[Path]:
    """The files with tests that mirror `path`: the one of its name, then those of its folder.

    Of a module at the package's root, only the one of its name.
    """
    folder = _tests_folder(root, path).joinpath(*path.parts[1:-1])
    own = folder / f"test_{path.name}"
    found = [own] if own.exists() else []
    if len(path.parts) > 2:
        found += [file for file in sorted(folder.rglob("test_*.py")) if file != own]
    return found


def read_ignored(path: Path) -> dict[tuple[str, str, str], str]:
    """The mutants that no test can notice, with the reason.

    A mutant stands on four lines that begin with `file`, `line`, `what`, `why`.

    Raises:
        ValueError: a mutant without a reason, or lines in another order.
    """
    names = ("file: ", "line: ", "what: ", "why: ")
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    ignored = {}
    for start in range(0, len(lines), len(names)):
        block = lines[start : start + len(names)]
        wrong = len(block) < len(names) or any(
            not line.startswith(name) or line == name.strip()
            for line, name in zip(block, names, strict=False)
        )
        if wrong:
            message = f"{path}: expected lines {', '.join(names)}in this order, found {block}"
            raise ValueError(message)
        file, source, what, why = (
            line.removeprefix(name).strip() for line, name in zip(block, names, strict=True)
        )
        ignored[file, source, what] = why
    return ignored


def collect(root: Path, paths: Iterable[Path]) -> list[Mutant]:
    """All mutants of files, and of the Python files below folders, in order.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: a path is not in the repository.
    """
    found = []
    for path in paths:
        whole = root / path
        if not whole.exists():
            raise FileNotFoundError(whole)
        for file in sorted(whole.rglob("*.py")) if whole.is_dir() else [whole]:
            relative = PurePosixPath(file.relative_to(root).as_posix())
            found += mutants_of(relative, file.read_text(encoding="utf-8"))
    return found


def judge_all(
    root: Path, mutants: Sequence[Mutant], workers: int, until: float
) -> Iterable[Outcome]:
    """Test mutants side by side, each worker in its own copy; outcomes as they come."""
    judge = Judge(root, until)
    copies: SimpleQueue[Copy] = SimpleQueue()
    with (
        tempfile.TemporaryDirectory(prefix="mutation-") as folder,
        ThreadPoolExecutor(workers) as pool,
    ):
        for number in range(workers):
            copies.put(Copy(root, Path(folder, str(number), "repository")))

        def test(mutant: Mutant) -> Outcome:
            copy = copies.get()
            try:
                return judge.judge(mutant, copy)
            finally:
                copies.put(copy)

        futures = [pool.submit(test, mutant) for mutant in mutants]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it as a command.

    Returns:
        The exit code: 1 when less is noticed than `--fail-under` asks for, or nothing was judged.
    """
    parser = argparse.ArgumentParser(
        prog="python -m backblaze_assets_tests.mutation",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--paths", type=Path, nargs="+", metavar="PATH", help="what to change")
    parser.add_argument("--max", type=int, help="test so many, drawn by chance; default: all")
    parser.add_argument("--seed", type=int, default=0, help="of that chance")
    parser.add_argument("--workers", type=int, default=1, help="how many at the same time")
    parser.add_argument("--minutes", type=float, default=60, help="begin none after that")
    parser.add_argument("--fail-under", type=float, default=0, help="percent to notice")
    parser.add_argument("--list", action="store_true", help="only say what would be changed")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--ignored", type=Path, default=IGNORED, help="list of what is left out")
    args = parser.parse_args(arguments)
    root = args.root.resolve()
    paths = args.paths or [Path("backblaze_assets", name) for name in PATHS]
    ignored = read_ignored(args.ignored)
    mutants = [mutant for mutant in collect(root, paths) if mutant.key not in ignored]
    if args.max is not None and args.max < len(mutants):
        chosen = random.Random(args.seed).sample(range(len(mutants)), args.max)
        mutants = [mutants[index] for index in sorted(chosen)]
    if args.list:
        for mutant in mutants:
            print(f"{mutant.path}:{mutant.line}  {mutant.what}")
        print(f"{len(mutants)} mutants")
        return 0
    # A shell lets what it starts in the background ignore Ctrl-C, and tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    outcomes = []
    try:
        for outcome in judge_all(root, mutants, args.workers, time.monotonic() + 60 * args.minutes):
            outcomes.append(outcome)
            print(_row(outcome), flush=True)
    except UnchangedError as error:
        parser.exit(2, f"{error}\n")
    return _summary(outcomes, args.fail_under)


def _row(outcome: Outcome) -> str:
    mutant = outcome.mutant
    place = f"{mutant.path}:{mutant.line}"
    return f"{outcome.verdict:8} {outcome.seconds:6.1f} s  {place}  {mutant.what}  {outcome.by}"


def _summary(outcomes: Sequence[Outcome], wanted: float) -> int:
    """Print survivors and the score; 0 when it is at least `wanted` percent."""
    count = Counter(outcome.verdict for outcome in outcomes)
    for verdict in (SURVIVED, ERROR):
        if count[verdict]:
            print(f"\n{verdict}:")
        rows = [outcome for outcome in outcomes if outcome.verdict == verdict]
        for outcome in sorted(rows, key=lambda row: (row.mutant.path, row.mutant.line)):
            mutant = outcome.mutant
            print(f"  {mutant.path}:{mutant.line}  {mutant.what}\n      {mutant.source}")
    noticed = sum(count[verdict] for verdict in NOTICED)
    judged = noticed + count[SURVIVED]
    score = 100 * noticed / judged if judged else 0.0
    print(f"\nnoticed {noticed} of {judged}: {score:.1f} %")
    print(", ".join(f"{number} {verdict}" for verdict, number in sorted(count.items())))
    return 0 if judged and score >= wanted and not count[ERROR] else 1


if __name__ == "__main__":
    sys.exit(main())
