"""What is at which address.

| address | |
|---|---|
| `/` | what there is |
| `/report` | the report |
| `/film` | the film with its subtitles; `/film/movie.mp4` in ranges, so that one can seek |
| `/frames` | any day; `/frames/2013-05-01.jpg`, `/frames/days.json` |
| `/tables` | the tables; `/tables/afr_table/2013-04-01.csv`, or `.parquet` |
| `/thumb/frames/2013-05-01.jpg?width=900` | a small picture, for the Dagster UI |
| `/thumb/share/poster.jpg?width=900` | the same of the film's poster |
| `/chart/afr_table/2013-04-01.png?width=540` | a picture of a table, drawn when it is asked for |
"""

import email.utils
import html
import os
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.film.frames import thumbnail
from backblaze_assets.report.pictures import ASSETS as CHARTS
from backblaze_assets.report.pictures import picture_of
from backblaze_assets.viewer import pages
from backblaze_assets.viewer.files import TABLES, ServedFiles

HOSTS = ["127.0.0.1", "localhost"]
"""Names that a browser may have for this machine.

A page of the internet whose name is made to point here (DNS rebinding) asks by that name, and gets
nothing.
"""

WIDTHS = range(40, 1921)
"""Widths of small pictures, in pixels."""

_PAGE_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_REPORT_POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "media-src 'self'; script-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""The report is one file: its styles and scripts stand in it, and it asks for the film at most."""

_HEADERS = {
    "content-security-policy": _PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",  # a browser asks whether its copy is still right
}


