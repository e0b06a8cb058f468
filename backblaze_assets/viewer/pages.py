"""The viewer's pages, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

_NAVIGATION = {"/": "Overview", "/report": "Report", "/film": "Film", "/frames": "Days",
               "/tables": "Tables"}  # fmt: skip


def _page(title: str, body: str, here: str = "", *, script: str | None = None) -> str:
    links = "".join(
        f'<a href="{address}"{" aria-current=page" if address == here else ""}>{name}</a>'
        for address, name in _NAVIGATION.items()
    )
    more = f'<script src="{script}" defer></script>' if script else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title>"
        f'<link rel="stylesheet" href="/viewer.css"><link rel="icon" href="data:,">{more}</head>'
        f'<body><nav aria-label="Pages"><div>{links}</div></nav><main>{body}</main></body></html>'
    )


def home(
    poster: str | None,
    *,
    report: bool,
    film: bool,
    days: Sequence[str],
    quarters: Sequence[str],
) -> str:
    """The first page: what there is.

    Args:
        poster: address of a large picture, if there is one.
        report: whether there is a report.
        film: whether there is a film.
        days: of which there are frames, in order.
        quarters: first days of those of which there are tables, in order.
    """
    picture = (
        f'<a href="{"/film" if film else "/frames"}" class="poster">'
        f'<img src="{escape(poster)}" alt="Every drive as a small square, on the last day" '
        'width="1600" height="900"></a>'
        if poster
        else ""
    )
    span = f"{days[0]} to {days[-1]}" if days else ""
    tables = f"{len(quarters):,} quarter{'s' * (len(quarters) != 1)}" if quarters else ""
    cards = [
        _card("/report", "Report", "Which drives to trust, and how sure that is", report, ""),
        _card("/film", "Film", "Every drive, one frame a day", film, span),
        _card(
            "/frames", "Days", "Any day of the film, with the arrow keys", bool(days),
            f"{len(days):,} days",
        ),
        _card(
            "/tables", "Tables", "Failure rates, survival, daily counts; CSV and Parquet",
            bool(quarters), tables,
        ),
    ]  # fmt: skip
    body = f'<h1>Drive statistics</h1><div class="cards">{"".join(cards)}</div>{picture}'
    return _page("Drive statistics", body, "/")


def _card(address: str, name: str, says: str, there: bool, note: str) -> str:
    inner = f"<b>{name}</b><span>{says}</span><small>{note if there else 'not made yet'}</small>"
    return (
        f'<a class="card" href="{address}">{inner}</a>'
        if there
        else f'<div class="card">{inner}</div>'
    )


def film(last_day: str | None) -> str:
    """The film with its subtitles, and below it the files."""
    poster = f' poster="/thumb/frames/{last_day}.jpg?width=1600"' if last_day else ""
    body = (
        f'<h1>The film</h1><video controls preload="metadata"{poster} src="/film/movie.mp4">'
        '<track kind="captions" srclang="en" label="English" src="/film/movie.vtt"></video>'
        '<p class="note"><a href="/film/movie.mp4" download>MP4</a> '
        '<a href="/film/movie.srt" download>Subtitles</a> '
        '<a href="/frames">Look at single days</a></p>'
    )
    return _page("The film", body, "/film")


def frames(days: Sequence[str]) -> str:
    """One day's frame, with a slider over all days, at least one."""
    last = days[-1]
    body = (
        '<h1><time id="day">' + last + "</time></h1>"
        f'<img id="frame" class="frame" src="/frames/{last}.jpg" '
        'alt="Every drive on this day as a small square" width="1920" height="1080">'
        '<div class="controls">'
        '<button id="before" type="button" aria-label="One day back">←</button>'
        f'<input id="slider" type="range" min="0" max="{len(days) - 1}" value="{len(days) - 1}" '
        f'aria-label="Day" aria-valuetext="{last}">'
        '<button id="after" type="button" aria-label="One day on">→</button>'
        '<button id="play" type="button" aria-pressed="false">Play</button>'
        f'<input id="date" type="date" min="{days[0]}" max="{last}" value="{last}" '
        'aria-label="Go to a day"></div>'
        '<p class="note">Arrow keys: a day; Page Up and Down: thirty; Home, End; blank: play. '
        '<a id="file" href="/frames/' + last + '.jpg" download>This picture</a></p>'
    )
    return _page("Days of the film", body, "/frames", script="/frames.js")


def tables(keys: Mapping[str, Sequence[str]]) -> str:
    """Links to all tables.

    Args:
        keys: partition keys that there are of each asset.
    """
    says = {
        "afr_table": ("Failure rates", "per model, maker, size, with 95 % intervals"),
        "survival": ("Survival", "by age, with removal as a competing risk"),
        "daily_stats": ("Daily counts", "per model: drives, failures, capacity"),
    }
    parts = ["<h1>Tables</h1>"]
    for asset, there in keys.items():
        title, what = says[asset]
        parts.append(f"<h2>{title}</h2><p>{what}</p>")
        if not there:
            parts.append('<p class="note">not made yet</p>')
        elif asset == "daily_stats":
            parts.append(_day_form(asset, there))
        else:
            parts.append(_quarter_links(asset, there))
    return _page("Tables", "".join(parts), "/tables")


def _day_form(asset: str, days: Sequence[str]) -> str:
    return (
        f'<form action="/tables/{asset}" class="controls"><label>Day <input name="day" type="date" '
        f'required min="{days[0]}" max="{days[-1]}" value="{days[-1]}"></label>'
        '<button name="form" value="csv">CSV</button>'
        '<button name="form" value="parquet">Parquet</button></form>'
    )


def _quarter_links(asset: str, quarters: Sequence[str]) -> str:
    rows = []
    for year, of_year in groupby(reversed(quarters), key=lambda key: key[:4]):
        cells = "".join(
            f"<li>Q{(int(key[5:7]) + 2) // 3} "
            f'<a href="/tables/{asset}/{key}.csv" aria-label="{key}, CSV">CSV</a> '
            f'<a href="/tables/{asset}/{key}.parquet" aria-label="{key}, Parquet">Parquet</a></li>'
            for key in reversed(list(of_year))
        )
        rows.append(f"<h3>{year}</h3><ul>{cells}</ul>")
    return f'<div class="quarters">{"".join(rows)}</div>'


def message(text: str) -> str:
    """A page that says that something is not there, and how to make it."""
    body = (
        f"<h1>{escape(text)}</h1><p><code>backblaze-assets movie</code> makes everything that is "
        'missing. <a href="/">What there is</a></p>'
    )
    return _page(text, body)
