"""JPEG frames to H.264 in MP4, and clips to one film without encoding them again.

The only tool is the ffmpeg binary of imageio-ffmpeg. How the settings were found stands in
`backblaze_assets_tests/benchmarks/bench_film.py`.
"""

import itertools
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event

from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import atomic_path
from backblaze_assets.files.origin import Origin
from backblaze_assets.film import ffmpeg as tool
from backblaze_assets.film.jpeg import changed_tiles
from backblaze_assets.film.probe import VideoInfo, digest_video, overwrite_in_index, probe
from backblaze_assets.film.style import GLIDE_DAYS
from backblaze_assets.film.whole import check_jpeg, check_video, rest_of
from backblaze_assets.work import progress

# JPEG (JFIF) is BT.601 in full range; HD video is BT.709 in limited range, and players that
# ignore the tags assume just that. zscale computes this within 0.2 grey levels; ffmpeg's `scale`
# is 1.4 levels off, or takes up to four times as long with the flags that make it exact.
COLOURS = (
    "zscale=matrixin=470bg:rangein=full:matrix=709:range=limited,format=yuv420p,"
    "setparams=color_primaries=bt709:color_trc=bt709"
)
# Without B-frames every frame is stored in display order, so clips join without edit lists or time
# shifts; that costs up to a quarter more bytes. A key frame a second (at 60 fps) makes seeking
# instant. Chroma gets finer steps than x264 gives it, because the orange squares and rings are what
# the film is about.
# The number of threads is fixed: no output of ours may depend on the machine's cores.
X264_PARAMS = "chroma-qp-offset=-3"
X264 = (
    *("-c:v", "libx264", "-preset", "veryfast", "-crf", "24.4"),
    *("-x264-params", X264_PARAMS),
    *("-bf", "0", "-g", "60", "-threads", "2"),
)
# The frames of a glide, in which everything moves, have so much more rate than others: with the
# same some fall below an SSIM of 0.97. It is no setting of the stream, so clips with and without a
# glide can be joined.
GLIDE_RATE = 1.45
GLIDE_TILES = 0.35
"""Part of a picture's tiles that changes from one frame of a glide to the next, at least.

Measured: 0.3 to 0.7 in the midst of a glide, 0.25 at most elsewhere, rings of the worst months
included."""
# They hold the place of what is known only when the video is encoded.
_UNKNOWN, _UNKNOWN_REST = "0" * 32, "0" * 8


@dataclass(frozen=True)
class ClipReport:
    """A video file that was written.

    Attributes:
        frames: number of frames.
        width: in pixels.
        height: in pixels.
        seconds: duration.
        bytes: size of the file.
        data_version: digest of the encoded video, not of what the file says about itself.
    """

    frames: int
    width: int
    height: int
    seconds: float
    bytes: int
    data_version: str


@dataclass(frozen=True)
class ClipJob:
    """One clip to encode: JPEG files in order, the MP4 file to write, and the file's origin."""

    frames: Sequence[Path]
    target: Path
    origin: Origin


@dataclass(frozen=True)
class Chapter:
    """A part of a film that a player can jump to: its name and the second where it begins."""

    name: str
    start: float


def encode_clip(
    frames: Sequence[Path], target: Path, fps: int, origin: Origin, repeat: int = 1
) -> ClipReport:
    """Encode JPEG files of equal size, in the order given, to an MP4 file.

    The same frames give the same bytes for one version of ffmpeg, whatever the number of cores.
    Reports progress in frames.

    Args:
        frames: JPEG files, 4:2:0 or 4:4:4.
        target: the MP4 file, written whole or not at all.
        fps: frames a second of the video.
        repeat: how often the video shows each frame.
        origin: goes into the file's comment, with the data version filled in.

    Raises:
        DataError: there are no frames, or one is missing, broken, or of another size.
    """
    with progress.work(f"encoding {target.name}", len(frames), "frames") as listener:
        return _encode(
            _read(frames), target, fps, origin, listener.advance, repeat=repeat, paths=frames
        )


def encode_jpegs(
    jpegs: Iterable[bytes], target: Path, fps: int, origin: Origin, repeat: int = 1
) -> ClipReport:
    """Encode JPEG images held in memory; everything else as in `encode_clip`, without progress."""
    named = ((f"frame {number}", jpeg) for number, jpeg in enumerate(jpegs))
    return _encode(named, target, fps, origin, lambda _: None, repeat=repeat)


