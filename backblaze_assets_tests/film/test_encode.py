import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets.film import encode
from backblaze_assets.film.encode import (
    ClipJob,
    ClipReport,
    encode_clip,
    encode_clips,
    encode_jpegs,
    join_clips,
)
from backblaze_assets.film.jpeg import BLOCKS
from backblaze_assets.film.probe import digest_video, overwrite_in_index, probe
from backblaze_assets.work.progress import listening

WIDTH, HEIGHT = 320, 180
BITS = 8
ORIGIN = Origin("movie_clip", "2013-04-01", "code", inputs={"frames": "it's Ωne; = \\ #"})
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def numbered(number: int, size: tuple[int, int] = (WIDTH, HEIGHT), subsampling: int = 2) -> bytes:
    """A frame that tells its number after any encoder: one black or white stripe a bit."""
    bits = [number >> bit & 1 for bit in range(BITS)]
    stripes = np.repeat(np.array(bits, np.uint8) * 255, size[0] // BITS)
    return jpeg(Image.fromarray(np.tile(stripes, (size[1], 1))).convert("RGB"), subsampling)


def jpeg(image: Image.Image, subsampling: int = 2) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", quality=95, subsampling=subsampling, comment=b'{"asset":"frames"}')
    return buffer.getvalue()


def decode(path: Path, pixels: str = "gray", *options: str) -> np.ndarray:
    """All frames of a film as ffmpeg shows them, none dropped or repeated."""
    command = [FFMPEG, "-v", "error", "-xerror", *options, "-i", path, "-fps_mode", "passthrough"]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", pixels, "-"], capture_output=True, check=True
    )
    channels = {"gray": 1, "rgb24": 3}[pixels]
    return np.frombuffer(raw.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH, channels)


def numbers(path: Path, *options: str) -> list[int]:
    shown = decode(path, "gray", *options)
    stripes = shown[:, :, WIDTH // BITS // 2 :: WIDTH // BITS].mean(axis=(1, 3)) > 127
    return (stripes @ (1 << np.arange(BITS))).tolist()


def write_frames(folder: Path, frames: range) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:03}.jpg" for number in frames]
    for path, number in zip(paths, frames, strict=True):
        path.write_bytes(numbered(number))
    return paths


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".tmp-")]


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[Path]:
    """Clips of 70, 1 and 20 frames, numbered on."""
    folder = tmp_path_factory.mktemp("clips")
    ranges = [range(70), range(70, 71), range(71, 91)]
    paths = [folder / f"it's {frames.start}.mp4" for frames in ranges]
    for path, frames in zip(paths, ranges, strict=True):
        encode_jpegs(map(numbered, frames), path, 60, ORIGIN)
    return paths


def test_a_clip_holds_every_frame_once_in_order(clips):
    assert numbers(clips[0]) == list(range(70))


def test_a_clip_is_what_browsers_play(clips):
    info = probe(clips[0])
    assert (info.width, info.height, info.fps, info.frames) == (WIDTH, HEIGHT, 60, 70)
    assert (info.codec, info.pixel_format, info.faststart) == ("avc1", "yuv420p", True)
    assert info.seconds == pytest.approx(70 / 60, abs=1e-9)
    log = subprocess.run([FFMPEG, "-i", clips[0]], capture_output=True, text=True, check=False)
    assert "yuv420p(tv, bt709" in log.stderr


def test_a_clip_opens_with_a_key_frame_and_has_one_every_second(clips):
    keys = numbers(clips[0], "-skip_frame", "nokey")
    assert keys[0] == 0
    assert max(np.diff([*keys, 70])) <= 60


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize(
    "colour", [(64, 64, 64), (247, 247, 247), (151, 151, 151), (0, 0, 0), (255, 47, 47)]
)
def test_colours_come_through(tmp_path, colour, subsampling):
    picture = jpeg(Image.new("RGB", (WIDTH, HEIGHT), colour), subsampling)
    encode_jpegs([picture] * 3, tmp_path / "clip.mp4", 60, ORIGIN)
    shown = decode(tmp_path / "clip.mp4", "rgb24")
    # Two roundings to 8 bits, of which limited range uses only 220 levels.
    assert np.abs(shown.astype(int) - colour).max() <= 4


