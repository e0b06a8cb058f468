"""An object store: bytes under keys, which is all that it has of files.

A thin layer over obstore (https://developmentseed.org/obstore), which speaks to S3 and what is like
it, to Google Cloud Storage and to Azure, and to a folder (`file://`), such as one that several
machines share. Addresses of the same forms are what `BACKBLAZE_DATA` takes.

Credentials come from where the store's own tools take them: variables of the environment such as
AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and AWS_REGION, or the role of the machine. Nothing of them is
read, kept or shown here.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backblaze_assets.errors import DataError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "file")
"""What an address can begin with, before `://`."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")

_AT_FIRST = 3
_TRIES = 8
_BACKOFF = {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10)}
"""How often what a store refuses for the moment is asked for again, a wrong address aside."""

_SINGLE_PUT = 64 << 20
"""Bytes above which an object is sent in parts; it appears whole all the same."""


class StoreError(DataError):
    """A store does not give or take something: which, and what to do.

    Attributes:
        passes: whether the same may go well a little later, without anybody doing anything.
    """

    def __init__(self, message: str = "", *, passes: bool = False) -> None:
        self.passes = passes
        super().__init__(message)


class ChangedError(StoreError):
    """An object is no longer the one that was listed."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message, passes=True)


@dataclass(frozen=True)
class Object:
    """One object as a listing has it.

    Attributes:
        size: in bytes.
        etag: what tells it from another one under its key.
        modified_ns: when it was written, nanoseconds since 1970.
    """

    size: int
    etag: str
    modified_ns: int


def is_address(text: str) -> bool:
    """Whether a text is the address of an object store, and not a path.

    Raises:
        DataError: it looks like an address of a kind that is not known.
    """
    found = _ADDRESS.match(text)
    if not found:
        return False
    if found[1].lower() not in SCHEMES:
        raise DataError(
            f"BACKBLAZE_DATA is {text!r}; an address can begin with "
            f"{', '.join(f'{scheme}://' for scheme in SCHEMES)}."
        )
    return True


_used_in: int | None = None  # the process in which a store was used first


class Store:
    """The objects below one address.

    The connection is made at the first use. A process that was forked after that cannot use any
    store: its threads are not there, and requests would wait for them for ever.

    Args:
        address: such as `s3://bucket/prefix`.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    @cached_property
    def _store(self) -> "ObjectStore":
        try:
            from obstore.store import from_url
        except ImportError as error:
            raise StoreError(
                f"{self.address} needs a library that is not installed: "
                "pip install 'backblaze-assets[store]'."
            ) from error
        if self.address.startswith("file://"):
            Path(self.address.removeprefix("file://")).mkdir(parents=True, exist_ok=True)
            return from_url(self.address)
        with self._asking("cannot be reached"):
            import obstore

            # That the address is wrong, or a credential, is to be said at once.
            obstore.list_with_delimiter(self._opened(_AT_FIRST), "-")
            return self._opened(_TRIES)

    def _opened(self, tries: int) -> "ObjectStore":
        from obstore.store import from_url

        # What is set to nothing is not set, as for the store's own tools.
        for name in [it for it in os.environ if it.startswith("AWS_") and not os.environ[it]]:
            del os.environ[name]
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "https://")
        if not endpoint.startswith(("http://", "https://")):
            raise StoreError(
                f"AWS_ENDPOINT_URL is {endpoint!r}; it has to begin with https:// or http://."
            )
        options: Any = {
            "timeout": timedelta(seconds=120),
            # Who writes http in the address of the store means it.
            "allow_http": endpoint.startswith("http://"),
        }
        retries: Any = {"max_retries": tries, "backoff": _BACKOFF}
        store: ObjectStore = from_url(self.address, client_options=options, retry_config=retries)
        return store

    def check_process(self) -> None:
        """Refuse to go on in a process in which a request would never end.

        Raises:
            StoreError: this process was forked from one that had used a store.
        """
        global _used_in
        if _used_in not in (None, os.getpid()):
            raise StoreError(
                f"{self.address}: this process was forked after a store had been used, and cannot "
                "use any. Start workers before anything is read, or with `spawn`."
            )
        _used_in = os.getpid()

    def where(self, key: str) -> str:
        """The address of an object."""
        return f"{self.address}/{key}"

    def objects(self, prefix: str = "") -> dict[str, Object]:
        """All objects whose key begins with the folder `prefix`, by key.

        One request for every 1,000 of them.
        """
        import obstore

        with self._asking("cannot be listed"):
            found = [meta for page in obstore.list(self._store, prefix or None) for meta in page]
        return {str(meta["path"]): _object(meta) for meta in found}

    def objects_in(self, prefix: str = "") -> tuple[dict[str, Object], list[str]]:
        """The objects that lie in the folder `prefix` itself, by key, and the folders in it."""
        import obstore

        with self._asking("cannot be listed"):
            found = obstore.list_with_delimiter(self._store, prefix or None)
        objects = {str(meta["path"]): _object(meta) for meta in found["objects"]}
        return objects, [str(it) for it in found["common_prefixes"]]

    def read(self, key: str, expected: Object, start: int = 0, end: int | None = None) -> bytes:
        """Content of an object, or its bytes from `start` to before `end`.

        Raises:
            ChangedError: it is no longer the `expected` one.
            StoreError: the store does not give it.
        """
        import obstore

        whole = start == 0 and end is None
        span = (start, expected.size if end is None else min(end, expected.size))
        if span[0] >= span[1]:
            return b""
        options: Any = {} if whole else {"range": span}
        with self._asking("cannot be read", key):
            found = obstore.get(self._store, key, options=options)
            changed = found.meta["e_tag"] not in (None, expected.etag)
            content = b"" if changed else bytes(found.bytes())
        if changed or len(content) != span[1] - span[0]:
            raise ChangedError(
                f"{self.where(key)} was replaced while it was being read. Run the same again."
            )
        return content

    def put(self, key: str, path: Path) -> str:
        """Store a file under a key, whole or not at all; return its etag."""
        import obstore

        with self._asking("cannot be written", key):
            if path.stat().st_size <= _SINGLE_PUT:
                result = obstore.put(self._store, key, path.read_bytes(), use_multipart=False)
            else:
                result = obstore.put(self._store, key, path)
        return str(result["e_tag"])

    def head(self, key: str) -> Object:
        """What the store has under a key."""
        import obstore

        with self._asking("cannot be read", key):
            return _object(obstore.head(self._store, key))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; it is no error if one is not there."""
        import obstore

        keys = list(keys)
        if not keys:
            return
        with self._asking("cannot be deleted", keys[0]):
            for key in keys if self.address.startswith("file://") else [keys]:
                try:
                    obstore.delete(self._store, key)
                except FileNotFoundError:
                    continue

    @contextmanager
    def _asking(self, what: str, key: str = "") -> Iterator[None]:
        """Turn what the library raises into an error that says where, why, and what to do."""
        self.check_process()
        from obstore import exceptions

        try:
            yield
        except StoreError:
            raise
        except (exceptions.BaseError, OSError, ValueError) as error:
            where = self.where(key).rstrip("/")
            reason, passes = _reason(error, key)
            raise StoreError(f"{where} {what}: {reason}", passes=passes) from error


def _object(meta: Any) -> Object:  # noqa: ANN401 - a mapping of obstore's
    return Object(
        int(meta["size"]),
        str(meta["e_tag"]),
        round(meta["last_modified"].timestamp() * 1_000_000) * 1000,
    )


_CAUSES = (
    # What the store says, what that means for people, whether it passes.
    (
        r"NoSuchBucket|ContainerNotFound|specified bucket does not exist",
        "there is no such bucket. See to its name in BACKBLAZE_DATA, or make it.",
        False,
    ),
    (
        r"169\.254\.169\.254|no credentials",
        "there are no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what your "
        "store has in their place.",
        False,
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|AuthenticationFailed|InvalidToken|ExpiredToken",
        "the store does not accept the credentials. See to AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or what your store has in their place.",
        False,
    ),
    (
        r"AccessDenied|Forbidden|403|permission",
        "the store denies it. The credentials need the right to list, read, write and delete "
        "there; without any, see to AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        False,
    ),
    (
        r"SlowDown|503|429|TooManyRequests|throttl",
        "the store has refused it time and again because there were too many requests. Let it "
        "rest, then run the same again.",
        True,
    ),
    (
        r"timed out|operation timed",
        "the store does not answer in time. See to the network and AWS_ENDPOINT_URL, then run the "
        "same again.",
        True,
    ),
    (
        r"error sending request|connect|dns|resolve|refused|tcp",
        "the store cannot be reached. See to the network and AWS_ENDPOINT_URL.",
        True,
    ),
)


def _reason(error: BaseException, key: str) -> tuple[str, bool]:
    """Why a store has refused, in one sentence, and what to do; whether that passes by itself."""
    from obstore.exceptions import NotFoundError

    text = " ".join(str(error).partition("Debug source")[0].split())
    for pattern, reason, passes in _CAUSES[:1]:
        if re.search(pattern, text, re.IGNORECASE):
            return reason, passes
    if isinstance(error, FileNotFoundError | NotFoundError) and key:
        return "it is not there any more. Run the same again.", True
    for pattern, reason, passes in _CAUSES[1:]:
        if re.search(pattern, text, re.IGNORECASE):
            return reason, passes
    return text[:300], False
