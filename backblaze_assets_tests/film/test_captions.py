from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from backblaze_assets.film import captions
from backblaze_assets.film.captions import Caption, Memory, joined, record, schedule, subtitles
from backblaze_assets.film.style import Style
from backblaze_assets.film.words import MONTHS
from backblaze_assets_tests.film.fleets import START, daily, history, known_on, with_slots

HD = Style.named("1080p")
TB = 10**12


def on(number: int) -> date:
    return START + timedelta(days=number)


DAYS = [on(number) for number in range(800)]


def shown(*found: Caption) -> list[tuple[str, int, int]]:
    """Name, first and last day of what is shown."""
    by_day: dict[date, list[Caption]] = {}
    for caption in found:
        by_day.setdefault(caption.since, []).append(caption)
    _, seen = schedule(Memory(), DAYS, by_day)
    return [(one.name, (one.first - START).days, (one.last - START).days) for one in seen]


def common(day, name="c"):
    return Caption(on(day), name, "")


def urgent(day, name="u", weight=1):
    return Caption(on(day), name, "", ("M",), captions.URGENT, weight)


def test_one_caption_at_a_time():
    assert shown(common(5, "a"), common(20, "b")) == [("a", 5, 154)]
    assert shown(common(5, "a"), common(120, "b")) == [("a", 5, 154), ("b", 155, 304)]


def test_news_of_failures_ends_another_caption_within_two_weeks():
    assert shown(common(5, "a"), urgent(20)) == [("a", 5, 32), ("u", 33, 182)]
    assert shown(common(5, "a"), urgent(110)) == [("a", 5, 109), ("u", 110, 259)]


def test_graver_news_ends_news():
    assert shown(urgent(5, "a", 9), urgent(20, "b", 3)) == [("a", 5, 154)]
    assert shown(urgent(5, "a", 3), urgent(20, "b", 9)) == [("a", 5, 32), ("b", 33, 182)]


def test_captions_go_on_from_quarter_to_quarter():
    found = {on(5): [common(5, "a")], on(120): [common(120, "b")], on(300): [urgent(300)]}
    _, whole = schedule(Memory(), DAYS, found)
    memory, parts = Memory(), []
    for first in range(0, 800, 91):
        memory, seen = schedule(memory, DAYS[first : first + 91], found)
        memory = Memory.from_json(memory.to_json())
        parts += seen
    assert joined(parts) == whole


def test_subtitles_have_the_times_of_the_frames():
    said = [
        Caption(on(3), "A", "x", first=on(3), last=on(152)),
        Caption(on(3), "A", "x", first=on(3), last=on(62)),
        Caption(on(63), "B", "y", first=on(63), last=on(10_000)),
    ]
    assert subtitles(said, DAYS[:121], 4.0, 60) == (
        "1\n00:00:04,050 --> 00:00:05,050\n13 April 2013. A: x\n"
        "\n2\n00:00:05,050 --> 00:00:06,017\n12 June 2013. B: y\n"
    )
    assert "00:00:04,200 --> 00:00:08,200" in subtitles(said, DAYS[:121], 4.0, 15)


@pytest.mark.parametrize(
    ("value", "found"), [(0, 0), (1, 1), (4, 2), (9, 5), (21_119, 20_000), (50_000, 50_000)]
)
def test_records_are_round_numbers(value, found):
    assert record(value) == found


def two_models() -> pl.DataFrame:
    """A thousand good drives and two hundred of which half fail within the first year."""
    rows = []
    for number in range(1200):
        bad = number < 200
        rows.append(
            {
                "serial_number": f"S{number:05d}",
                "model": "ST3000DM001" if bad else "HMS5C4040ALE640",
                "maker": "Seagate" if bad else "HGST",
                "boot": False,
                "capacity_bytes": (3 if bad else 4) * TB,
                "first_seen": START if number < 900 else on(30),
                "failed_on": on(100 + 2 * number) if bad and number < 100 else None,
                "removed_on": None,
            }
        )
    schema = {"failed_on": pl.Date, "removed_on": pl.Date}
    return with_slots(pl.DataFrame(rows, schema_overrides=schema))


def test_a_model_that_fails_is_named_within_two_weeks_of_crossing_the_line():
    drives, last = two_models(), on(446)
    rows = daily(drives, last)
    said = joined(
        caption for _, layout in history(drives, last, HD, rows) for caption in layout.captions
    )
    named = [caption for caption in said if caption.models == ("ST3000DM001",)]
    assert named
    assert named[0].name == "Seagate ST3000DM001, 3 TB"
    crossed = f"({MONTHS[named[0].since.month - 1]} {named[0].since.year})"
    assert named[0].text.endswith(f" % fail in a year, of all others 0.0 % {crossed}")
    for caption in named:
        assert (caption.first - caption.since).days <= 14
    records = [caption for caption in said if caption.name == "1,000 drives"]
    assert [caption.since for caption in records] == [on(30)]


def test_captions_need_nothing_of_later_quarters():
    drives, last = two_models(), on(446)
    rows = daily(drives, last)
    early = history(known_on(drives, on(264)), date(2013, 12, 31), HD, rows)
    late = history(drives, last, HD, rows)
    for (_, one), (_, other) in zip(early, late, strict=False):
        assert one.captions == other.captions
        assert one.memory == other.memory


def test_the_last_drive_of_a_model_is_named():
    drives = two_models().with_columns(
        removed_on=pl.when(pl.col("model") == "ST3000DM001", pl.col("failed_on").is_null()).then(
            pl.lit(on(300))
        )
    )
    said = [
        caption
        for _, layout in history(drives, on(446), HD)
        for caption in [*layout.captions, *layout.memory.waiting]
    ]
    assert any("the last one has left; 50 % of 200 failed" in caption.text for caption in said)


def test_json_keeps_a_caption():
    caption = replace(urgent(5), first=on(7), last=on(9))
    assert Caption.from_json(caption.to_json()) == caption
