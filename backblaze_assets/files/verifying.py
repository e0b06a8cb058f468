"""Whether a file still holds what was written, by the digest of its content that it carries."""

import hashlib
from pathlib import Path

from backblaze_assets.drive_stats.parquet import verify
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import KEY, Origin, digest
from backblaze_assets.files.stamps import read_origin
from backblaze_assets.film.probe import digest_video

_PIECE = 1 << 20
_VERIFIABLE = frozenset({".parquet", ".jpg", ".mp4", ".json", ".html"})


def is_verifiable(name: str) -> bool:
    """Whether a file of this name carries the digest of its own content."""
    return Path(name).suffix in _VERIFIABLE


def verified_origin(path: Path) -> Origin | None:
    """The origin inside a file, once its content has been found to be what the origin says.

    None where the file is damaged, is not there, or is of a kind that does not carry the digest of
    its own content.
    """
    if not is_verifiable(path.name):
        return None
    try:
        if path.suffix == ".parquet":
            return verify(path)
        origin = read_origin(path)
        return origin if origin and _content(path) == origin.data_version else None
    except (DataError, OSError, KeyError, ValueError):
        return None


def _content(path: Path) -> str:
    """The data version of what is in a file, as the asset that makes such files computes it."""
    match path.suffix:
        case ".jpg":  # the file without its comment
            jpeg = path.read_bytes()
            comment = 4 + int.from_bytes(jpeg[4:6], "big")
            return hashlib.blake2b(jpeg[:2] + jpeg[comment:], digest_size=16).hexdigest()
        case ".mp4":
            return digest_video(path)
        case ".json":
            text = path.read_text(encoding="utf-8").partition('\n"layout": ')[2]
            return digest([text.removesuffix("}\n")])
        case _:
            return digest([path.read_text(encoding="utf-8").rpartition(f"<!-- {KEY} ")[0]])


def digest_file(path: Path) -> str:
    """Digest of all bytes of a file, 16 bytes as hex."""
    hasher = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
    return hasher.hexdigest()