def encode_clips(
    jobs: Sequence[ClipJob], fps: int, workers: int | None = None, repeat: int = 1
) -> list[ClipReport]:
    """Encode several clips, `workers` at a time (default: half the cores, at least two).

    The first failure ends the others; clips that are whole by then stay. Otherwise as
    `encode_clip`. Reports stand in the order of `jobs`.
    """
    workers = workers or max(2, (os.cpu_count() or 1) // 2)
    handed_over: SimpleQueue[int] = SimpleQueue()
    stop = Event()
    encoders: list[subprocess.Popen[bytes]] = []

    def advance(count: int) -> None:
        if stop.is_set():
            raise InterruptedError("another clip failed or the work was interrupted")
        handed_over.put(count)  # only the thread that began the work may report progress

    total = sum(len(job.frames) for job in jobs)
    with (
        progress.work("encoding clips", total, "frames") as listener,
        ThreadPoolExecutor(workers) as pool,
    ):
        encoded = [
            pool.submit(
                _encode,
                _read(job.frames),
                job.target,
                fps,
                job.origin,
                advance,
                encoders.append,
                repeat,
                job.frames,
            )
            for job in jobs
        ]
        try:
            running = set(encoded)
            while running:
                done, running = wait(running, timeout=0.2, return_when=FIRST_EXCEPTION)
                listener.advance(sum(handed_over.get() for _ in range(handed_over.qsize())))
                for clip in done:
                    clip.result()
        except BaseException:
            stop.set()
            for encoder in encoders:  # its thread may be waiting for it to take the next frame
                encoder.kill()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [clip.result() for clip in encoded]


def join_clips(
    clips: Sequence[Path],
    target: Path,
    origin: Origin,
    subtitles: str = "",
    chapters: Sequence[Chapter] = (),
) -> ClipReport:
    """Join clips that `encode_clip` wrote, in the order given, by copying their streams.

    Args:
        clips: MP4 files.
        target: the film, written whole or not at all.
        origin: goes into the file's comment, with the data version filled in.
        subtitles: in the SubRip format; they become a track that a player can show.
        chapters: in order; each ends where the next one begins.

    Raises:
        DataError: there are no clips, one is broken, or one differs from the first in size, rate
            or settings.
    """
    if not clips:
        raise DataError(f"no clips to join to {target}")
    infos = [probe(clip) for clip in clips]
    for clip in clips:
        check_video(clip)
    for clip, info in zip(clips, infos, strict=True):
        _check_joinable(clip, info, clips[0], infos[0])
    fps = round(infos[0].fps)
    with atomic_path(target) as unfinished, tempfile.TemporaryDirectory() as folder:
        playlist = Path(folder, "clips.txt")
        # ffmpeg's quoting: inside single quotes only the quote itself is special.
        names = (str(clip.resolve()).replace("'", r"'\''") for clip in clips)
        playlist.write_text("".join(f"file '{name}'\n" for name in names), encoding="utf-8")
        # The demuxer knows where a clip begins only to the microsecond; numbering the frames
        # anew keeps the rate exact, which is right because they are stored in display order.
        renumber = f"setts=ts=N/{fps}/TB:duration=1/{fps}/TB"
        frames = sum(info.frames for info in infos)
        command = ["-f", "concat", "-safe", "0", "-auto_convert", "0", "-i", str(playlist)]
        marks = Path(folder, "chapters.txt")
        marks.write_text(_chapter_list(chapters, frames / fps), encoding="utf-8")
        command += ["-f", "ffmetadata", "-i", str(marks)]
        maps = ["-map", "0:v", "-map_chapters", "1", "-map_metadata", "1"]
        if subtitles:
            words = Path(folder, "subtitles.srt")
            words.write_text(subtitles, encoding="utf-8")
            command += ["-f", "srt", "-i", str(words)]
            maps += ["-map", "2:s", "-c:s", "mov_text", "-metadata:s:s:0", "language=eng"]
        command += [*maps, "-c:v", "copy", "-bsf:v", renumber]
        with _ffmpeg(*command, target=unfinished, origin=origin):
            pass
        return _finish(unfinished, target, frames, origin)


def _chapter_list(chapters: Sequence[Chapter], seconds: float) -> str:
    """Chapters in ffmpeg's form of metadata."""
    lines = [";FFMETADATA1"]
    ends = [*(chapter.start for chapter in chapters[1:]), seconds]
    for chapter, end in zip(chapters, ends, strict=False):
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={round(1000 * chapter.start)}"]
        lines += [f"END={round(1000 * end)}", f"title={chapter.name}"]
    return "\n".join(lines) + "\n"


def _check_joinable(clip: Path, info: VideoInfo, first_clip: Path, first: VideoInfo) -> None:
    if not info.constant_rate:
        raise DataError(f"{clip} has no constant frame rate in display order; encode it again")
    for what, mine, expected in (
        ("size", f"{info.width}x{info.height}", f"{first.width}x{first.height}"),
        ("frames a second", info.fps, first.fps),
        ("pixel format", info.pixel_format, first.pixel_format),
        ("encoder settings", info.decoder_config.hex(), first.decoder_config.hex()),
    ):
        if mine != expected:
            raise DataError(
                f"{clip} cannot be joined to {first_clip}: its {what} ({mine}) differs from "
                f"{expected}; encode both with the same settings"
            )


def _encode(
    frames: Iterable[tuple[str, bytes]],
    target: Path,
    fps: int,
    origin: Origin,
    advance: Callable[[int], object],
    begun: Callable[[subprocess.Popen[bytes]], object] = lambda _: None,
    repeat: int = 1,
    paths: Sequence[Path] = (),
) -> ClipReport:
    """Pipe named JPEG images through ffmpeg; `advance` is called after each.

    `begun` is told the process, so that another thread can kill it. `paths` are the images' files,
    if there are any: in the first of them a glide is looked for.
    """
    count, there = 0, False
    name = ""
    size: tuple[int, int] | None = None
    command = ["-f", "image2pipe", "-c:v", "mjpeg", "-framerate", f"{fps}/{repeat}"]
    command += ["-i", "pipe:0"]
    # Threads of the filters could differ at the borders of their slices.
    repeated = f",fps={fps}" if repeat > 1 else ""
    command += ["-vf", COLOURS + repeated, "-filter_threads", "1", *_settings(paths, repeat)]
    with atomic_path(target) as unfinished:
        with _ffmpeg(*command, target=unfinished, origin=origin) as ffmpeg:
            assert ffmpeg.stdin is not None
            begun(ffmpeg)
            try:
                for name, jpeg in frames:
                    there = True
                    found = _jpeg_size(name, jpeg)
                    size = size or found
                    if found != size:
                        raise DataError(
                            f"{name} is {found[0]}x{found[1]} pixels, the frames before it "
                            f"{size[0]}x{size[1]}; render it again"
                        )
                    ffmpeg.stdin.write(jpeg)
                    count += 1
                    advance(1)
            except BrokenPipeError:
                pass  # ffmpeg has given up; its exit status and last lines say why
            if not there:
                raise DataError(f"no frames to encode to {target}")
        return _finish(unfinished, target, count * repeat, origin)


def _settings(paths: Sequence[Path], repeat: int) -> list[str]:
    """x264's settings for frames in the files `paths`, each shown `repeat` times."""
    try:
        first = [path.read_bytes() for path in paths[:GLIDE_DAYS]]
    except OSError:
        first = []  # `_read` says so, with the file's name
    pairs = enumerate(itertools.pairwise(first), 1)
    moving = [at for at, (one, other) in pairs if changed_tiles(one, other) >= GLIDE_TILES]
    if not moving:
        return list(X264)
    zone = f"{moving[0] * repeat},{(moving[-1] + 1) * repeat - 1},b={GLIDE_RATE}"
    return [f"{one}:zones={zone}" if one == X264_PARAMS else one for one in X264]


@contextmanager
def _ffmpeg(*arguments: str, target: Path, origin: Origin) -> Iterator[subprocess.Popen[bytes]]:
    """Run ffmpeg to write `target`; feed its standard input inside the block.

    The block's end waits for it, an exception kills it. Raises DataError when it fails.
    """
    comment = f"comment={_placeholder(origin)}"
    command = [
        *(tool.program(), "-nostdin", "-v", "error", "-y"),
        *("-xerror", "-err_detect", "explode"),
        *arguments,
        *("-metadata", comment, "-movflags", "+faststart", "-f", "mp4", str(target)),
    ]
    with tempfile.TemporaryFile() as log:
        try:
            ffmpeg = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)
        except OSError as error:
            raise tool.cannot_start(error) from error
        try:
            yield ffmpeg
            ffmpeg.communicate()
        except BaseException:
            ffmpeg.kill()
            ffmpeg.communicate()
            raise
        if ffmpeg.returncode:
            log.seek(0)
            raise tool.failure(ffmpeg.returncode, log.read(), target)


