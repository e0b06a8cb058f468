"""What people share of a film: a poster, a loop, and the picture that a link shows."""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import atomic_path
from backblaze_assets.files.origin import Origin, digest
from backblaze_assets.film import cards, ffmpeg, text
from backblaze_assets.film.cards import Story
from backblaze_assets.film.style import Style
from backblaze_assets.film.whole import check_jpeg, crc, in_blocks
from backblaze_assets.film.words import long_date

POSTER, LINK, WEBM, GIF = "poster.png", "link.png", "loop.webm", "loop.gif"
LINK_SIZE = (1200, 630)
"""Width and height of the picture that a link shows."""
MOST_BYTES = 8_000_000
"""Of a loop."""
MOST_FRAMES = 180
"""Of a loop: they are spread over the whole film."""
SECONDS = 12
"""How long a loop lasts."""
LOOP_WIDTHS = (800, 640, 480, 360, 240)
"""Widths of the GIF to choose from: the first that is small enough."""
WEBM_WIDTH = 960
_GIF_HEAD = 13


@dataclass(frozen=True)
class ShareReport:
    """What was written.

    Attributes:
        bytes: size of each file, by its name.
        loop_frames: frames of the loop.
        gif_width: of the GIF in pixels.
        data_version: digest of the pictures and of the frames that the loops are made from.
    """

    bytes: dict[str, int]
    loop_frames: int
    gif_width: int
    data_version: str


def make_share(
    frames: Sequence[Path],
    told: Story,
    folder: Path,
    style: Style,
    origin: Origin,
    most_bytes: int = MOST_BYTES,
) -> ShareReport:
    """Write poster, link picture and loops to `folder`, all or none.

    Args:
        frames: the JPEG files of all days of the film, in order.
        told: of the whole film.
        folder: where to write.
        style: of the film.
        origin: goes into the files, with the data version filled in.
        most_bytes: of the GIF.

    Raises:
        DataError: there are no frames, one cannot be read, or the GIF cannot be made small enough.
    """
    if not frames:
        raise DataError("there are no frames to share: materialize frames first")
    chosen = spread(frames)
    version = digest([style.version, *(_whole(path) for path in (*chosen, frames[-1]))])
    stamped = origin.with_data_version(version)
    note = PngInfo()
    note.add_text("Comment", stamped.to_json())
    with atomic_path(folder) as unfinished:
        unfinished.mkdir()
        with Image.open(frames[-1]) as image:
            poster = image.convert("RGB")
        poster.save(unfinished / POSTER, pnginfo=note)
        link_picture(poster, told, style).save(unfinished / LINK, pnginfo=note)
        rate = max(1, round(len(chosen) / SECONDS))
        with tempfile.TemporaryDirectory() as work:
            for number, path in enumerate(chosen):
                Path(work, f"{number:04d}.jpg").symlink_to(path.resolve())
            source = ["-framerate", str(rate), "-i", str(Path(work, "%04d.jpg"))]
            width = _loops(source, unfinished, stamped, style, most_bytes)
        sizes = {path.name: path.stat().st_size for path in sorted(unfinished.iterdir())}
        return ShareReport(sizes, len(chosen), width, version)


def _whole(frame: Path) -> bytes:
    content = frame.read_bytes()
    check_jpeg(frame, content)
    return content


def spread(frames: Sequence[Path]) -> list[Path]:
    """At most `MOST_FRAMES` of `frames`, evenly spread, the first and the last among them."""
    count = min(MOST_FRAMES, len(frames))
    places = np.linspace(0, len(frames) - 1, count).round().astype(int)
    return [frames[place] for place in places.tolist()]


def link_picture(poster: Image.Image, told: Story, style: Style) -> Image.Image:
    """The newest frame, cut to the shape of a link's picture, with the film's name on it."""
    width, height = LINK_SIZE
    scaled = poster.resize(
        (width, round(poster.height * width / poster.width)), Image.Resampling.LANCZOS
    )
    picture = scaled.crop((0, 0, width, height))
    begin = height - 250
    rows = np.clip(np.arange(height - begin) / 90, 0, 1) * 255
    cover = np.repeat(rows.astype(np.uint8)[:, None], width, axis=1)
    picture.paste(style.background, (0, begin, width, height), Image.fromarray(cover))
    text.put(picture, 48, height - 86, cards.TITLE, text.LIGHT, 66, style.text)
    about = (
        f"{told.drives:,} drives, {told.failed:,} failed · {told.first.year} to {told.last.year}"
    )
    if told.first.year == told.last.year:
        about = f"{told.drives:,} drives, {told.failed:,} failed · to {long_date(told.last)}"
    text.put(picture, 50, height - 34, about, text.REGULAR, 32, style.high)
    return picture


