"""The source of the code that made results, kept by the version of the code.

Every file is stored once, compressed, under the digest of its content; a version is a list of names
and digests. What is given back is what the version is the digest of, or nothing.
"""

import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import digest
from backblaze_assets.files.records import HIDDEN, read_plain, write_plain

MOST = 100
"""Versions of an asset's code that are kept; the oldest go first."""


class Sources:
    """The kept source in a data folder.

    Attributes:
        folder: where it is.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / HIDDEN / "source"
        self._content = self.folder / "content"

    def has(self, asset: str, version: str) -> bool:
        """Whether there is the source of a version of an asset's code."""
        return self._path(asset, version).exists()

    def keep(self, asset: str, version: str, source: Mapping[str, bytes]) -> None:
        """Keep the source of a version.

        Args:
            asset: the asset that it makes.
            version: digest of `source`, see `code_version`.
            source: content of each file by its name.
        """
        named = {name: digest([content]) for name, content in source.items()}
        for name, content in source.items():
            path = self._content / f"{named[name]}.z"
            if not path.exists():
                write_atomic(path, zlib.compress(content), sync=False)
        write_plain(self._path(asset, version), [named])
        for old in self.files(asset)[:-MOST]:
            old.unlink(missing_ok=True)

    def get(self, asset: str, version: str) -> dict[str, bytes] | None:
        """Content of each file of a version by its name; None where it is not there as it was."""
        for named in read_plain(self._path(asset, version)):
            with suppress(OSError, zlib.error):
                source = {
                    name: zlib.decompress((self._content / f"{it}.z").read_bytes())
                    for name, it in named.items()
                }
                parts = [part for name in sorted(source) for part in (name, source[name])]
                if digest(parts) == version:
                    return source
        return None

    def files(self, asset: str) -> list[Path]:
        """The lists of an asset's versions, the oldest first; the names begin with the version."""
        found = [(path.stat().st_mtime_ns, path) for path in self.folder.glob(f"{asset}/*.gz")]
        return [path for _, path in sorted(found)]

    def unused(self, lists: Iterable[Path]) -> list[Path]:
        """Stored files that none of these lists of versions names."""
        used = {it for path in lists for named in read_plain(path) for it in named.values()}
        return [path for path in self._content.glob("*.z") if path.stem not in used]

    def _path(self, asset: str, version: str) -> Path:
        return self.folder / asset / f"{version}.json.gz"
