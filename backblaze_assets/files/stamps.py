"""What a file of this project says of itself, and whether it is what was written."""

import json
import os
from pathlib import Path

from backblaze_assets.drive_stats import parquet
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import KEY, Origin, digest
from backblaze_assets.film.jpeg import read_comment
from backblaze_assets.film.layout import check_layout
from backblaze_assets.film.probe import probe
from backblaze_assets.film.whole import (
    check_jpeg,
    check_loop,
    check_video,
    damage,
    read_loop_origin,
)

_HTML = f"<!-- {KEY} "


def read_origin(path: Path) -> Origin | None:
    """The origin inside a file of a kind that this project writes; None if there is none.

    Raises:
        DataError: the file is of another kind, or broken.
    """
    try:
        if path.suffix.lower() in (".webm", ".gif"):
            return read_loop_origin(path)
        text = _stamp(path)
        return Origin.from_json(text) if text else None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _stamp(path: Path) -> str | None:
    match path.suffix.lower():
        case ".parquet":
            return parquet.read_extra(path).get(KEY)
        case ".jpg" | ".jpeg":
            return read_comment(path)
        case ".mp4":
            return probe(path).comment
        case ".json":
            found = json.loads(path.read_text(encoding="utf-8")).get(KEY)
            return json.dumps(found) if found else None
        case ".html":
            return _of_page(path)[1]
        case ".png":
            return _of_picture(path)
        case _:
            raise DataError(
                f"{path} is not a file of this project that says where it comes from: those are "
                ".parquet, .jpg, .png, .gif, .webm, .mp4, .json, .html and .srt."
            )


def _of_page(path: Path) -> tuple[str, str | None]:
    """A page without what it says of itself, and this."""
    text, mark, stamp = path.read_bytes().decode().rpartition(_HTML)
    return (text, stamp.rstrip().removesuffix(" -->")) if mark else (stamp, None)


def _of_picture(path: Path, *, check: bool = False) -> str | None:
    from PIL import Image

    with Image.open(path, formats=("PNG",)) as image:
        comment = image.info.get("Comment")
        if check:
            image.verify()  # each part of a PNG file has its CRC-32
    return comment if isinstance(comment, str) else None


def verify(path: Path) -> Origin:
    """Go over all of a file that this project wrote, and return its origin.

    Raises:
        DamagedError: it is not what was written, or another program wrote it.
    """
    match path.suffix.lower():
        case ".parquet":
            return parquet.verify(path)
        case ".jpg":
            with damage(path):
                return _known(check_jpeg(path, path.read_bytes()))
        case ".mp4":
            with damage(path):
                return _known(check_video(path))
        case ".json":
            return check_layout(path)
        case ".html":
            with damage(path):
                text, stamp = _of_page(path)
                origin = _known(Origin.from_json(stamp) if stamp else None)
                whole = f"{text}{_HTML}{stamp} -->\n".encode() == path.read_bytes()
                if not whole or digest([text]) != origin.data_version:
                    raise ValueError("its content is not what was written")
                return origin
        case ".png":
            with damage(path):
                try:
                    stamp = _of_picture(path, check=True)
                except SyntaxError as error:  # what Pillow raises
                    raise ValueError(str(error)) from error
                return _known(Origin.from_json(stamp) if stamp else None)
        case _:
            return check_loop(path)


def _known(origin: Origin | None) -> Origin:
    if origin is None:
        raise ValueError("it does not say where it comes from")
    return origin


def kept(path: Path, origin: Origin) -> Origin | None:
    """The origin of the file at `path` if it is what would be made for `origin`, else None.

    A killed run leaves whole files that no event tells of; the next run keeps them, unless they
    have been damaged since.
    """
    if not os.path.lexists(path):
        return None
    try:
        found = read_origin(path)
        same = found is not None and (
            (found.asset, found.partition, found.code_version, found.inputs)
            == (origin.asset, origin.partition, origin.code_version, origin.inputs)
        )
        return verify(path) if same else None
    except DataError:
        return None
