"""What every benchmark shares: measuring a command with all its children, and the result's form."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from backblaze_assets_tests.real_data import REPOSITORY


@dataclass(frozen=True)
class Measurement:
    """What a command took, all its children included.

    Attributes:
        wall_s: time.
        cpu_s: of all processors.
        peak_mb: memory.
        stdout: what it printed.
        tenths_mb: peak memory in each tenth of the time.
        stolen: the part of all processors' time that a virtual machine's host gave to others, 0 to
            1. Where it is more than a few hundredths, CPU seconds count and wall times do not. None
            where it was not measured.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    stdout: str
    tenths_mb: tuple[int, ...] = ()
    stolen: float | None = None


@dataclass(frozen=True)
class Result:
    """One row of the table.

    Attributes:
        benchmark: such as `import`.
        case: which of its rows, such as `floor` or `all columns to Parquet`.
        measured: time and memory.
        written_mb: size of what was written, in 10**6 bytes.
        ratio: wall time over the floor's, None for a floor.
        goal: the ratio (or figure in `note`) to stay under.
        note: further figures, such as rows a second.
    """

    benchmark: str
    case: str
    measured: Measurement
    written_mb: float = 0.0
    ratio: float | None = None
    goal: float | None = None
    note: str = ""

    def as_json(self) -> dict[str, object]:
        """The row for the JSON file."""
        row = asdict(self)
        row["measured"].pop("stdout")
        return row


def measure(code: str, *args: str, env: dict[str, str] | None = None) -> Measurement:
    """Run Python `code` (sys.argv[1:] are `args`) in a new interpreter and measure it.

    CPU seconds are those of the interpreter and of all its children that it waited for. Peak
    memory is the largest sum, sampled every 50 ms, of the proportional set sizes (PSS, which
    counts shared pages once) of the whole process tree.

    Raises:
        subprocess.CalledProcessError: the code failed; its output has been printed.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, **(env or {})},
    )
    samples: list[tuple[float, float]] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.05):
            memory = sum(_pss_mb(pid) for pid in _tree(process.pid))
            samples.append((time.perf_counter() - started, memory))

    sampler = threading.Thread(target=sample)
    stolen_before, passed_before = _stolen_and_passed()
    started = time.perf_counter()
    sampler.start()
    assert process.stdout is not None
    stdout = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    ended.set()
    sampler.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        print(stdout)
        raise subprocess.CalledProcessError(process.returncode, code)
    tenths = [0.0] * 10
    for at, memory in samples:
        tenth = min(9, int(10 * at / wall))
        tenths[tenth] = max(tenths[tenth], memory)
    cpu = usage.ru_utime + usage.ru_stime
    stolen, passed = _stolen_and_passed()
    share = (stolen - stolen_before) / (passed - passed_before) if passed > passed_before else None
    return Measurement(wall, cpu, max(tenths), stdout, tuple(map(round, tenths)), share)


def written_mb(*paths: Path) -> float:
    """Bytes of all files below `paths`, in 10**6."""
    files = [f for path in paths for f in (path.rglob("*") if path.is_dir() else [path])]
    return sum(f.stat().st_size for f in files if f.is_file()) / 1e6


def _stolen_and_passed() -> tuple[int, int]:
    """Ticks that the host has given to others, and ticks in all, of all processors.

    The eighth figure of the first line of Linux's /proc/stat, as proc(5) says; elsewhere 0 and 0.
    """
    ticks = [int(word) for word in _read(Path("/proc/stat")).partition("\n")[0].split()[1:9]]
    return (ticks[7], sum(ticks)) if len(ticks) == 8 else (0, 0)


def _tree(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it has ended
        return [pid]
    children = [int(child) for task in tasks for child in _read(task / "children").split()]
    return [pid, *(grandchild for child in children for grandchild in _tree(child))]


def _pss_mb(pid: int) -> float:
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended
        return ""
