"""A browser of a few lines: asks a viewer inside this process."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx

from backblaze_assets.files.folder import DataFolder
from backblaze_assets.viewer.app import viewer


@dataclass(frozen=True)
class Browser:
    """Asks the viewer of a data folder."""

    root: Path
    host: str = "127.0.0.1:3001"

    def ask(self, method: str, address: str, **headers: str) -> httpx.Response:
        """The answer to one request; `_` in names of headers stands for `-`."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(viewer(DataFolder(self.root)))
            async with httpx.AsyncClient(
                transport=transport, base_url=f"http://{self.host}"
            ) as client:
                return await client.request(method, address, headers=names)

        return asyncio.run(asked())

    def get(self, address: str, **headers: str) -> httpx.Response:
        return self.ask("GET", address, **headers)
