"""What a file says inside itself about where it comes from.

Every file that an asset writes carries an `Origin`: Parquet files as key-value metadata, JPEG and
MP4 files as their comment, JSON files as a key. So a film found anywhere can be traced.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

KEY = "backblaze_assets.origin"
"""Key under which Parquet and JSON files hold their origin."""


def digest(parts: Iterable[str | bytes]) -> str:
    """Digest of a sequence of strings, 16 bytes as hex; the borders between them count."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()


def digest_versions(versions: Mapping[str, str]) -> str:
    """One version for many: a digest of names and versions that does not depend on their order."""
    return digest(text for name in sorted(versions) for text in (name, versions[name]))


@dataclass(frozen=True)
class Origin:
    """Which asset made a file, from what.

    Attributes:
        asset: the asset's key, such as `frames`.
        partition: the partition's key, such as `2013-04-10`; None where there are no partitions.
        code_version: digest of the code that the content depends on.
        data_version: digest of the content; empty until the content is known.
        inputs: version of each input, by name.
        sources: SHA-256 of each zip that the content comes from, by file name.
        rest: CRC-32 of the whole file without this text, where the data version does not cover
            everything else in it; empty otherwise.
    """

    asset: str
    partition: str | None
    code_version: str
    data_version: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    rest: str = ""

    def with_data_version(self, data_version: str) -> "Origin":
        """The same origin once the content is known."""
        return replace(self, data_version=data_version)

    def to_json(self) -> str:
        """One line of JSON, the form in which files hold it, with a CRC-32 of itself."""
        text = self._json()
        return f'{text[:-1]},"{_CHECK}":"{_crc(text)}"}}'

    @classmethod
    def from_json(cls, text: str) -> "Origin":
        """The origin that `to_json` wrote; raises ValueError if `text` is something else."""
        try:
            values = json.loads(text)
            crc = values.pop(_CHECK, None)  # older files have none
            origin = cls(**values)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"not an origin of this project: {text[:200]!r}") from error
        if crc is not None and crc != _crc(origin._json()):
            raise ValueError("what it says of itself is not what was written")
        return origin

    def _json(self) -> str:
        values = asdict(self)
        if not self.rest:
            del values["rest"]
        return json.dumps(values, sort_keys=True, separators=(",", ":"))


_CHECK = "crc32"


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
