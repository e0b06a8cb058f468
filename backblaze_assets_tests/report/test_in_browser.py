"""The report in a real browser, Debian's Chromium: what it shows, asks for, and reacts to."""

import re
import shutil
from contextlib import contextmanager
from dataclasses import replace

import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from backblaze_assets.report.page import page as report_page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt-get install chromium"),
]

WIDTHS = (320, 360, 380, 560, 600, 760, 768, 1000, 1024, 1280, 1440)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def inputs(inputs):
    """A fleet that is large enough for its rates to be drawn over time."""
    more = pl.col("drive_days", "failures", "drives_end", "drives_seen") * 100
    tables = {quarter: table.with_columns(more) for quarter, table in inputs.tables.items()}
    return replace(inputs, tables=tables)


@pytest.fixture(scope="module")
def address(inputs, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report" / "report.html"
    path.parent.mkdir()
    path.write_text(report_page(inputs), encoding="utf-8")
    return path.as_uri()


@contextmanager
def opened(browser, address, width=1440, **context):
    """The page; at the end, that it has said nothing and asked for nothing but itself."""
    with browser.new_context(
        viewport={"width": width, "height": 900}, reduced_motion="reduce", **context
    ) as opened:
        page = opened.new_page()
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        yield page
        assert said == []
        assert {url for url in asked if not url.startswith("data:")} == {address}


def names(page):
    cells = page.locator("#pane-year tbody tr:not([hidden]) .name")
    return cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")


def test_no_width_scrolls_sideways(browser, address):
    with opened(browser, address) as page:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            shown = page.locator(".compare svg:visible")
            assert shown.count() == page.locator(".compare").count() > 0


def test_without_scripts_the_tables_are_there(browser, address, inputs):
    with opened(browser, address, java_script_enabled=False) as page:
        assert page.locator("#pane-year tbody tr").count() == inputs.ranked("year").height
        assert page.locator("#pane-year tbody tr").first.is_visible()
        assert not page.locator("#pane-quarter").is_visible()
        page.locator("label[for=w-quarter]").click()
        assert page.locator("#pane-quarter").is_visible()
        assert not page.locator(".tick input").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1440])
