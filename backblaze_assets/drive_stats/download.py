"""Fetching the zips that Backblaze publishes, over lines that break and hosts that are busy.

The published files lie in a B2 bucket, whose answers carry no ETag and a Last-Modified that is the
present; what tells one version of a file from another there is the id in X-Bz-File-Id. Nothing
lists the files: a quarter is published when its name is found.
"""

import csv
import errno
import os
import shutil
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

import httpx

from backblaze_assets.drive_stats.archive import (
    BASE_URL,
    archive_name,
    quarters_of,
    scan,
    sha256,
)
from backblaze_assets.drive_stats.quarters import next_quarter, quarter_name, quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets.work.progress import work

MOST_ZIP_BYTES = 8 * 10**9
"""What is fetched of one zip at most; the largest up to 2026 has 2.1 GB."""

_KNOWN = Path(__file__).with_name("archives.csv")
_ABSENT = (403, 404)  # how buckets say that there is no such file
_BUSY = (408, 429, 500, 502, 503, 504)
_AS_IT_IS = {"Accept-Encoding": "identity"}  # or sizes and ranges would be those of something else
_BROKEN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)

_T = TypeVar("_T")


@dataclass(frozen=True)
class KnownArchive:
    """A published zip as it was in 2026. Some were published anew before, with other content."""

    zip_bytes: int
    sha256: str


@dataclass(frozen=True)
class Patience:
    """How often to try, in a row and without a byte of progress, and how long to wait in between.

    Attributes:
        attempts: at least 1.
        first_delay_s: seconds before the second attempt; doubled before each further one.
    """

    attempts: int = 6
    first_delay_s: float = 1.0


@dataclass(frozen=True)
class Download:
    """What became of one zip that was asked for.

    Attributes:
        path: where it is.
        size: its bytes.
        fetched: whether it was fetched, and not there already.
        warning: what a person should know about its content, if anything.
        as_known: whether size and SHA-256 are those known in 2026; None where nothing is known, or
            where it was there already and only its size was looked at.
    """

    path: Path
    size: int
    fetched: bool
    warning: str | None
    as_known: bool | None = None

    def __str__(self) -> str:
        """A line for a person, and a second one when there is a warning."""
        done = "fetched" if self.fetched else "is there already, nothing to fetch"
        known = ", SHA-256 as known in 2026" if self.as_known else ""
        line = f"{self.path} {done} ({self.size:,} bytes{known})"
        return f"{line}\nWarning: {self.warning}" if self.warning else line


class NotPublishedError(DataError):
    """The host has no file of this name."""


class _TryAgainError(Exception):
    """Something that may go away by itself."""


@dataclass(frozen=True)
class _Remote:
    """What the host says of a file: its size, None when untold, and its version, else empty."""

    size: int | None
    version: str

    def is_of(self, part: Path) -> bool:
        """Whether `part` is certainly the beginning of this version of the file."""
        version = _version_of(part)
        return (
            self.size is not None
            and 0 <= _size(part) <= self.size
            and version.is_file()
            and version.read_bytes() == self.version.encode() != b""
        )


@cache
def known_archives() -> dict[str, KnownArchive]:
    """Size and digest of the published zips that are known, by name."""
    with _KNOWN.open(encoding="utf-8", newline="") as file:
        return {
            row["name"]: KnownArchive(int(row["zip_bytes"]), row["sha256"])
            for row in csv.DictReader(file)
        }


def download(
    names: Sequence[str],
    folder: Path,
    *,
    base_url: str = BASE_URL,
    client: httpx.Client | None = None,
    patience: Patience = Patience(),
) -> list[Download]:
    """Fetch published zips into `folder`.

    A zip that is there with the size that the host tells is left alone. Others are written beside
    their place, as `.data_2013.zip.part`, and moved there when complete. What a broken transfer
    or an interrupt leaves is gone on from by the next call, unless the host has another version
    by then. No more is fetched than the host says that there is, and `MOST_ZIP_BYTES` at most.

    Args:
        names: such as `data_Q2_2021.zip`; see `archive_name`.
        folder: is made when missing.
        base_url: where the zips are.
        client: for settings of your own; the default heeds proxies and certificates named by the
            environment, as httpx does, and is led neither to another host nor from https to http.
        patience: with a host that is busy or a line that breaks.

    Raises:
        NotPublishedError: a quarter has not ended, or the host does not have one of the names;
            nothing has been fetched.
        DataError: a full disk, a certificate that is not trusted, a host that cannot be reached or
            gives something other than a zip of daily statistics.
    """
    names = list(dict.fromkeys(names))
    for name in names:
        _check_ended(name)
    folder.mkdir(parents=True, exist_ok=True)
    with _host(base_url, client, patience) as host:
        sizes = {name: host.look(name).size for name in names}
        wanted = [name for name in names if _size(folder / name) != sizes[name]]
        _check_space(folder, {name: sizes[name] or 0 for name in wanted})
        for name in wanted:
            host.fetch(name, folder / name)
    return [_outcome(folder / name, fetched=name in wanted) for name in names]


