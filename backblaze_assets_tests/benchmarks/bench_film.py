"""Clips and film against ffmpeg alone, on the 1,270 frames of 2013-04-10 to 2016-09-30.

How the encoder's settings were chosen. Two cores shared with other work, so speed is given as CPU
milliseconds a frame, JPEG decoding and colours included (about 10 of them). SSIM against the JPEGs
after the same colour conversion: luma, red chroma (V), and the worst frame over all planes. Size in
10**3 bytes a frame. "2016": 150 frames of the real fleet from 2015-09-26; "2021": 120 frames of a
made-up fleet that grows to 512,600 drives as 2x2 squares. All with 2 threads and 60 frames between
key frames; "B" with the preset's B-frames, all others without; "*" is the choice.

    settings                     2016: ms  size     Y     V worst   2021: ms  size     Y     V worst
    ultrafast crf 18                 17.6  54.9 .9965 .9964 .9954       18.9  85.0 .9965 .9948 .9951
    superfast crf 18                 21.5  38.8 .9959 .9949 .9942       22.5  57.7 .9956 .9916 .9934
    superfast crf 21                 19.8  26.6 .9940 .9922 .9916       21.5  40.7 .9932 .9871 .9901
    veryfast crf 15                  26.2  27.8 .9956 .9942 .9933       29.7  45.4 .9952 .9910 .9913
    veryfast crf 17                  29.8  21.6 .9944 .9923 .9915       28.7  35.5 .9936 .9879 .9888
    veryfast crf 18                  28.7  18.9 .9936 .9910 .9904       30.5  31.2 .9926 .9861 .9873
    veryfast crf 18 B                30.2  15.2 .9933 .9911 .9900       28.7  30.0 .9924 .9862 .9874
    veryfast crf 18, key every 250   26.5  16.7 .9930 .9895 .9887       27.1  29.7 .9922 .9846 .9866
    veryfast crf 18, 1 thread        25.4  18.9 .9936 .9910 .9904       27.3  31.2 .9926 .9861 .9873
    veryfast crf 18, 4 threads       24.1  18.9 .9936 .9910 .9904       26.3  31.2 .9926 .9861 .9873
    veryfast crf 18, tune animation  24.9  20.5 .9941 .9920 .9912       25.7  35.6 .9935 .9884 .9889
    veryfast crf 18, tune grain      26.6  38.7 .9963 .9945 .9946       33.5  65.1 .9966 .9925 .9942
    veryfast crf 18, aq-mode 0       26.2  24.1 .9945 .9927 .9918       27.3  44.4 .9943 .9908 .9907
    veryfast crf 18, no mbtree       25.8  29.2 .9955 .9939 .9937       27.4  44.1 .9949 .9898 .9921
    veryfast crf 18, deblock -2      29.3  19.3 .9933 .9909 .9901       30.6  31.6 .9923 .9859 .9868
    veryfast crf 18, chroma -3       28.0  21.0 .9937 .9942 .9917       27.2  33.1 .9926 .9910 .9889
    veryfast crf 18, chroma -6       28.9  24.1 .9937 .9963 .9926       31.8  36.0 .9926 .9944 .9900
    veryfast crf 19, chroma -6 *     25.9  21.3 .9929 .9957 .9917       32.7  31.6 .9915 .9934 .9886
    veryfast crf 21                  24.3  13.1 .9908 .9863 .9868       25.6  21.2 .9885 .9799 .9822
    faster crf 18                    33.8  19.2 .9941 .9923 .9912       38.2  31.2 .9930 .9879 .9883
    fast crf 18                      47.7  20.7 .9942 .9946 .9921       46.7  33.6 .9933 .9912 .9892
    medium crf 18                    51.7  20.8 .9943 .9947 .9920       63.2  33.5 .9934 .9914 .9893
    slow crf 18                      83.4  20.5 .9945 .9948 .9922       83.8  32.7 .9936 .9915 .9895

The CPU times of equal work differ by a tenth from line to line. Without the chroma offset, red
rings leave a greenish haze on the grey squares (seen at crf 18); finer chroma removes it for less
than finer everything. The film of 1,270 frames has 26 MB. Slower presets gain nothing that shows.

Feeding: a list of files (concat demuxer), a glob and a pipe of the JPEGs' bytes cost the same. The
pipe serves files and memory alike, and names a bad frame before ffmpeg sees it.
Parallel: one ffmpeg keeps two cores busy only while a clip runs; two at a time also fill the starts
and ends of clips. The benchmark prints both.
"""

import json
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.files.origin import Origin
from backblaze_assets.film.layout import build, censuses
from backblaze_assets.film.render import render_days
from backblaze_assets.film.style import Style
from backblaze_assets_tests.benchmarks.harness import Result, measure, written_mb
from backblaze_assets_tests.real_data import SHARED

FIRST, LAST = date(2013, 4, 10), date(2016, 9, 30)
DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
CLOSING = 60
MOST_TIMES_FLOOR = 1.1
MOST_SECONDS_TO_JOIN = 2.0

