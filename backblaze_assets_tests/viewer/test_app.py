"""The viewer: what it shows, and what nobody gets to see through it."""

import io
import os
import re
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from backblaze_assets.graph import GRAPH
from backblaze_assets.viewer.app import as_vtt
from backblaze_assets.viewer.files import SERVED, TABLES
from backblaze_assets_tests.viewer.browser import Browser

DAYS = ["2013-06-29", "2013-06-30", "2013-07-01"]
FILM = bytes(range(256)) * 40
SRT = "1\n00:00:01,500 --> 00:00:03,000\nSeagate & <b>WD</b>, 3 TB\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder with some results, and beside them what is nobody's business."""
    root = tmp_path / "data"
    for asset in ("frames", "movie", "report", "afr_table", "daily_stats", "share/film", "dagster"):
        (root / asset).mkdir(parents=True)
    for number, day in enumerate(DAYS):
        Image.new("RGB", (1920, 1080), (40 * number, 90, 120)).save(root / f"frames/{day}.jpg")
        pl.DataFrame({"model": ["A", "B"], "drives": [number, 7]}).write_parquet(
            root / f"daily_stats/{day}.parquet"
        )
    pl.DataFrame({"model": ["A"], "afr": [1.25]}).write_parquet(
        root / "afr_table/2013-04-01.parquet"
    )
    Image.new("RGB", (3840, 2160), (200, 30, 30)).save(root / "share/film/poster.png")
    (root / "movie/movie.mp4").write_bytes(FILM)
    (root / "movie/movie.srt").write_text(SRT, encoding="utf-8")
    (root / "report/report.html").write_text("<!doctype html><p>the report", encoding="utf-8")
    (root / "data_2013.zip").write_text("secret")
    (root / "dagster/dagster.yaml").write_text("secret")
    (root / "frames/notes.txt").write_text("secret")
    (root / "frames/.tmp-1-2013-07-02.jpg").write_text("secret")
    (tmp_path / "secret.jpg").write_text("secret")
    return root


@pytest.fixture
def browser(root: Path) -> Browser:
    return Browser(root)


def test_the_first_page_leads_to_all_that_is_there_and_every_link_works(browser):
    seen, todo = set(), ["/"]
    while todo:
        address = todo.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = browser.get(address)
        assert answer.status_code == 200, address
        if answer.headers["content-type"].startswith("text/html") and address != "/report":
            found = re.findall(r'(?:href|src|action)="(/[^"]*)"', answer.text)
            todo += [link for link in found if link != "/tables/daily_stats"]
    assert {"/report", "/film", "/frames", "/tables", "/film/movie.mp4", "/film/movie.vtt"} <= seen
    assert {"/tables/afr_table/2013-04-01.csv", "/frames.js", "/viewer.css"} <= seen


def test_an_empty_folder_has_pages_that_say_what_to_do(tmp_path):
    browser = Browser(tmp_path / "none")
    assert "not made yet" in browser.get("/").text
    assert browser.get("/tables").status_code == 200
    for address in ("/report", "/film", "/frames", "/film/movie.vtt", "/thumb/share/poster.jpg"):
        answer = browser.get(address)
        assert answer.status_code == 404
        assert "backblaze-assets movie" in answer.text


def test_the_film_comes_in_ranges(browser):
    part = browser.get("/film/movie.mp4", range="bytes=1000-1999")
    assert part.status_code == 206
    assert part.content == FILM[1000:2000]
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(FILM)}"
    assert part.headers["content-type"] == "video/mp4"
    assert browser.get("/film/movie.mp4", range="bytes=-10").content == FILM[-10:]
    assert browser.get("/film/movie.mp4", range="bytes=99999999-").status_code == 416
    # A player that has the beginning of another film gets this one whole.
    changed = browser.get("/film/movie.mp4", range="bytes=1000-1999", if_range='"another"')
    assert (changed.status_code, changed.content) == (200, FILM)


def test_a_copy_that_is_still_right_is_not_sent_again(browser, root):
    for address in ("/film/movie.mp4", "/frames/2013-06-30.jpg", "/report",
                    "/thumb/frames/2013-06-30.jpg?width=400"):  # fmt: skip
        first = browser.get(address)
        etag, changed = first.headers["etag"], first.headers["last-modified"]
        again = browser.get(address, if_none_match=f'"other", {etag}')
        assert (again.status_code, again.content) == (304, b"")
        assert browser.get(address, if_modified_since=changed).status_code == 304
        assert browser.get(address, if_none_match='"other"').status_code == 200
        assert browser.get(address, if_modified_since="nonsense").status_code == 200
        head = browser.ask("HEAD", address)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == etag
        assert head.headers["content-length"] == str(len(first.content))
    path = root / "frames/2013-06-30.jpg"
    Image.new("RGB", (1920, 1080), (255, 255, 255)).save(path)
    os.utime(path, (2e9, 2e9))
    after = browser.get(address, if_none_match=etag)
    with Image.open(io.BytesIO(after.content)) as picture:
        assert picture.size == (400, 225)
        assert picture.getpixel((10, 10)) == (255, 255, 255)