def test_files_and_memory_give_the_same_clip(tmp_path, clips):
    report = encode_clip(write_frames(tmp_path, range(70)), tmp_path / "clip.mp4", 60, ORIGIN)
    assert (tmp_path / "clip.mp4").read_bytes() == clips[0].read_bytes()
    assert report == ClipReport(
        70, WIDTH, HEIGHT, 70 / 60, clips[0].stat().st_size, digest_video(clips[0])
    )


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two cores to take one away",
)
def test_the_bytes_do_not_depend_on_the_number_of_cores(tmp_path, clips):
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        encode_jpegs(map(numbered, range(70)), tmp_path / "clip.mp4", 60, ORIGIN)
    finally:
        os.sched_setaffinity(0, cores)
    assert (tmp_path / "clip.mp4").read_bytes() == clips[0].read_bytes()


def test_the_data_version_is_of_the_video_and_stands_in_the_comment(tmp_path, clips):
    other = replace(ORIGIN, code_version="other", asset="movie")
    same = encode_jpegs(map(numbered, range(70)), tmp_path / "same.mp4", 60, other)
    changed = encode_jpegs(map(numbered, range(1, 71)), tmp_path / "changed.mp4", 60, ORIGIN)
    assert same.data_version == digest_video(clips[0]) != changed.data_version
    found = Origin.from_json(probe(tmp_path / "same.mp4").comment)
    content = (tmp_path / "same.mp4").read_bytes()
    rest = zlib.crc32(content.replace(found.to_json().encode(), b"", 1))
    assert found == replace(other, data_version=same.data_version, rest=f"{rest:08x}")


def test_a_join_shows_every_frame_once_at_an_exact_rate(tmp_path, clips):
    report = join_clips(clips, tmp_path / "film.mp4", ORIGIN)
    assert numbers(tmp_path / "film.mp4") == list(range(91))
    info = probe(tmp_path / "film.mp4")
    assert (report.frames, info.fps, info.constant_rate, info.faststart) == (91, 60, True, True)
    assert info.seconds == pytest.approx(91 / 60, abs=1e-9)
    assert report.data_version == digest_video(tmp_path / "film.mp4")


@pytest.mark.slow
def test_the_rate_stays_exact_over_many_clips(tmp_path, clips):
    report = join_clips([clips[1], clips[2]] * 60, tmp_path / "film.mp4", ORIGIN)
    info = probe(tmp_path / "film.mp4")
    assert (report.frames, info.constant_rate) == (21 * 60, True)
    assert numbers(tmp_path / "film.mp4") == list(range(70, 91)) * 60


def test_joining_does_not_encode_again(tmp_path, clips):
    join_clips(clips, tmp_path / "film.mp4", ORIGIN)
    parts = np.concatenate([decode(clip) for clip in clips])
    assert np.array_equal(decode(tmp_path / "film.mp4"), parts)


@pytest.mark.parametrize(
    ("frames", "fps", "what"),
    [([numbered(0, (160, 120))], 60, "size"), ([numbered(0)], 30, "frames a second")],
)
def test_clips_that_differ_are_not_joined(tmp_path, clips, frames, fps, what):
    other = tmp_path / "other.mp4"
    encode_jpegs(frames, other, fps, ORIGIN)
    with pytest.raises(DataError, match=rf"other\.mp4 cannot be joined to .*: its {what}"):
        join_clips([clips[0], other], tmp_path / "film.mp4", ORIGIN)
    assert not (tmp_path / "film.mp4").exists()


@pytest.mark.parametrize("options", [["-crf", "30"], ["-bf", "2", "-b_strategy", "0"]])
def test_clips_of_other_settings_are_not_joined(tmp_path, clips, options):
    other = tmp_path / "other.mp4"
    command = [FFMPEG, "-v", "error", "-i", clips[0], "-c:v", "libx264", *options, other]
    subprocess.run(command, check=True)
    with pytest.raises(DataError, match=r"other\.mp4"):
        join_clips([clips[0], other], tmp_path / "film.mp4", ORIGIN)