FFMPEG_ALONE = """
import subprocess, sys
import imageio_ffmpeg
from backblaze_assets.film.encode import COLOURS, X264
listing, target = sys.argv[1:]
command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "concat", "-safe", "0"]
command += ["-r", "60", "-i", listing, "-vf", COLOURS, *X264, "-movflags", "+faststart", target]
subprocess.run(command, check=True)
"""
CLIPS = """
import json, sys
from pathlib import Path
from backblaze_assets.film.encode import ClipJob, encode_clips
from backblaze_assets.files.origin import Origin
jobs = [
    ClipJob([Path(frame) for frame in frames], Path(clip), Origin("movie_clip", clip, "benchmark"))
    for clip, frames in json.loads(Path(sys.argv[1]).read_text()).items()
]
encode_clips(jobs, 60, int(sys.argv[2]) or None)
"""
JOIN = """
import sys
from pathlib import Path
from backblaze_assets.film.encode import join_clips
from backblaze_assets.files.origin import Origin
target, *clips = map(Path, sys.argv[1:])
report = join_clips(clips, target, Origin("movie", None, "benchmark"))
print(report.frames, "frames,", round(report.seconds, 3), "s of film")
"""


def run(work: Path) -> list[Result]:
    frames = _frames(work)
    clips: dict[str, list[str]] = {}
    for day, frame in frames.items():
        clips.setdefault(str(work / "clips" / f"{quarter_of(day)}.mp4"), []).append(str(frame))
    # In place of closing frames, which have the same size and kind: the last frames once more.
    clips[str(work / "clips" / "closing.mp4")] = [*map(str, frames.values())][-CLOSING:]
    jobs, listing = work / "jobs.json", work / "frames.txt"
    jobs.write_text(json.dumps(clips))
    every_frame = (frame for clip in clips.values() for frame in clip)
    listing.write_text("".join(f"file '{frame}'\n" for frame in every_frame))
    alone, film = work / "alone.mp4", work / "film.mp4"

    floor = measure(FFMPEG_ALONE, str(listing), str(alone))
    one_by_one = measure(CLIPS, str(jobs), "1")
    encoded = measure(CLIPS, str(jobs), "0")
    joined = measure(JOIN, str(film), *clips)
    return [
        Result("film", "floor: one ffmpeg, all frames", floor, written_mb(alone)),
        Result(
            "film",
            f"{len(clips)} clips, one at a time",
            one_by_one,
            written_mb(work / "clips"),
            ratio=one_by_one.wall_s / floor.wall_s,
        ),
        Result(
            "film",
            f"{len(clips)} clips, as many at a time as by default",
            encoded,
            written_mb(work / "clips"),
            ratio=encoded.wall_s / floor.wall_s,
            goal=MOST_TIMES_FLOOR,
            note=f"{(len(frames) + CLOSING) / encoded.wall_s:.0f} frames/s",
        ),
        Result(
            "film",
            "joining them",
            joined,
            written_mb(film),
            goal=MOST_SECONDS_TO_JOIN,
            note=f"goal in seconds; {joined.stdout.strip()}",
        ),
    ]


def _frames(work: Path) -> dict[date, Path]:
    """The frame of each day, drawn when it is not there yet."""
    folder = work / "frames"
    frames = {day: folder / f"{day}.jpg" for day in DAYS}
    if not all(frame.exists() for frame in frames.values()):
        lifetimes = work / "lifetimes"
        lifetimes.mkdir(exist_ok=True)
        drives = _drives()
        drives.write_parquet(lifetimes / "drives.parquet")
        _calendar().write_parquet(lifetimes / "days.parquet")
        style = Style.named("1080p")
        layout = build(censuses(drives, _quarters(DAYS)), style)
        render_days(
            lifetimes, layout, style, DAYS, frames.__getitem__, Origin("frames", None, "benchmark")
        )
    return frames


def _drives() -> pl.DataFrame:
    """`drives.parquet` of the real fleet, or of a made-up one where that is not at hand."""
    real = SHARED / "data" / "fleet_2013_2016.parquet"
    fleet = pl.read_parquet(real) if real.exists() else _made_up_fleet()
    failed = pl.col("failures") > 0
    left = ~failed & (pl.col("last_seen") < LAST)
    return (
        fleet.select(
            "serial_number",
            "model",
            "first_seen",
            "last_seen",
            "failures",
            maker=pl.col("model").str.extract(r"^(\w+)"),
            boot=pl.col("capacity_tb") < 0.9,
            capacity_bytes=(pl.col("capacity_tb") * 1e12).cast(pl.Int64),
            failed_on=pl.when(failed).then("last_seen"),
            removed_on=pl.when(left).then(pl.col("last_seen") + timedelta(days=1)),
        )
        .sort("model", "first_seen", "serial_number")
        .with_columns(slot=pl.int_range(pl.len(), dtype=pl.Int32).over("model"))
    )


def _made_up_fleet() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    drives = 87_068
    model = rng.integers(0, 40, drives)
    first = np.minimum(model * 20 + rng.integers(0, 400, drives), len(DAYS) - 1)
    last = np.minimum(first + rng.exponential(5000, drives).astype(int), len(DAYS) - 1)
    day = np.array(DAYS, "datetime64[D]")
    return pl.DataFrame(
        {
            "serial_number": [f"S{number:06}" for number in range(drives)],
            "model": [f"ST{4000 + number}DM" for number in model],
            "first_seen": day[first],
            "last_seen": day[last],
            "failures": ((last < len(DAYS) - 1) & (rng.random(drives) < 0.5)).astype(np.int16),
            "capacity_tb": np.full(drives, 4.0),
        }
    )


def _calendar() -> pl.DataFrame:
    return pl.DataFrame({"date": DAYS, "quarter": [quarter_of(day) for day in DAYS]}).with_columns(
        rows=pl.lit(1),
        reported=pl.lit(True),  # noqa: FBT003
        partial=pl.lit(False),  # noqa: FBT003
        in_zip=pl.lit(True),  # noqa: FBT003
        synthetic=pl.lit(False),  # noqa: FBT003
    )


def _quarters(days: Iterable[date]) -> list[date]:
    return sorted({quarter_of(day) for day in days})