@pytest.mark.slow
def test_small_pictures_have_the_width_that_is_asked_for(browser):
    for address in ("/thumb/frames/2013-06-29.jpg", "/thumb/share/poster.jpg"):
        for asked, width in (("?width=900", 900), ("", 320)):
            answer = browser.get(address + asked)
            assert answer.headers["content-type"] == "image/jpeg"
            with Image.open(io.BytesIO(answer.content)) as picture:
                assert picture.size == (width, width * 9 // 16)
        for nonsense in ("0", "39", "1921", "-5", "x", "9" * 5000, "²"):
            assert browser.get(f"{address}?width={nonsense}").status_code == 400


def test_tables_come_as_csv_and_as_parquet(browser, root):
    text = browser.get("/tables/daily_stats/2013-07-01.csv")
    assert text.text == "model,drives\nA,2\nB,7\n"
    assert text.headers["content-disposition"].endswith('"daily_stats_2013-07-01.csv"')
    raw = browser.get("/tables/afr_table/2013-04-01.parquet")
    assert raw.content == (root / "afr_table/2013-04-01.parquet").read_bytes()
    form = browser.get("/tables/daily_stats?day=2013-06-29&form=csv")
    assert (form.status_code, form.headers["location"]) == (
        303,
        "/tables/daily_stats/2013-06-29.csv",
    )
    for address in ("/tables/frames/2013-06-29.csv", "/tables/daily_stats/2013-06-29.exe",
                    "/tables/daily_stats?day=//elsewhere&form=csv",
                    "/tables/daily_stats?day=2013-06-29&form=exe"):  # fmt: skip
        assert browser.get(address).status_code == 404


def test_subtitles_are_in_the_form_that_browsers_read(browser):
    answer = browser.get("/film/movie.vtt")
    assert answer.headers["content-type"].startswith("text/vtt")
    assert answer.text.splitlines() == [
        "WEBVTT",
        "",
        "1",
        "00:00:01.500 --> 00:00:03.000",
        "Seagate &amp; &lt;b&gt;WD&lt;/b&gt;, 3 TB",
    ]
    assert as_vtt("").strip() == "WEBVTT"


@pytest.mark.parametrize(
    "address",
    [
        "/data_2013.zip",
        "/dagster/dagster.yaml",
        "/frames/notes.txt",
        "/frames/notes.jpg",
        "/frames/.tmp-1-2013-07-02.jpg",
        "/frames/..%2f..%2fsecret.jpg",
        "/frames/%2e%2e/%2e%2e/secret.jpg",
        "/frames/../../secret.jpg",
        "/frames/..%5c..%5csecret.jpg",
        "/frames//etc/passwd.jpg",
        "/frames/2013-06-29%00.jpg",
        "/frames/2013-06-29%0a.jpg",
        "/frames/%D9%A2013-06-29.jpg",
        "/thumb/frames/..%2f..%2fsecret.jpg",
        "/tables/..%2f..%2fdagster/dagster.csv",
        "/tables/dagster/dagster.yaml",
        "/tables/raw_quarter/2013-04-01.parquet",
        "/film/movie.mp4%2f..",
        "/film/movie.",
        "/viewer/app.py",
    ],
)
def test_nothing_else_can_be_read(browser, address):
    answer = browser.get(address)
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_links_on_the_disk_lead_nowhere_outside(browser, root):
    (root / "frames/2013-07-02.jpg").symlink_to(root.parent / "secret.jpg")
    (root / "frames/2013-07-03.jpg").symlink_to(root / "frames/2013-07-03.jpg")
    (root / "frames/2013-07-04.jpg").symlink_to(root / "frames/2013-06-30.jpg")
    (root / "frames/2013-07-05.jpg").mkdir()
    (root / "survival").symlink_to(root.parent)
    pl.DataFrame({"secret": [1]}).write_parquet(root.parent / "2013-04-01.parquet")
    for day in ("2013-07-02", "2013-07-03", "2013-07-05"):
        assert browser.get(f"/frames/{day}.jpg").status_code == 404
        assert browser.get(f"/thumb/frames/{day}.jpg").status_code == 404
    assert browser.get("/frames/2013-07-04.jpg").status_code == 200
    assert browser.get("/tables/survival/2013-04-01.csv").status_code == 404


def test_only_this_machine_by_its_name_is_answered_and_only_questions_are(root):
    for host, status in (
        ("127.0.0.1:3001", 200),
        ("localhost:8080", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example:3001", 400),
        ("192.168.0.7", 400),
    ):
        answer = Browser(root, host).get("/")
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert Browser(root).ask(method, "/frames/2013-06-29.jpg").status_code == 405


def test_policies_allow_what_pages_need_and_no_more(browser):
    policy = browser.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    report = browser.get("/report").headers
    assert report.get_list("content-security-policy") == [report["content-security-policy"]]
    assert "'unsafe-inline'" in report["content-security-policy"]
    assert "http" not in report["content-security-policy"]
    for address in ("/", "/film", "/frames", "/tables"):
        assert not re.search(r"<script>|<style|style=| on\w+=", browser.get(address).text)


def test_all_that_is_served_are_files_of_assets_of_the_graph():
    for asset, pattern in SERVED.items():
        names = [name.format(key="2013-06-29", day="2013-06-29") for name in GRAPH[asset].files]
        assert any(pattern.fullmatch(name) for name in names)
    assert set(TABLES) <= set(SERVED)
