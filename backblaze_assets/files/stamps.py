"""Reading the origin that a file of this project carries inside."""

import json
from pathlib import Path

from backblaze_assets.drive_stats.parquet import read_extra
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import KEY, Origin
from backblaze_assets.film.jpeg import read_comment
from backblaze_assets.film.probe import probe


def read_origin(path: Path) -> Origin | None:
    """The origin inside a Parquet, JPEG, MP4 or JSON file; None if there is none.

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
        case _:
            raise DataError(
                f"{path} is not a file of this project: it writes .parquet, .jpg, .mp4 and .json."
            )


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
