"""The mutation run as a command."""

import argparse
import hashlib
import json
import math
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from backblaze_assets_tests.mutation import __doc__ as about
from backblaze_assets_tests.mutation.judging import (
    ERROR,
    KILLED,
    LATE,
    NOTICED,
    SURVIVED,
    Judge,
    Outcome,
    UnchangedError,
    judge_all,
)
from backblaze_assets_tests.mutation.mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
IGNORED = Path(__file__).with_name("ignored.txt")
LOG = Path("build", "mutation.jsonl")
PATHS = ("graph.py", "partitions.py", "lineage", "automation", "assets")


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


Name = tuple[str, str, str, int]
"""What stays the same of a mutant when lines move: file, line, change, and which of those alike."""


def names(mutants: Iterable[Mutant]) -> dict[Name, Mutant]:
    """Mutants by a name that the next run knows again."""
    alike: Counter[tuple[str, str, str]] = Counter()
    named = {}
    for mutant in mutants:
        named[*mutant.key, alike[mutant.key]] = mutant
        alike[mutant.key] += 1
    return named


def sample(mutants: Mapping[Name, Mutant], number: int, seed: int) -> dict[Name, Mutant]:
    """So many mutants, from each file in proportion, and one at least where there are enough.

    Which ones of a file depends on nothing but the seed and their names, so that a small change
    to the code leaves most of the sample as it is. They come in an order without a system, so that
    the first of them are a sample as well.
    """
    files: dict[str, list[Name]] = defaultdict(list)
    for name in mutants:
        files[name[0]].append(name)
    quota = dict.fromkeys(files, 1 if len(files) <= number else 0)
    for _ in range(min(number, len(mutants)) - sum(quota.values())):
        # Webster's method, as seats go to parties.
        file = max(
            (file for file in files if quota[file] < len(files[file])),
            key=lambda file: len(files[file]) / (quota[file] + 0.5),
        )
        quota[file] += 1

    def drawn(name: Name) -> bytes:
        return hashlib.sha256(repr((seed, name)).encode()).digest()

    chosen = [name for file in files for name in sorted(files[file], key=drawn)[: quota[file]]]
    return {name: mutants[name] for name in sorted(chosen, key=drawn)}


def wilson(noticed: int, judged: int) -> tuple[float, float]:
    """The 95 % interval of a share, in percent (Wilson 1927)."""
    z = 1.959964
    share, spread = noticed / judged, z * z / judged
    middle = share + spread / 2
    half = z * math.sqrt(share * (1 - share) / judged + spread / judged / 4)
    return 100 * (middle - half) / (1 + spread), 100 * (middle + half) / (1 + spread)


