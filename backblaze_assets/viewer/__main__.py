"""The viewer beside another process: `python -m backblaze_assets.viewer SOCKET PARENT`.

SOCKET is the number of an inherited socket that listens, PARENT the process to end with.
"""

import socket
import sys

from backblaze_assets.files.folder import DataFolder
from backblaze_assets.settings import Settings
from backblaze_assets.viewer.server import serve


def main() -> None:
    """Serve the data folder of BACKBLAZE_DATA."""
    number, parent = map(int, sys.argv[1:])
    settings = Settings.from_environment()
    folder = DataFolder(settings.data)
    if settings.store:
        from backblaze_assets.resources import Data  # brings Dagster

        folder = Data.from_settings(settings).folder
    serve(folder, socket.socket(fileno=number), parent)


if __name__ == "__main__":
    main()