def _loops(
    source: Sequence[str], folder: Path, origin: Origin, style: Style, most_bytes: int
) -> int:
    """Write the loops, the GIF in at most `most_bytes`; returns its width.

    Reading the frames takes as long as all else, so both are made of one reading, and only a GIF
    that is too large is made again. Its colours are chosen by what moves: the few orange squares
    would not count among so many grey ones.
    """
    webm = (
        *("-map", "[webm]", "-c:v", "libvpx-vp9", "-crf", "34", "-b:v", "0"),
        *("-deadline", "realtime", "-cpu-used", "7", "-threads", "1", "-row-mt", "0"),
        *("-metadata", f"comment={_placeholder(origin)}"),
        # Without numbers by chance, and without checksums over what `_stamp` fills in.
        *("-fflags", "+bitexact", "-write_crc32", "0", str(folder / WEBM)),
    )
    scaled = f"scale={min(WEBM_WIDTH, style.width)}:-2:flags=lanczos,format=yuv420p"
    target = folder / GIF
    size = 0
    widths = list(LOOP_WIDTHS)
    while widths:
        width = widths.pop(0)
        gif = (
            f"scale={width}:-2:flags=area,split[seen][drawn];"
            "[seen]palettegen=max_colors=48:stats_mode=diff[colours];"
            "[drawn][colours]paletteuse=dither=none:diff_mode=rectangle[gif]"
        )
        both = f"[0]split[large][small];[large]{scaled}[webm];[small]{gif}"
        _run(
            *source,
            *("-filter_complex", f"[0]{gif}" if size else both),
            *(() if size else webm),
            *("-map", "[gif]", "-loop", "0", "-map_metadata", "-1", str(target)),
        )
        content = target.read_bytes()
        stamped = replace(origin, rest=crc(_with_comment(content, "")))
        target.write_bytes(_with_comment(content, stamped.to_json()))
        if not size:
            _stamp(folder / WEBM, origin)
        size = target.stat().st_size
        if size <= most_bytes:
            return width
        # Half the width has a third of the bytes, about: leave out what is hopeless, not the last.
        fits = width * (most_bytes / size) ** 0.6 * 1.1
        widths = [one for one in widths if one <= fits] or widths[-1:]
    raise DataError(
        f"The GIF has {size:,} bytes at {LOOP_WIDTHS[-1]} pixels; {most_bytes:,} are the most."
    )


def _placeholder(origin: Origin) -> str:
    return replace(origin, rest="0" * 8).to_json()


def _stamp(webm: Path, origin: Origin) -> None:
    """Fill in what the WebM file at `webm` says of all that is in it beside that."""
    before, found, behind = webm.read_bytes().partition(_placeholder(origin).encode())
    if not found:
        raise DataError(f"ffmpeg wrote no comment to {webm}")
    stamped = replace(origin, rest=crc(before + behind)).to_json()
    webm.write_bytes(b"".join([before, stamped.encode(), behind]))


def _with_comment(gif: bytes, comment: str) -> bytes:
    """The GIF file with a comment after its head (GIF89a, 24)."""
    size = _GIF_HEAD + (3 * 2 ** ((gif[10] & 7) + 1) if gif[10] & 0x80 else 0)
    return b"".join([gif[:size], b"\x21\xfe", in_blocks(comment), b"\x00", gif[size:]])


def _run(*arguments: str) -> None:
    """Run ffmpeg; raise DataError with what it says when it fails."""
    command = [ffmpeg.program(), "-nostdin", "-v", "error", "-y", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise ffmpeg.cannot_start(error) from error
    if done.returncode:
        raise ffmpeg.failure(done.returncode, done.stderr, Path(arguments[-1]))
