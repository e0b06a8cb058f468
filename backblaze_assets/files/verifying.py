"""Whether a file still is what was written, by what it carries or by the digest of its bytes."""

import hashlib
from pathlib import Path

from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets.files.stamps import verify

_PIECE = 1 << 20
_VERIFIABLE = frozenset({".parquet", ".jpg", ".mp4", ".json", ".html", ".gif", ".webm"})


def is_verifiable(name: str) -> bool:
    """Whether a file of this name carries a digest that covers all of it."""
    return Path(name).suffix in _VERIFIABLE


def verified_origin(path: Path) -> Origin | None:
    """The origin inside a file that is what was written; None for one that is not, or not there."""
    try:
        return verify(path)
    except (DataError, OSError, ValueError):
        return None


def digest_file(path: Path) -> str:
    """Digest of all bytes of a file, 16 bytes as hex."""
    hasher = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
    return hasher.hexdigest()
