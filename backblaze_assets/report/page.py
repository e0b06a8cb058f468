"""The whole page: one HTML file without a request."""

import base64
from html import escape
from pathlib import Path

from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.report import ages, models, sections, times
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.poster import Film
from backblaze_assets.report.sentences import sentences
from backblaze_assets.report.text import number, percent, tag

SECTIONS = (
    ("ranking", "Models", "Which models fail, and how sure is it?", sections.ranking),
    ("watch", "Watch list", "Watch list", sections.watch_list),
    ("changed", "What changed", "What changed", sections.what_changed),
    ("age", "By age", "How many fail in one to five years?", ages.by_age),
    ("time", "Over time", "Rates over time", times.over_time),
    ("fleet", "Fleet", "The fleet", times.fleet),
    ("models", "Model by model", "Model by model", models.models),
    ("published", "Ours and published", "Ours and published", sections.reconciled),
    ("data", "Data and method", "Data and method", sections.data),
)
"""Id, name in the bar, heading, and what makes each section, in order."""

_NEW_SHEETS = frozenset({"ranking", "age", "models"})
"""Sections that begin a sheet when the page is printed."""


def page(inputs: Inputs) -> str:
    """The report as HTML.

    Args:
        inputs: the tables. Of the newest quarter there must be drives.
    """
    title = f"Drive Stats {quarter_name(inputs.quarter)}"
    bar = "".join(tag("a", name, href=f"#{key}") for key, name, _, _ in SECTIONS)
    button = tag("button", "Light / dark", type="button", id="theme")
    body = "".join(
        tag(
            "section",
            tag("h2", heading, id=key) + make(inputs),
            aria_labelledby=key,
            class_="page" if key in _NEW_SHEETS else None,
        )
        for key, _, heading, make in SECTIONS
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        '<link rel="icon" href="data:,">'
        f"<style>{_fonts()}{_resource('style.css')}</style></head><body>"
        + tag("header", _head(inputs, title))
        + tag("nav", tag("div", bar + button), aria_label="Sections")
        + tag("main", body)
        + f'<script type="module">{_resource("page.js")}</script></body></html>\n'
    )


def _head(inputs: Inputs, title: str) -> str:
    days = inputs.days
    span = f"{days['date'][0]} to {days['date'][-1]}"
    made_up = int(days["synthetic"].sum())
    said = f"Every drive of Backblaze's fleet, {span}"
    if made_up:
        said += f". {number(made_up)} of {number(days.height)} days are made up, not measured"
    lines = "".join(
        tag("p", text, class_="sentence") + tag("small", note) for text, note in sentences(inputs)
    )
    said_of = tag("h1", escape(title)) + tag("small", escape(said)) + lines
    if inputs.film is None:
        return said_of + _figures(inputs)
    beside = tag("div", said_of) + _player(inputs.film)
    return tag("div", beside, class_="beside") + _figures(inputs)


def _player(film: Film) -> str:
    """The film, which is fetched when somebody plays it, behind a still of its last day."""
    still = base64.b64encode(film.still).decode()
    player = tag(
        "video",
        controls="",
        preload="none",
        src=film.address,
        poster=f"data:image/webp;base64,{still}",
        width=film.width,
        height=film.height,
        aria_label="The film of every drive",
    )
    about = (
        f"Every drive is a square, orange ones have failed: {film.day}. The film lies beside this "
        f"page, in {tag('a', escape(film.address.removeprefix('../')), href=film.address)}, and is "
        "fetched when you play it."
    )
    screen = tag("div", player, class_="still")
    return tag("figure", screen + tag("figcaption", about), class_="film")


def _figures(inputs: Inputs) -> str:
    now, year, life = (inputs.total(window) for window in ("quarter", "year", "lifetime"))
    sizes = inputs.rows("size", "quarter").drop_nulls("capacity_tb")
    terabytes = float((sizes["capacity_tb"] * sizes["drives_end"]).sum())
    drives = max(now["drives_end"], 1)
    before = ""
    if inputs.quarter_before in inputs.tables:
        earlier = inputs.rows("all", "quarter", inputs.quarter_before)["failures"]
        before = f"{number(earlier[0])} the quarter before" if earlier.len() else ""
    figures = [
        ("Fail in a year (AFR)", percent(now["afr"]), f"12 months {percent(year['afr'])}"),
        (
            "Drives in service",
            number(now["drives_end"]),
            f"+{number(now['drives_added'])} new, -{number(now['drives_removed'])} taken out",
        ),
        ("Failed in the quarter", number(now["drives_failed"]), before),
        (
            f"Failed since {inputs.days['date'][0].year}",
            number(life["drives_failed"]),
            f"of {number(life['drives_seen'])} ever; {number(life['drives_removed'])} left working",
        ),
        ("Capacity", f"{terabytes / 1e6:.2f} EB", f"{terabytes / drives:.1f} TB a drive"),
    ]
    inside = "".join(
        tag(
            "div",
            tag("dt", name) + tag("dd", text, class_="value") + tag("dd", tag("small", note)),
        )
        for name, text, note in figures
    )
    return tag("dl", inside, class_="figures")


_FONTS = (
    ("Roboto", 300, "Roboto-Light"),
    ("Roboto", 400, "Roboto-Regular"),
    ("Roboto Condensed", 500, "RobotoCondensed-Medium"),
)
"""Family, weight and file of the cuts in the page, 25 KB of it.

They are the film's, cut down to Latin letters and the signs that are used (`pyftsubset
--layout-features=kern,tnum --flavor=woff2 --no-hinting`); their licence is in `film/fonts/`.
"""


def _fonts() -> str:
    """The fonts as rules of the style, with the files inside."""
    folder = Path(__file__).with_name("fonts")
    return "".join(
        f'@font-face{{font-family:"{family}";font-weight:{weight};src:url(data:font/woff2;base64,'
        f"{base64.b64encode((folder / f'{name}.woff2').read_bytes()).decode()}"
        ')format("woff2")}'
        for family, weight, name in _FONTS
    )


def _resource(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