class _SafeHeaders:
    """Adds `_HEADERS` to every answer that does not have its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [
                    *message["headers"],
                    *(header for header in more if header[0] not in there),
                ]
            await send(message)

        await self.app(scope, receive, send_safely)


def viewer(folder: DataFolder) -> Starlette:
    """The web application that shows a data folder.

    Args:
        folder: the data folder. Files may come and go while it is shown.
    """
    shown = _Viewer(ServedFiles(folder))
    return Starlette(
        routes=[
            Route("/", shown.home),
            Route("/report", shown.report),
            Route("/film", shown.film),
            Route("/film/movie.{kind:str}", shown.film_file),
            Route("/movie/movie.{kind:str}", shown.film_file),  # from the report, as in the folder
            Route("/frames", shown.frames),
            Route("/frames/days.json", shown.days),
            Route("/frames/{day}.jpg", shown.frame),
            Route("/tables", shown.tables),
            Route("/tables/{asset}", shown.table_of_day),
            Route("/tables/{asset}/{key}.{form}", shown.table),
            Route("/thumb/frames/{day}.jpg", shown.small_frame),
            Route("/thumb/share/poster.jpg", shown.small_poster),
            Route("/chart/{asset}/{key}.png", shown.chart),
            Route("/viewer.css", _own_file("style.css")),
            Route("/frames.js", _own_file("frames.js")),
        ],
        middleware=[
            Middleware(_SafeHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False),
        ],
        exception_handlers={HTTPException: _say},
    )


class _Viewer:
    """What answers; functions that are not `async` run in threads of their own."""

    def __init__(self, files: ServedFiles) -> None:
        self.files = files

    def home(self, _: Request) -> Response:
        days = self.files.keys("frames")
        poster = None
        if self.files.find("share", "film/poster.png"):
            poster = "/thumb/share/poster.jpg?width=1600"
        elif days:
            poster = f"/thumb/frames/{days[-1]}.jpg?width=1600"
        return _page(
            pages.home(
                poster,
                report=self.files.find("report", "report.html") is not None,
                film=self.files.find("movie", "movie.mp4") is not None,
                days=days,
                quarters=self.files.keys("afr_table"),
            )
        )

    def report(self, request: Request) -> Response:
        answer = self._file(request, "report", "report.html")
        answer.headers["content-security-policy"] = _REPORT_POLICY
        return answer

    def film(self, _: Request) -> Response:
        if self.files.find("movie", "movie.mp4") is None:
            raise HTTPException(404, "There is no film yet.")
        days = self.files.keys("frames")
        return _page(pages.film(days[-1] if days else None))

    def film_file(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind != "vtt":
            return self._file(request, "movie", f"movie.{kind}")
        path = self.files.find("movie", "movie.srt")
        if path is None:
            raise HTTPException(404, "There are no subtitles yet.")
        text = as_vtt(path.read_text(encoding="utf-8"))
        return Response(text, media_type="text/vtt")

    def frames(self, _: Request) -> Response:
        days = self.files.keys("frames")
        if not days:
            raise HTTPException(404, "There are no frames yet.")
        return _page(pages.frames(days))

    def days(self, _: Request) -> Response:
        return JSONResponse(self.files.keys("frames"))

    def frame(self, request: Request) -> Response:
        return self._file(request, "frames", f"{request.path_params['day']}.jpg")

    def tables(self, _: Request) -> Response:
        return _page(pages.tables({asset: self.files.keys(asset) for asset in TABLES}))

    def table_of_day(self, request: Request) -> Response:
        """From the form of a date to the table of that day."""
        asset, day = request.path_params["asset"], request.query_params.get("day", "")
        form = request.query_params.get("form", "")
        if (
            asset not in TABLES
            or form not in ("csv", "parquet")
            or day not in self.files.keys(asset)
        ):
            raise HTTPException(404, "There is no such table.")
        return RedirectResponse(f"/tables/{asset}/{day}.{form}", 303)

    def table(self, request: Request) -> Response:
        asset, key, form = (request.path_params[name] for name in ("asset", "key", "form"))
        path = self.files.find(asset, f"{key}.parquet") if asset in TABLES else None
        if path is None or form not in ("csv", "parquet"):
            raise HTTPException(404, "There is no such table.")
        name = {"content-disposition": f'attachment; filename="{asset}_{key}.{form}"'}
        if form == "parquet":
            return self._file(request, asset, f"{key}.parquet", name)
        text = read_table(path).write_csv()
        return Response(text, media_type="text/csv", headers=name)

    def small_frame(self, request: Request) -> Response:
        return self._small(request, "frames", f"{request.path_params['day']}.jpg")

    def small_poster(self, request: Request) -> Response:
        return self._small(request, "share", "film/poster.png")

    def _small(self, request: Request, asset: str, name: str) -> Response:
        path = self.files.find(asset, name)
        if path is None:
            raise HTTPException(404, "There is no such picture.")
        return self._drawn(request, path, _thumbnail, "image/jpeg")

    def chart(self, request: Request) -> Response:
        """The picture of a table."""
        asset, key = request.path_params["asset"], request.path_params["key"]
        folder = asset == "drive_lifetimes"
        names = [f"{key}/drives.parquet", f"{key}/days.parquet"] if folder else [f"{key}.parquet"]
        found = [self.files.find(asset, name) for name in names] if asset in CHARTS else [None]
        path = found[0] if None not in found else None
        if path is None:
            raise HTTPException(404, "There is no such picture.")

        def draw(path: Path, changed: int, width: int) -> bytes:
            return _chart(asset, path.parent if folder else path, changed, width)

        return self._drawn(request, path, draw, "image/png")

    def _drawn(
        self, request: Request, path: Path, draw: Callable[[Path, int, int], bytes], kind: str
    ) -> Response:
        """A picture of the width that is asked for, drawn from a file, if it is not known yet."""
        asked = request.query_params.get("width", "320")
        if not (asked.isascii() and asked.isdecimal() and int(asked[:5]) in WIDTHS):
            raise HTTPException(400, f"A picture is {WIDTHS[0]} to {WIDTHS[-1]} pixels wide.")
        status = path.stat()
        answer = FileResponse(path, stat_result=status)  # for its dates
        headers = {
            "etag": f'{answer.headers["etag"][:-1]}-{asked}"',
            "last-modified": answer.headers["last-modified"],
        }
        if _is_known(request, headers["etag"], status.st_mtime):
            return Response(status_code=304, headers=headers)
        picture = draw(path, status.st_mtime_ns, int(asked))
        return Response(picture, media_type=kind, headers=headers)

    def _file(
        self, request: Request, asset: str, name: str, headers: dict[str, str] | None = None
    ) -> Response:
        """A file as it is, in ranges where the browser asks for one."""
        path = self.files.find(asset, name)
        if path is None:
            raise HTTPException(404, "There is no such file.")
        status = path.stat()
        answer = FileResponse(path, stat_result=status, headers=headers)
        etag = answer.headers["etag"]
        if _is_known(request, etag, status.st_mtime):
            return Response(
                status_code=304,
                headers={"etag": etag, "last-modified": answer.headers["last-modified"]},
            )
        return answer


def as_vtt(srt: str) -> str:
    """Subtitles of SubRip as WebVTT, which browsers read.

    Only lines with times differ; `&` and `<` begin something in WebVTT and are written as escapes.
    """
    lines = [
        line.replace(",", ".") if " --> " in line else html.escape(line, quote=False)
        for line in srt.splitlines()
    ]
    return "\n".join(["WEBVTT", "", *lines, ""])


@lru_cache(maxsize=200)
def _thumbnail(path: Path, _changed: int, width: int) -> bytes:
    """A small picture; `_changed` tells a file from the one that was there before."""
    return thumbnail(path, width)


@lru_cache(maxsize=50)
def _chart(asset: str, path: Path, _changed: int, width: int) -> bytes:
    """The picture of a table; `_changed` as above."""
    return picture_of(asset, path, width)


def _is_known(request: Request, etag: str, changed: float) -> bool:
    """Whether the browser's copy of a file is still right."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or etag in [
            tag.strip().removeprefix("W/") for tag in tags.split(",")
        ]
    try:
        since = email.utils.parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return int(changed) <= since.timestamp()


def _own_file(name: str) -> Callable[[Request], Awaitable[Response]]:
    path = Path(__file__).with_name(name)

    async def answer(_: Request) -> Response:
        return FileResponse(path, stat_result=os.stat(path))  # noqa: PTH116 - of this package

    return answer


def _page(text: str) -> Response:
    return Response(text, media_type="text/html")


async def _say(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    unsaid = {"Not Found": "There is no such page.", "Method Not Allowed": "This only shows."}
    text = pages.message(unsaid.get(error.detail, error.detail))
    return Response(text, error.status_code, error.headers, media_type="text/html")
