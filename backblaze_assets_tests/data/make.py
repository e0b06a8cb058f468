"""Make the small real inputs beside this module, and count what is in them.

    python -m backblaze_assets_tests.data.make OUT YEAR_2013 [FAILURES ...]

YEAR_2013 is the published `data_2013.zip`, or one with its first forty days; FAILURES are zips of
later quarters with rows of failed drives. Uses Python's own `csv`, and nothing of the package that
the counts are to test.
"""

import argparse
import csv
import hashlib
import io
import zipfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path, PurePosixPath

FIRST, LAST = date(2013, 4, 10), date(2013, 5, 19)
ONE_IN = 150
"""Of the drives that are neither failed nor the first of their model, about one in so many."""
WRITTEN_AT = (2013, 5, 20, 0, 0, 0)

EVERY_NTH_DAY = 10
"""Of the zips with rows of failed drives."""

Row = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("year_2013", type=Path, help="the zip with all drives")
    parser.add_argument("failures", type=Path, nargs="*", help="zips with rows of failed drives")
    args = parser.parse_args()
    make_forty_days(args.year_2013, args.out / "forty_days")
    make_failures(args.failures, args.out / "failures")


def make_forty_days(source: Path, out: Path) -> None:
    """Write some drives of `source` as a zip, and their counts, into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    days = read_days(source)
    kept = chosen(days)
    sample = {
        day: [row for row in rows if row["serial_number"] in kept] for day, rows in days.items()
    }
    write_zip(out / "data_2013.zip", sample)
    write_csv(out / "all_drives_models.csv", count_models(days))
    write_csv(out / "models.csv", count_models(sample))
    write_csv(out / "drives.csv", count_drives(sample))
    write_csv(out / "days.csv", count_days(sample))


def make_failures(sources: list[Path], out: Path) -> None:
    """Write some days of each zip, members and junk as they are, and the counts of their rows."""
    out.mkdir(parents=True, exist_ok=True)
    counts: list[dict[str, object]] = []
    for source in sorted(sources):
        with (
            zipfile.ZipFile(source) as whole,
            zipfile.ZipFile(out / source.name, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as some,
        ):
            names = [name for name in whole.namelist() if is_day(name)]
            days = {PurePosixPath(name).name for name in [*names[::EVERY_NTH_DAY], names[-1]]}
            for name in whole.namelist():
                file_name = PurePosixPath(name).name.removeprefix("._")
                if file_name in days or not file_name.endswith(".csv"):
                    some.writestr(member(name), whole.read(name))
                if file_name in days and is_day(name):
                    counts.append(count_rows(source.name, file_name, whole.read(name).decode()))
    if counts:
        write_csv(out / "days.csv", counts)


def is_day(name: str) -> bool:
    """Whether a member is data, not what a Mac adds for each file."""
    return name.endswith(".csv") and not PurePosixPath(name).name.startswith(".")


def member(name: str) -> zipfile.ZipInfo:
    """A member that is compressed, written at the same time always."""
    info = zipfile.ZipInfo(name, WRITTEN_AT)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def count_rows(archive: str, name: str, text: str) -> dict[str, object]:
    """Columns, rows and failures of one daily file."""
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return {
        "zip": archive,
        "date": name.removesuffix(".csv"),
        "columns": len(rows[0]),
        "rows": len(rows),
        "failures": sum(int(row["failure"]) for row in rows),
    }


def read_days(source: Path) -> dict[date, list[Row]]:
    """All rows of the forty days, in the order of the files."""
    days = {}
    with zipfile.ZipFile(source) as archive:
        names = {PurePosixPath(name).name: name for name in archive.namelist()}
        for offset in range((LAST - FIRST).days + 1):
            day = FIRST + timedelta(days=offset)
            with archive.open(names[f"{day}.csv"]) as file:
                days[day] = list(csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))
    return days


def chosen(days: dict[date, list[Row]]) -> set[str]:
    """Serials of every drive that failed, the first of each model, and about one in `ONE_IN`."""
    failed: set[str] = set()
    first: dict[str, str] = {}
    picked: set[str] = set()
    for rows in days.values():
        for row in rows:
            serial, model = row["serial_number"], row["model"]
            if row["failure"] == "1":
                failed.add(serial)
            first[model] = min(serial, first.get(model, serial))
            if int(hashlib.sha256(serial.encode()).hexdigest(), 16) % ONE_IN == 0:
                picked.add(serial)
    return failed | set(first.values()) | picked


def write_zip(path: Path, days: dict[date, list[Row]]) -> None:
    """A zip in the published layout; the same bytes from the same rows."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for day, rows in days.items():
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            archive.writestr(member(f"2013/{day}.csv"), text.getvalue())


def count_drives(days: dict[date, list[Row]]) -> list[dict[str, object]]:
    """Of each drive its model on its last day, first and last day, drive days, failures."""
    seen: dict[str, list[date]] = {}
    model: dict[str, str] = {}
    failed: dict[str, date] = {}
    failures: Counter[str] = Counter()
    for day, rows in days.items():
        for row in rows:
            serial = row["serial_number"]
            seen.setdefault(serial, []).append(day)
            model[serial] = row["model"]
            if row["failure"] == "1":
                failures[serial] += 1
                failed.setdefault(serial, day)
    return [
        {
            "serial_number": serial,
            "model": model[serial],
            "first_seen": seen[serial][0],
            "last_seen": seen[serial][-1],
            "drive_days": len(seen[serial]),
            "failures": failures[serial],
            "failed_on": failed.get(serial, ""),
        }
        for serial in sorted(seen)
    ]


def count_models(days: dict[date, list[Row]]) -> list[dict[str, object]]:
    """Of each model drives seen and on the last day, drive days, failures, failure rate."""
    serials: dict[str, set[str]] = {}
    drive_days: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for rows in days.values():
        for row in rows:
            serials.setdefault(row["model"], set()).add(row["serial_number"])
            drive_days[row["model"]] += 1
            failures[row["model"]] += int(row["failure"])
    at_end = Counter(row["model"] for row in days[LAST])
    return [
        {
            "model": model,
            "drives_seen": len(serials[model]),
            "drives_end": at_end[model],
            "drive_days": drive_days[model],
            "failures": failures[model],
            "afr": round(100 * failures[model] * 365 / drive_days[model], 6),
        }
        for model in sorted(serials)
    ]


def count_days(days: dict[date, list[Row]]) -> list[dict[str, object]]:
    """Of each day its drives and failures."""
    return [
        {"date": day, "drives": len(rows), "failures": sum(int(row["failure"]) for row in rows)}
        for day, rows in days.items()
    ]


def write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    """Rows with the columns of the first."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
