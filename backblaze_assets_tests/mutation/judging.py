"""Runs tests over mutants, in temporary copies of the repository."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from queue import SimpleQueue

from backblaze_assets_tests.mutation import plugin
from backblaze_assets_tests.mutation.mutants import Mutant
from backblaze_assets_tests.mutation.reach import Reach

NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", "build", "dist")

FAST, SLOW = "not slow", "slow"
SECONDS = {FAST: 90, SLOW: 300}
"""Until a single test is ended; many times what one takes on a quiet machine."""

REMEMBERED = 12
"""So many of the tests that have noticed changes of a file are run before all others."""

KILLED, TIMEOUT, SURVIVED, ERROR, LATE = "killed", "timeout", "survived", "error", "not run"
NOTICED = (KILLED, TIMEOUT)

FAILED = (1, 2, 4)
"""Exit codes of pytest: a test has failed, or a module, or a `conftest.py`, cannot be imported."""


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
        by: the test that noticed it, or that ran when the time was over; empty for none.
    """

    mutant: Mutant
    verdict: str
    seconds: float = 0.0
    by: str = ""


@dataclass(frozen=True)
class Run:
    """How pytest ended: its exit code, time, and the last test that it began."""

    code: int
    seconds: float
    last: str


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

    def test(self, files: Iterable[Path], marked: str, first: Sequence[str] = ()) -> Run:
        """Run tests until one fails, in a process that is ended with all its children.

        Args:
            files: where the tests are.
            marked: which of them, in pytest's words for marks.
            first: tests, or files of them, to begin with.
        """
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(
            dir=self.folder.parent, ignore_cleanup_errors=True
        ) as scratch:
            running = Path(scratch, "running")
            environment = os.environ | {
                # Before the repository itself, where the package is installed from.
                "PYTHONPATH": str(self.folder),
                "TMPDIR": scratch,
                plugin.FIRST: json.dumps(list(first)),
                plugin.SECONDS: str(SECONDS[marked]),
                plugin.RUNNING: str(running),
            }
            # Else everything is compiled anew for every mutant.
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-m", marked),
                    *("-n", "0", "-p", "no:cacheprovider", "--basetemp", f"{scratch}/pytest"),
                    *("-p", plugin.__name__),
                    *(str(path.relative_to(self.source)) for path in files),
                ],
                cwd=self.folder,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                code = process.wait()
            finally:
                _end(process)
            last = running.read_text(encoding="utf-8") if running.exists() else ""
        return Run(code, time.monotonic() - begun, last)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a process and of what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass
class Judge:
    """Runs the tests of mutants.

    Attributes:
        root: the repository.
        until: by `time.monotonic`, when no further mutant is begun.
        noticed_by: of each file, how many of its mutants each test has noticed so far.
        far: whether other tests are run beside those that mirror a file or have noticed changes
            of it.
        slow: whether the slow tests that mirror a file are run as well.
        trusts: whether it is known that the tests pass without a change.
    """

    root: Path
    until: float
    noticed_by: Mapping[PurePosixPath, Counter[str]]
    far: bool = True
    slow: bool = True
    trusts: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sound: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._reach = Reach(self.root)
        self._noticed_by = defaultdict(Counter, self.noticed_by)

    def judge(self, mutant: Mutant, copy: Copy) -> Outcome:
        """Test one mutant.

        Raises:
            UnchangedError: what has noticed it fails without the change, too.
        """
        if time.monotonic() > self.until:
            return Outcome(mutant, LATE)
        seconds = 0.0
        original = (self.root / mutant.path).read_text(encoding="utf-8")
        for files, marked, first in self._stages(mutant.path):
            copy.write(mutant.path, mutant.text)
            try:
                run = copy.test(files, marked, first)
            finally:
                copy.write(mutant.path, original)
            seconds += run.seconds
            if run.code in (*FAILED, -signal.SIGALRM):
                self._check_without(run.last, files, marked, copy)
                with self._lock:
                    self._noticed_by[mutant.path][run.last] += 1
                verdict = TIMEOUT if run.code < 0 else KILLED
                return Outcome(mutant, verdict, seconds, run.last)
            if run.code not in (0, 5):
                return Outcome(mutant, ERROR, seconds, f"pytest ended with {run.code}")
        return Outcome(mutant, SURVIVED, seconds)

    def _check_without(self, test: str, files: Sequence[Path], marked: str, copy: Copy) -> None:
        """See that what has noticed a change passes without it: once for each test.

        Args:
            test: the test; where there is none, a file could not be imported.
            files: where the tests that were run are.
            marked: which of them.
            copy: of the repository, without a change.

        Raises:
            UnchangedError: it fails without any change.
        """
        with self._lock:
            if self.trusts or test in self._sound:
                return
        run = copy.test([self.root / test] if test else files[:1], marked)
        if run.code not in (0, 5):
            why = run.last or f"pytest ended with {run.code}"
            raise UnchangedError(f"the tests fail without any change: {why}")
        with self._lock:
            self._sound.add(test)

    def _stages(self, path: PurePosixPath) -> list[tuple[list[Path], str, list[str]]]:
        """Files with tests, which of them, and those to begin with, in order."""
        near, others = self._reach.near(path), self._reach.others(path)
        with self._lock:
            of_file = [test for test, _ in self._noticed_by[path].most_common(REMEMBERED)]
            of_all = sum(self._noticed_by.values(), Counter[str]())
        known = {self.root / test.partition("::")[0] for test in of_file}
        begin = [*near, *(file for file in others if file in known)]
        rest = [file for file in others if file not in known]
        # What notices changes of other files may well notice this one.
        own = [str(file.relative_to(self.root)) for file in near[:1]]
        first = list(dict.fromkeys([*of_file, *own, *(test for test, _ in of_all.most_common())]))
        stages = [(begin, FAST, first)]
        stages += [(rest, FAST, first)] if self.far else []
        stages += [(near, SLOW, first)] if self.slow else []
        return [stage for stage in stages if stage[0]]


def judge_all(judge: Judge, mutants: Sequence[Mutant], workers: int) -> Iterable[Outcome]:
    """Test mutants side by side, each worker in its own copy; outcomes as they come.

    Raises:
        UnchangedError: a test that has noticed one fails without any change.
    """
    if not mutants:
        return
    copies: SimpleQueue[Copy] = SimpleQueue()
    with (
        tempfile.TemporaryDirectory(prefix="mutation-") as folder,
        ThreadPoolExecutor(workers) as pool,
    ):
        # The repository may be edited meanwhile.
        unchanged = Copy(judge.root, Path(folder, "unchanged", "repository"))
        judge = replace(judge, root=unchanged.folder)
        for number in range(workers):
            copies.put(Copy(unchanged.folder, Path(folder, str(number), "repository")))

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