def _finish(unfinished: Path, target: Path, frames: int, origin: Origin) -> ClipReport:
    """Check what ffmpeg wrote, and put the data version into its comment."""
    info = probe(unfinished)
    if info.frames != frames or not info.constant_rate:
        raise DataError(f"{target}: {frames} frames went in, {info.frames} came out of ffmpeg")
    data_version = digest_video(unfinished)
    placeholder = _placeholder(origin).encode()
    rest = rest_of(unfinished, placeholder)
    stamped = replace(origin, data_version=data_version, rest=rest).to_json().encode()
    overwrite_in_index(unfinished, placeholder, stamped)
    return ClipReport(
        frames=info.frames,
        width=info.width,
        height=info.height,
        seconds=info.seconds,
        bytes=unfinished.stat().st_size,
        data_version=data_version,
    )


def _placeholder(origin: Origin) -> str:
    return replace(origin, data_version=_UNKNOWN, rest=_UNKNOWN_REST).to_json()


def _read(frames: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    try:
        for frame in frames:
            content = frame.read_bytes()
            check_jpeg(frame, content)
            yield str(frame), content
    except OSError as error:
        raise DataError(f"cannot read frame {error.filename}: {error.strerror}") from error


def _jpeg_size(name: str, jpeg: bytes) -> tuple[int, int]:
    """Width and height of a JPEG image, from its frame header (ITU-T T.81, B.2.2)."""
    at = 2
    whole = jpeg.startswith(b"\xff\xd8") and jpeg.rstrip(b"\0").endswith(b"\xff\xd9")
    while whole and at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        if jpeg[at + 1] in (0xC0, 0xC1, 0xC2):
            height, width = (int.from_bytes(jpeg[i : i + 2], "big") for i in (at + 5, at + 7))
            return width, height
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    raise DataError(f"{name} is not a whole JPEG image; render it again")
