"""Pictures and links of the UI lead to the viewer, and there is what they lead to."""

import base64
import io
import re
from typing import Any

import dagster as dg
import pytest
from PIL import Image

from backblaze_assets.cli.update import bring_up_to_date
from backblaze_assets.lineage.metadata import chart
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings
from backblaze_assets_tests.project import FIRST, Q3, Project
from backblaze_assets_tests.viewer.browser import Browser

ADDRESS = "http://127.0.0.1:3999"


def latest(project: Project, asset: str, partition: str | None = None) -> dict[str, Any]:
    """The metadata of an asset's newest materialization."""
    records = project.instance.fetch_materializations(
        dg.AssetRecordsFilter(
            dg.AssetKey(asset), asset_partitions=[partition] if partition else None
        ),
        limit=1,
    ).records
    event = records[0].asset_materialization
    assert event is not None
    return {name: value.value for name, value in event.metadata.items()}


def check_link(project: Project, address: str) -> None:
    assert address.startswith(ADDRESS)
    answer = Browser(project.root).get(address.removeprefix(ADDRESS))
    assert answer.status_code == 200


def check_picture(project: Project, markdown: str) -> None:
    (address,) = re.fullmatch(r"!\[[^\]]+\]\((.+)\)", markdown).groups()
    check_link(project, address)


@pytest.mark.slow
def test_every_frame_has_its_picture_and_its_event_stays_small(project):
    data = Data(project.root, viewer_port=3999)
    bring_up_to_date(project.instance, data, ["frames"])
    shown = latest(project, "frames", str(FIRST))
    check_picture(project, shown["picture"])
    check_link(project, shown["open"])
    assert len(str(shown)) < 2000


@pytest.mark.slow
def test_film_report_and_share_lead_to_the_viewer(project):
    data = Data(project.root, viewer_port=3999)
    bring_up_to_date(project.instance, data, ["movie", "report", "share"])
    for asset in ("movie", "share"):
        check_picture(project, latest(project, asset)["poster"])
    check_link(project, latest(project, "movie")["watch"])
    check_link(project, latest(project, "report")["open"])


def test_every_table_has_its_picture(built):
    """Of a project without a viewer they stand in the events, but for those of single days."""
    for asset, key in (("afr_table", Q3), ("survival", Q3), ("drive_lifetimes", Q3)):
        (data,) = re.fullmatch(
            r"!\[[^\]]+\]\(data:image/png;base64,(.+)\)", latest(built, asset, key)["picture"]
        ).groups()
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert picture.width == 540
        # The viewer draws the same one.
        drawn = Browser(built.root).get(f"/chart/{asset}/{key}.png?width=540")
        assert drawn.content == base64.b64decode(data)
    assert "picture" not in latest(built, "daily_stats", str(FIRST))
    viewed = Data(built.root, viewer_port=3999)
    for asset, key in (("afr_table", Q3), ("daily_stats", str(FIRST))):
        shown = chart(viewed.viewer, asset, built.file(f"{asset}/{key}.parquet"), "text")
        check_picture(built, shown["picture"].value)


@pytest.mark.parametrize(("value", "port"), [("", 3001), ("4000", 4000), ("off", None)])
def test_the_port_is_a_setting(monkeypatch, value, port):
    monkeypatch.setenv("BACKBLAZE_VIEWER_PORT", value)
    data = Data.from_settings(Settings.from_environment())
    assert data.viewer_port == port
    assert data.viewer == (f"http://127.0.0.1:{port}" if port else None)
