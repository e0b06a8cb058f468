"""Keeps the tables and the diagram of the README those of the graph.

    python -m backblaze_assets_tests.readme

writes them anew, between `<!-- NAME -->` and `<!-- end -->`. A test fails when that was forgotten.
"""

import re
from pathlib import Path

from backblaze_assets.database.views import FILE_NAME
from backblaze_assets.graph import GRAPH, Asset
from backblaze_assets.partitions import Partitioning

README = Path(__file__).parents[1] / "README.md"


def diagram() -> str:
    """The graph for Mermaid, without what an asset reads of its own earlier partitions."""
    arrows = [
        f"  {upstream} --> {asset.name}"
        for asset in GRAPH.values()
        for upstream in asset.reads
        if upstream != asset.name
    ]
    return "\n".join(["```mermaid", "graph LR", *arrows, "```"])


def assets() -> str:
    """What each asset holds and reads."""
    lines = ["| asset | partitions | one partition holds | made from |", "|---|---|---|---|"]
    return "\n".join([*lines, *map(_asset, GRAPH.values())])


def _asset(asset: Asset) -> str:
    reads = [
        f"`{upstream}`" if reading.name == "all" else f"`{upstream}` ({reading.name})"
        for upstream, reading in asset.reads.items()
    ]
    sources = [source.value for source in asset.sources]
    made_from = ", ".join(reads + sources)
    return f"| `{asset.name}` | {asset.partitioning.value} | {asset.holds} | {made_from} |"


def files() -> str:
    """Where the files are, with an example for each asset."""
    keys = {Partitioning.QUARTERS: "2013-04-01", Partitioning.DAYS: "2013-04-10"}
    rows = {_file(asset, keys.get(asset.partitioning)): asset.holds for asset in GRAPH.values()}
    width = max(map(len, rows)) + 2
    lines = [f"{path:{width}}{holds}" for path, holds in rows.items()]
    zips = f"{'data_2013.zip  data_Q1_2016.zip  …':{width}}the zips"
    instance = f"{'dagster/':{width}}the Dagster instance: runs, events, logs"
    kept = f"{'.kept/':{width}}replaced results, records of runs, source of code; see below"
    database = f"{FILE_NAME:{width}}all tables as views, for DuckDB; `sql` makes it"
    return "\n".join(["```", zips, *lines, instance, kept, database, "```"])


def _file(asset: Asset, key: str | None) -> str:
    """The one file of a partition, or the folder if there are several."""
    first = f"{asset.name}/{asset.files[0].format(key=key, day='2013-04-10')}"
    return first if len(asset.files) == 1 else first.rpartition("/")[0] + "/"


SECTIONS = {"diagram": diagram, "assets": assets, "files": files}
_SECTION = re.compile(
    f"(?P<begin><!-- (?P<name>{'|'.join(SECTIONS)}) -->\n).*?(?P<end>\n<!-- end -->)", re.DOTALL
)


def generated(text: str) -> str:
    """The README with its generated sections made anew."""

    def section(found: re.Match[str]) -> str:
        return found["begin"] + SECTIONS[found["name"]]() + found["end"]

    return _SECTION.sub(section, text)


if __name__ == "__main__":
    README.write_text(generated(README.read_text(encoding="utf-8")), encoding="utf-8")