def published_since(
    quarter: date,
    *,
    base_url: str = BASE_URL,
    client: httpx.Client | None = None,
    patience: Patience = Patience(),
) -> list[str]:
    """Names of the zips that are published for `quarter` and those after it, up to the first gap.

    Asks for one name after the other until one is absent; only for quarters that have ended.

    Raises:
        DataError: the host cannot be reached.
    """
    names: list[str] = []
    with _host(base_url, client, patience) as host:
        while quarter < quarter_of(datetime.now(UTC).date()):
            name = archive_name(quarter)
            if name not in names:
                try:
                    host.look(name)
                except NotPublishedError:
                    break
                names.append(name)
            quarter = next_quarter(quarter)
    return names


@dataclass(frozen=True)
class _Host:
    """Where the zips are, and how to ask."""

    base_url: str
    client: httpx.Client
    patience: Patience

    def look(self, name: str) -> _Remote:
        """What the host says of the file called `name`.

        Raises:
            NotPublishedError: the host does not have it.
            DataError: no answer.
        """
        return self._patiently(name, lambda: self._look(name))

    def fetch(self, name: str, path: Path) -> None:
        """Put the file called `name` to `path`, whole or not at all.

        Raises:
            DataError: it cannot be had, or is no zip of daily statistics.
        """
        part = _part(path)
        self._patiently(name, lambda: self._go_on(name, part), lambda: _size(part))
        try:
            _check_content(part)
        except DataError as error:
            part.unlink()
            _version_of(part).unlink()
            raise DataError(f"{self._url(name)} gave something else. {error}") from error
        part.replace(path)
        _version_of(part).unlink()

    def _url(self, name: str) -> str:
        return f"{self.base_url}/{name}"

    def _look(self, name: str) -> _Remote:
        response = self.client.head(self._url(name), headers=_AS_IT_IS)
        self._check(name, response)
        length = response.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else None
        if size is not None and size > MOST_ZIP_BYTES:
            raise DataError(
                f"{self._url(name)} is said to have {size:,} bytes, and a zip has at most "
                f"{MOST_ZIP_BYTES:,}. Look at what is there; nothing was fetched."
            )
        return _Remote(size, _version(response))

    def _go_on(self, name: str, part: Path) -> None:
        """Fetch what `part` lacks, all of it when the host has another version by now."""
        remote = self._look(name)
        if not remote.is_of(part):
            part.unlink(missing_ok=True)
            _version_of(part).write_text(remote.version, "utf-8")
        start = _size(part)
        if start == remote.size:
            return
        headers = {**_AS_IT_IS, "Range": f"bytes={start}-"} if start > 0 else _AS_IT_IS
        with self.client.stream("GET", self._url(name), headers=headers) as response:
            self._check(name, response)
            # Not left to If-Range: hosts without ETags do not know it.
            if _version(response) != remote.version:
                raise _TryAgainError("another version was published meanwhile")
            resumed = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if response.status_code == httpx.codes.PARTIAL_CONTENT and not resumed:
                part.unlink()
                raise _TryAgainError("the host sent another range than asked for")
            self._receive(name, response, part, remote.size, append=resumed)
        if remote.size is not None and _size(part) != remote.size:
            raise _TryAgainError(f"{_size(part):,} of {remote.size:,} bytes arrived")

    def _receive(
        self, name: str, response: httpx.Response, part: Path, size: int | None, *, append: bool
    ) -> None:
        """Write a body to `part`, up to the size that the host has told."""
        most = MOST_ZIP_BYTES if size is None else size
        with (
            _room_in(part.parent),
            part.open("ab" if append else "wb") as file,
            work(f"downloading {name}", size or 0, "bytes") as progress,
        ):
            progress.advance(file.tell())
            for chunk in response.iter_raw():
                wanted = chunk[: most - file.tell()]
                file.write(wanted)
                progress.advance(len(wanted))
                if len(wanted) < len(chunk):
                    break
            file.flush()
            os.fsync(file.fileno())
        if size is None and part.stat().st_size >= most:
            part.unlink()
            raise DataError(
                f"{self._url(name)} gives more than {most:,} bytes, and a zip has fewer. Look at "
                "what is there; nothing of it was kept."
            )

    def _check(self, name: str, response: httpx.Response) -> None:
        """Raise what an answer other than a success means."""
        if response.status_code in _BUSY:
            raise _TryAgainError(f"HTTP {response.status_code}")
        if response.status_code in _ABSENT:
            quarters = ", ".join(quarter_name(quarter) for quarter in quarters_of(name)) or name
            raise NotPublishedError(
                f"{quarters} is not published: HTTP {response.status_code} for {self._url(name)}. "
                "Backblaze publishes a quarter some weeks after its end."
            )
        if not response.is_success:
            raise DataError(
                f"{self._url(name)} answers HTTP {response.status_code}. Look at the address in a "
                "browser, or try later."
            )
        kind = response.headers.get("Content-Type", "")
        if kind.lower().startswith("text/html"):
            raise DataError(
                f"{self._url(name)} gives a web page, not a zip. Is there a network to sign in to, "
                "or a mirror that shows a page? Look at the address in a browser."
            )

    def _patiently(
        self, name: str, action: Callable[[], _T], reached: Callable[[], int] = lambda: 0
    ) -> _T:
        """The result of `action`, which is tried again after faults that may go away.

        Args:
            name: the file that it is about.
            action: what to try.
            reached: how far it has come; after each step further, all attempts are left again.
        """
        failures, best = 0, reached()
        while True:
            try:
                return action()
            except (*_BROKEN, _TryAgainError) as error:
                if untrusted := _untrusted(error):
                    raise DataError(
                        f"{self._url(name)} cannot be fetched: its certificate is not trusted "
                        f"({untrusted}). If your network has an authority of its own, name its "
                        "file in SSL_CERT_FILE; otherwise somebody else may be answering."
                    ) from error
                failures, best = (1, reached()) if reached() > best else (failures + 1, best)
                if failures >= self.patience.attempts:
                    raise DataError(
                        f"{self._url(name)} cannot be fetched: {error or type(error).__name__}. "
                        f"Given up after {failures} attempts; what has arrived is kept, and the "
                        "same command goes on from there."
                    ) from error
                time.sleep(self.patience.first_delay_s * 2 ** (failures - 1))
            except httpx.HTTPError as error:
                raise DataError(f"{self._url(name)} cannot be fetched: {error}.") from error


