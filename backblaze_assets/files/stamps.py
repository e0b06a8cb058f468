"""Reading the origin that a file of this project carries inside."""

import json
from pathlib import Path

from backblaze_assets.drive_stats.parquet import read_extra
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import KEY, Origin
from backblaze_assets.film.jpeg import read_comment
from backblaze_assets.film.probe import probe


def read_origin(path: Path) -> Origin | None:
    """The origin inside a Parquet, JPEG, PNG, GIF, WebM, MP4, JSON or HTML file, None without one.

    Raises:
        DataError: the file is of another kind, or broken.
    """
    try:
        text = _stamp(path)
        return Origin.from_json(text) if text else None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _stamp(path: Path) -> str | None:
    match path.suffix.lower():
        case ".parquet":
            return read_extra(path).get(KEY)
        case ".jpg" | ".jpeg":
            return read_comment(path)
        case ".mp4":
            return probe(path).comment
        case ".json":
            found = json.loads(path.read_text(encoding="utf-8")).get(KEY)
            return json.dumps(found) if found else None
        case ".html":
            last_line = path.read_text(encoding="utf-8").rstrip().rpartition("\n")[2]
            found = last_line.partition(f"<!-- {KEY} ")[2]
            return found.removesuffix(" -->") or None
        case ".png" | ".gif":
            return _picture_comment(path)
        case ".webm":
            return _webm_comment(path)
        case _:
            raise DataError(
                f"{path} is not a file of this project that says where it comes from: those are "
                ".parquet, .jpg, .png, .gif, .webm, .mp4, .json, .html and .srt."
            )


def _picture_comment(path: Path) -> str | None:
    from PIL import Image

    with Image.open(path, formats=("PNG", "GIF")) as image:
        comment = image.info.get("Comment") or image.info.get("comment")
    return comment.decode() if isinstance(comment, bytes) else comment


def _webm_comment(path: Path) -> str | None:
    """The tag COMMENT: a SimpleTag's TagName, then its TagString (RFC 9559, 5.1.8.1.2)."""
    content = path.read_bytes()
    name = content.find(b"\x45\xa3\x87COMMENT\x44\x87")
    if name < 0:
        return None
    at = name + 12
    # The length is as many bytes as the first has leading zeros, and one more (RFC 8794, 4.1).
    width = 9 - content[at].bit_length()
    length = int.from_bytes(content[at : at + width], "big") & ((1 << 7 * width) - 1)
    return content[at + width : at + width + length].decode()


def kept(path: Path, origin: Origin) -> Origin | None:
    """The origin of the file at `path` if it is what would be made for `origin`, else None.

    A killed run leaves whole files that no event tells of; the next run keeps them.
    """
    if not path.exists():
        return None
    try:
        found = read_origin(path)
    except DataError:
        return None
    same = found is not None and (
        (found.asset, found.partition, found.code_version, found.inputs)
        == (origin.asset, origin.partition, origin.code_version, origin.inputs)
    )
    return found if same else None
