"""What a file says inside itself about where it comes from.

Every file that an asset writes carries an `Origin`: Parquet files as key-value metadata, JPEG and
MP4 files as their comment, JSON files as a key. So a film found anywhere can be traced.
"""

import hashlib
import json
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
    """

    asset: str
    partition: str | None
    code_version: str
    data_version: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def with_data_version(self, data_version: str) -> "Origin":
        """The same origin once the content is known."""
        return replace(self, data_version=data_version)

    def to_json(self) -> str:
        """One line of JSON, the form in which files hold it."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Origin":
        """The origin that `to_json` wrote; raises ValueError if `text` is something else."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not an origin of this project: {text[:200]!r}") from error