@contextmanager
def _host(base_url: str, client: httpx.Client | None, patience: Patience) -> Iterator[_Host]:
    """The host, with a client of its own for the time of the block unless one is given."""
    if client:
        yield _Host(base_url, client, patience)
        return
    base = httpx.URL(base_url)

    def stay(request: httpx.Request) -> None:
        url = request.url
        if url.host != base.host or (base.scheme == "https" and url.scheme != "https"):
            raise DataError(
                f"{base_url} leads to {url}, another host or a connection that is not secure. It "
                "was not followed; if it is right, set BACKBLAZE_URL to that address."
            )

    with httpx.Client(follow_redirects=True, timeout=30, event_hooks={"request": [stay]}) as own:
        yield _Host(base_url, own, patience)


def _untrusted(error: BaseException | None) -> str:
    """What is wrong with a certificate, if that is the cause of an error; empty otherwise."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message or str(error)
        error = error.__cause__ or error.__context__
    return ""


def _check_ended(name: str) -> None:
    """Raise NotPublishedError when no quarter that a zip serves has ended."""
    today = datetime.now(UTC).date()
    quarters = quarters_of(name)
    if quarters and quarters[0] >= quarter_of(today):
        shown, end = quarter_name(quarters[0]), next_quarter(quarters[0]) - timedelta(days=1)
        raise NotPublishedError(
            f"{shown} has not ended yet: it ends on {end}, and Backblaze publishes a quarter some "
            "weeks after its end."
        )


def _check_content(path: Path) -> None:
    """Raise DataError unless a file is a zip of daily statistics that can be imported."""
    problems = [member for member in scan(path).members.values() if member.problem]
    if problems:
        raise DataError(f"{problems[0]}: {problems[0].problem}.")


@contextmanager
def _room_in(folder: Path) -> Iterator[None]:
    """Turn a disk that is full into a DataError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DataError(
            f"{folder.resolve()} is full. Make room and run the same again: it goes on from there."
        ) from error


def _version(response: httpx.Response) -> str:
    """What names the version of the file that an answer is about; empty where nothing does."""
    etag: str = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("X-Bz-File-Id", "")


def _part(path: Path) -> Path:
    """Where a file is kept until it is complete."""
    return path.with_name(f".{path.name}.part")


def _version_of(part: Path) -> Path:
    """Where the version is kept that `part` is a part of."""
    return part.with_suffix(".version")


def _size(path: Path) -> int:
    """Bytes of a file, -1 when there is none."""
    return path.stat().st_size if path.is_file() else -1


def _check_space(folder: Path, sizes: dict[str, int]) -> None:
    """Raise DataError when files of these sizes, less what is there of them, do not fit."""
    needed = sum(size - max(0, _size(_part(folder / name))) for name, size in sizes.items())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder.resolve()} has {free / 1e9:.1f} GB free, and {', '.join(sizes)} need "
            f"{needed / 1e9:.1f} GB. Make room, or use another folder."
        )


def _outcome(path: Path, *, fetched: bool) -> Download:
    """What to tell of a zip that is there; its content is compared with what is known of it."""
    size, known = _size(path), known_archives().get(path.name)
    warning, as_known = None, None
    if known and size != known.zip_bytes:
        warning = (
            f"{path.name} has {size:,} bytes, {known.zip_bytes:,} were known in 2026: it has been "
            "published anew since, or it is not the original."
        )
    elif known and fetched:
        as_known = sha256(path) == known.sha256
        if not as_known:
            warning = (
                f"{path.name} has the size and not the SHA-256 known in 2026: it has been "
                "published anew since, or it is not the original."
            )
    return Download(path, size, fetched, warning, as_known)