class Log:
    """What became of mutants in this run and earlier ones: one line of JSON for each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[Name, tuple[str, float, str]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                name, *became = json.loads(line)
                self.known[*name,] = (*became,)

    def write(self, name: Name, outcome: Outcome) -> None:
        """Add an outcome."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            became = (outcome.verdict, round(outcome.seconds, 1), outcome.by)
            file.write(json.dumps([name, *became]) + "\n")

    def outcome(self, name: Name, mutant: Mutant) -> Outcome | None:
        """What became of a mutant the last time that it was judged."""
        return Outcome(mutant, *self.known[name]) if name in self.known else None

    @property
    def noticed_by(self) -> dict[PurePosixPath, Counter[str]]:
        """Of each file, how many of its mutants each test has noticed."""
        found: dict[PurePosixPath, Counter[str]] = defaultdict(Counter)
        for (file, *_), (verdict, _, by) in self.known.items():
            if verdict == KILLED and by:
                found[PurePosixPath(file)][by] += 1
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it as a command.

    Returns:
        The exit code: 1 when less is noticed than `--fail-under` asks for, or nothing was judged.
    """
    args = _parser().parse_args(arguments)
    root = args.root.resolve()
    paths = args.paths or [Path("backblaze_assets", name) for name in PATHS]
    ignored = read_ignored(args.ignored)
    chosen = {
        name: mutant
        for name, mutant in names(collect(root, paths)).items()
        if mutant.key not in ignored
    }
    if args.max is not None:
        chosen = sample(chosen, args.max, args.seed)
    if args.list:
        for mutant in sorted(chosen.values(), key=lambda it: (it.path, it.line)):
            print(f"{mutant.path}:{mutant.line}  {mutant.what}")
        print(f"{len(chosen)} mutants")
        return 0
    # A shell lets what it starts in the background ignore Ctrl-C, and tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = Log(root / args.log)
    outcomes = []
    for name, mutant in chosen.items() if args.resume or args.survivors else ():
        before = log.outcome(name, mutant)
        if before and not (args.survivors and before.verdict not in NOTICED):
            outcomes.append(before)
    done = {id(outcome.mutant) for outcome in outcomes}
    name_of = {id(mutant): name for name, mutant in chosen.items()}
    todo = [mutant for mutant in chosen.values() if id(mutant) not in done]
    until = time.monotonic() + 60 * args.minutes
    whole = not args.near
    judge = Judge(
        root, until, log.noticed_by, far=whole, slow=whole and not args.fast, trusts=args.trust
    )
    try:
        for outcome in judge_all(judge, todo, args.workers):
            outcomes.append(outcome)
            if outcome.verdict != LATE:
                log.write(name_of[id(outcome.mutant)], outcome)
            print(_row(outcome), flush=True)
    except UnchangedError as error:
        print(error, file=sys.stderr)
        return 2
    return _summary(outcomes, args.fail_under)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backblaze_assets_tests.mutation",
        description=(about or "").partition("\n")[0],
    )
    add = parser.add_argument
    add("--paths", type=Path, nargs="+", metavar="PATH", help="what to change")
    add("--max", type=int, help="test so many, drawn by chance from all files; default: all")
    add("--seed", type=int, default=0, help="of that chance")
    add("--workers", type=int, default=1, help="how many at the same time")
    add("--minutes", type=float, default=60, help="begin none after that")
    add("--fast", action="store_true", help="without slow tests")
    add("--near", action="store_true", help="only fast tests that mirror the file, to begin with")
    add("--trust", action="store_true", help="do not run what notices a change without it, too")
    add("--resume", action="store_true", help="only what the log does not have")
    add("--survivors", action="store_true", help="the same, and again what had survived")
    add("--fail-under", type=float, default=0, help="percent to notice")
    add("--list", action="store_true", help="only say what would be changed")
    add("--log", type=Path, default=LOG, help=f"what became of each; default: {LOG}")
    add("--root", type=Path, default=ROOT, help="the repository")
    add("--ignored", type=Path, default=IGNORED, help="list of what is left out")
    return parser


def _row(outcome: Outcome) -> str:
    mutant = outcome.mutant
    place = f"{mutant.path}:{mutant.line}"
    return f"{outcome.verdict:8} {outcome.seconds:6.1f} s  {place}  {mutant.what}  {outcome.by}"


def _summary(outcomes: Sequence[Outcome], wanted: float) -> int:
    """Print survivors and the scores; 0 when that of all is at least `wanted` percent."""
    count = Counter(outcome.verdict for outcome in outcomes)
    for verdict in (SURVIVED, ERROR):
        if count[verdict]:
            print(f"\n{verdict}:")
        rows = [outcome for outcome in outcomes if outcome.verdict == verdict]
        for outcome in sorted(rows, key=lambda row: (row.mutant.path, row.mutant.line)):
            mutant = outcome.mutant
            print(f"  {mutant.path}:{mutant.line}  {mutant.what}\n      {mutant.source}")
    print()
    files: dict[PurePosixPath, Counter[bool]] = defaultdict(Counter)
    for outcome in outcomes:
        if outcome.verdict in (*NOTICED, SURVIVED):
            files[outcome.mutant.path][outcome.verdict in NOTICED] += 1
    for file, found in sorted(files.items()):
        print(f"{found[True]:4} of {found.total():4}  {file}")
    noticed = sum(count[verdict] for verdict in NOTICED)
    judged = noticed + count[SURVIVED]
    score = 100 * noticed / judged if judged else 0.0
    low, high = wilson(noticed, judged) if judged else (0.0, 100.0)
    print(f"\nnoticed {noticed} of {judged}: {score:.1f} % (95 % interval {low:.1f} - {high:.1f})")
    print(", ".join(f"{number} {verdict}" for verdict, number in sorted(count.items())))
    return 0 if judged and score >= wanted and not count[ERROR] else 1


if __name__ == "__main__":
    sys.exit(main())
