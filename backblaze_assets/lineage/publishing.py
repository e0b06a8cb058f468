"""What a step makes is stored where others find it while the step goes on making.

On a local disk nothing has to be stored, and nothing happens here.
"""

from concurrent.futures import Future, ThreadPoolExecutor

from backblaze_assets.files.folder import DataFolder, file_names
from backblaze_assets.files.store import StoreError
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.parts import Part
from backblaze_assets.partitions import Key

AT_ONCE = 8
"""Partitions that are being stored at the same time."""


class Publishing:
    """Stores partitions of one asset in the background, until it is closed.

    Args:
        asset: its key.
        folder: the data folder.
    """

    def __init__(self, asset: str, folder: DataFolder) -> None:
        self._asset = asset
        self._folder = folder
        self._pool = ThreadPoolExecutor(AT_ONCE, "publish") if folder.store else None
        self._tasks: dict[Key, Future[None]] = {}

    def begin(self, part: Part) -> None:
        """Have the files of a partition stored."""
        if self._pool:
            self._tasks[part.key] = self._pool.submit(self._store, part)

    def close(self) -> None:
        """Begin no more, after an interrupt say, and wait for what is being stored."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def failed(self) -> dict[Key, StoreError]:
        """Wait until everything is stored.

        Returns:
            The partitions that the store has not taken, and why.
        """
        found = {}
        for key, task in self._tasks.items():
            error = task.exception()
            if isinstance(error, StoreError):
                found[key] = error
            elif error is not None:
                raise error
        return found

    def _store(self, part: Part) -> None:
        names = file_names(GRAPH[self._asset].files, part.key, [""])
        paths = {self._folder.path(self._asset, name.partition("/")[0]) for name in names}
        last = None if len(names) == 1 else self._folder.path(self._asset, names[0])
        self._folder.publish(paths, last)