def test_axe_finds_nothing(browser, address, scheme, width):
    with opened(browser, address, width, color_scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found = Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []


def test_sorting_by_pointer_and_by_keyboard(browser, address, inputs):
    ranked = inputs.ranked("year")
    with opened(browser, address) as page:
        assert names(page) == ranked["model"].to_list()
        page.locator("#pane-year th button", has_text="Model").click()
        assert names(page) == sorted(ranked["model"])
        button = page.locator("#pane-year th button", has_text="AFR")
        button.focus()
        page.keyboard.press("Enter")
        by_rate = ranked.sort("afr", descending=True)["model"].to_list()
        assert names(page) == by_rate
        order = button.evaluate("button => button.closest('th').getAttribute('aria-sort')")
        assert order == "descending"
        page.keyboard.press("Enter")
        assert names(page) == by_rate[::-1]


def test_windows_by_arrow_keys_and_the_filter(browser, address, inputs):
    ranked = inputs.ranked("year")
    with opened(browser, address) as page:
        page.locator("#w-year").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("#pane-lifetime").is_visible()
        page.keyboard.press("ArrowLeft")
        page.locator("#filter").fill("hgst")
        hgst = ranked.filter(pl.col("maker") == "HGST")["model"].to_list()
        assert names(page) == hgst
        assert page.locator("#pane-year [aria-live]").inner_text() == (
            f"{len(hgst)} of {ranked.height} models"
        )
        grey = page.locator(".compare svg.broad .curve:not([data-pick])")
        shown = grey.evaluate_all(
            "all => all.filter(each => getComputedStyle(each).display != 'none')"
            ".map(each => each.dataset.model)"
        )
        makers = dict(inputs.rows("model", "lifetime").select("model", "maker").iter_rows())
        assert {makers[model] for model in shown} <= {"HGST"}
        page.locator("#filter").fill("3 tb")
        sizes = ranked.filter(pl.col("capacity_tb") == 3)["model"].to_list()
        assert names(page) == sizes


def test_ticks_and_chips_choose_what_the_charts_compare(browser, address, inputs):
    with opened(browser, address) as page:
        chips = page.locator(".chips").first.locator("button")
        assert chips.count() == len(inputs.picks)
        box = page.locator("#pane-year .tick input:not(:checked)").first
        model = box.get_attribute("value")
        box.focus()
        page.keyboard.press("Space")
        assert page.locator(f'.tick input[value="{model}"]:not(:checked)').count() == 0
        assert page.locator(f'.curve[data-model="{model}"][data-pick]').count() > 0
        assert chips.count() == len(inputs.picks) + 1
        chips.first.click()
        assert inputs.picks[0] not in page.locator(".tick input:checked").evaluate_all(
            "all => all.map(each => each.value)"
        )


def test_charts_say_the_figures_under_the_pointer_and_by_keys(browser, address, inputs):
    series = inputs.by_group
    quarter = max(inputs.tables)
    with opened(browser, address) as page:
        figure = page.locator(".compare").last
        area, readout = figure.locator(".plot-area"), figure.locator(".readout")
        assert readout.inner_text().startswith("Point at a line")
        area.focus()
        page.keyboard.press("ArrowRight")  # the newest quarter
        said = readout.inner_text()
        assert set(inputs.picks) & {group for kind, group in series if kind == "model"}
        assert said.startswith(f"{quarter.year}-Q{(quarter.month + 2) // 3}: ")
        for model in inputs.picks:
            known = series["model", model].get(quarter)
            if known and known["drive_days"] >= 50_000:
                low, high = known["afr_low"], known["afr_high"]
                expected = f"{known['afr']:.2f} % ({low:.2f} - {high:.2f})"
                assert f"{inputs.names[model]} {expected}" in said
        page.keyboard.press("ArrowUp")
        near = figure.locator(".curve.near").first.get_attribute("data-model")
        picked = figure.locator(f'.curve[data-model="{near}"][data-pick]')
        before = picked.count() > 0
        page.keyboard.press("Enter")
        assert (picked.count() > 0) is not before
        page.keyboard.press("Escape")
        assert readout.inner_text().startswith("Point at a line")
        # By pointer: at the end of a curve.
        area.scroll_into_view_if_needed()
        curve = figure.locator("svg:visible .curve[data-pick] .line").first
        model = figure.locator("svg:visible .curve[data-pick]").first.get_attribute("data-model")
        end = curve.evaluate(
            "line => { const at = line.getPointAtLength(line.getTotalLength())"
            ".matrixTransform(line.getScreenCTM()); return [at.x, at.y]; }"
        )
        page.mouse.move(*end)
        assert figure.locator("svg:visible .curve.near").get_attribute("data-model") == model
        assert inputs.names[model] in readout.inner_text()


def test_a_film_that_is_not_there_is_said(browser, address):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        assert not page.locator("video").evaluate("video => video.controls")
        page.get_by_role("button", name="Play the film").click()
        page.get_by_text("The film is not beside this page").wait_for(timeout=20_000)


def test_links_open_what_they_lead_to_and_colours_change_by_hand(browser, address):
    with opened(browser, address, color_scheme="light") as page:
        link = page.locator(".sentence a").first
        target = link.get_attribute("href")
        link.click()
        assert page.locator(target).evaluate("each => each.open")
        light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        page.locator("#theme").click()
        dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert [sum(map(int, re.findall(r"\d+", each))) > 400 for each in (light, dark)] == [
            True,
            False,
        ]


def test_print_is_on_paper_without_controls(browser, address):
    with opened(browser, address, color_scheme="dark") as page:
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        for hidden in ("nav", ".controls", ".tick", "video", ".readout"):
            assert page.locator(hidden).first.is_hidden()
        assert page.locator("#pane-year tbody tr").first.is_visible()
        sheets = page.pdf(format="A4")
        assert len(re.findall(rb"/Type\s*/Page\b", sheets)) >= 3