def test_nothing_to_encode_or_join_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no frames"):
        encode_clip([], tmp_path / "clip.mp4", 60, ORIGIN)
    with pytest.raises(DataError, match="no clips"):
        join_clips([], tmp_path / "film.mp4", ORIGIN)
    assert list(tmp_path.iterdir()) == []


def damage(kind: str, path: Path) -> None:
    content = path.read_bytes()
    match kind:
        case "missing":
            path.unlink()
        case "cut off":
            path.write_bytes(content[: len(content) // 2])
        case "not a JPEG":
            path.write_bytes(b"GIF89a" + content)
        case "empty":
            path.write_bytes(b"")
        case "another size":
            path.write_bytes(numbered(1, (160, 120)))


@pytest.mark.parametrize("kind", ["missing", "cut off", "not a JPEG", "empty", "another size"])
def test_a_bad_frame_is_named_and_leaves_no_file(tmp_path, kind):
    frames = write_frames(tmp_path / "frames", range(5))
    damage(kind, frames[3])
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"the one before")
    with pytest.raises(DataError, match=r"003\.jpg"):
        encode_clip(frames, target, 60, ORIGIN)
    assert target.read_bytes() == b"the one before"
    assert leftovers(tmp_path) == []


def test_what_ffmpeg_says_when_it_fails_reaches_the_user(tmp_path):
    content = bytearray(numbered(1))
    scan = content.index(b"\xff\xda")
    content[scan + 4 : -2] = b"\xff\x00" * ((len(content) - 2 - scan - 4) // 2)
    with pytest.raises(
        DataError, match=r"(?s)ffmpeg ended with exit status \d+ while it wrote clip.mp4.*mjpeg"
    ):
        encode_jpegs([numbered(0), bytes(content)], tmp_path / "clip.mp4", 60, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_an_exception_ends_ffmpeg_and_leaves_no_file(tmp_path):
    def frames():
        yield numbered(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_jpegs(frames(), tmp_path / "clip.mp4", 60, ORIGIN)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds children by /proc")
def test_an_interrupt_ends_all_clips(tmp_path):
    frames = write_frames(tmp_path / "frames", range(20))
    code = (
        "import sys; from pathlib import Path; from backblaze_assets.files.origin import Origin\n"
        "from backblaze_assets.film.encode import ClipJob, encode_clips\n"
        "frames = [Path(name) for name in sys.argv[2:]] * 5000\n"
        "targets = [Path(sys.argv[1], f'{i}.mp4') for i in range(3)]\n"
        "encode_clips([ClipJob(frames, t, Origin('a', None, 'c')) for t in targets], 60, 2)\n"
    )
    clips = tmp_path / "clips"
    process = subprocess.Popen([sys.executable, "-c", code, clips, *frames], stderr=subprocess.PIPE)

    def children() -> list[str]:
        tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
        return [child for task in tasks for child in task.read_text().split()]

    while len(ffmpegs := children()) < 2:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)  # to the end they would take many minutes
    assert process.returncode == -signal.SIGINT
    assert [pid for pid in ffmpegs if Path("/proc", pid).exists()] == []
    assert list(clips.iterdir()) == []


def test_many_clips_at_once_are_the_same_as_one_by_one(tmp_path, clips):
    ranges = [range(70), range(70, 71), range(71, 91)]
    jobs = [
        ClipJob(write_frames(tmp_path / "frames", frames), tmp_path / f"{n}.mp4", ORIGIN)
        for n, frames in enumerate(ranges)
    ]
    listener = Counter()
    with listening(listener):
        reports = encode_clips(jobs, 60, workers=2)
    assert [report.frames for report in reports] == [70, 1, 20]
    assert [job.target.read_bytes() for job in jobs] == [clip.read_bytes() for clip in clips]
    assert (listener.total, listener.done, listener.unit) == (91, 91, "frames")
    assert listener.threads == {threading.get_ident()}


@pytest.mark.parametrize("repeat", [1, 2])
def test_frames_of_a_glide_have_more_bytes_and_join_with_others(tmp_path, repeat, monkeypatch):
    """Where more than a third of the tiles change; elsewhere nothing is different."""
    random = np.random.default_rng(5)
    frames = []
    for number in range(24):
        frames.append(tmp_path / f"{number:02d}.jpg")
        pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        moves = HEIGHT if 8 <= number < 16 else HEIGHT // 5
        pixels[:moves] = random.integers(0, 256, (moves, WIDTH, 3), np.uint8)
        image = Image.fromarray(pixels)
        image.save(frames[-1], "jpeg", quality=90, subsampling=2, restart_marker_blocks=BLOCKS)
    rich, still = tmp_path / "rich.mp4", tmp_path / "still.mp4"
    encode_clip(frames[:8], still, 60, ORIGIN, repeat)
    richer = encode_clip(frames, rich, 60, ORIGIN, repeat)
    monkeypatch.setattr(encode, "GLIDE_RATE", 1.0)
    as_others = encode_clip(frames, tmp_path / "plain.mp4", 60, ORIGIN, repeat)
    assert richer.bytes > 1.01 * as_others.bytes
    assert join_clips([still, rich], tmp_path / "film.mp4", ORIGIN).frames == 32 * repeat


def test_no_clips_to_encode_is_fine():
    assert encode_clips([], 60) == []


def test_a_failing_clip_ends_the_others_and_is_named(tmp_path):
    good = write_frames(tmp_path / "frames", range(20)) * 500
    bad = ClipJob([tmp_path / "none.jpg"], tmp_path / "bad.mp4", ORIGIN)
    slow = ClipJob(good, tmp_path / "slow.mp4", ORIGIN)
    with pytest.raises(DataError, match=r"none\.jpg"):
        encode_clips([slow, bad], 60, workers=2)
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


class Counter:
    """A listener that remembers what it was told, and from which threads."""

    def start(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit, self.done = what, total, unit, 0
        self.threads = {threading.get_ident()}

    def advance(self, count: int) -> None:
        self.done += count
        self.threads.add(threading.get_ident())

    def finish(self) -> None:
        self.threads.add(threading.get_ident())


def test_probing_reads_films_of_others(tmp_path):
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=30000/1001"]
    command += ["-t", "1", "-c:v", "libx264", "-pix_fmt", "yuv444p", "-bf", "2"]
    subprocess.run([*command, tmp_path / "other.mp4"], check=True)
    info = probe(tmp_path / "other.mp4")
    assert (info.width, info.height, info.frames, info.comment) == (64, 48, 30, "")
    assert info.fps == pytest.approx(30000 / 1001)
    assert (info.pixel_format, info.faststart, info.constant_rate) == ("yuv444p", False, False)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not a film at all, just some text"])
def test_probing_something_else_is_a_clear_error(tmp_path, content):
    (tmp_path / "film.mp4").write_bytes(content)
    with pytest.raises(DataError, match=r"film\.mp4"):
        probe(tmp_path / "film.mp4")


def test_probing_what_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*film\.mp4"):
        probe(tmp_path / "film.mp4")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_cut_film_is_never_taken_for_whole(clips, tmp_path_factory, data):
    content = clips[1].read_bytes()
    cut = tmp_path_factory.getbasetemp() / "cut.mp4"
    cut.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DataError, match="not a whole MP4 file"):
        probe(cut)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_index_never_gives_a_traceback(clips, tmp_path_factory, data):
    content = bytearray(clips[1].read_bytes())
    index = content.index(b"mdat")
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, index - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path_factory.getbasetemp() / "damaged.mp4"
    damaged.write_bytes(content)
    try:
        probe(damaged)
    except DataError as error:
        assert "damaged.mp4" in str(error)  # noqa: PT017 - most damage is not noticed


def test_overwriting_keeps_the_length(tmp_path, clips):
    (tmp_path / "clip.mp4").write_bytes(clips[1].read_bytes())
    with pytest.raises(ValueError, match="cannot take the place"):
        overwrite_in_index(tmp_path / "clip.mp4", b"movie_clip", b"movie")
    overwrite_in_index(tmp_path / "clip.mp4", b"movie_clip", b"movie_CLIP")
    assert json.loads(probe(tmp_path / "clip.mp4").comment)["asset"] == "movie_CLIP"
