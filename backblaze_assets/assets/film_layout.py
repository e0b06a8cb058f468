"""Where each model's block of drives stands on the film's canvas.

A fold over the quarters in order: new models are placed and blocks grow into the room left for
them, and everything is packed anew only when something no longer fits. Frames depend on the last
packing alone, so the data version is that of the packing: a new quarter normally changes nothing.
"""

import json

import dagster as dg
import polars as pl

from backblaze_assets.assets.step import Step, step
from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import KEY, digest
from backblaze_assets.film.layout import Layout, build, censuses
from backblaze_assets.lineage.rules import RULES
from backblaze_assets.resources import Data


@dg.asset(
    description=__doc__,
    deps=["drive_lifetimes"],
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=RULES["film_layout"].code_version,
    group_name="film",
    kinds={"json", "python"},
    tags={"stage": "draw"},
)
def film_layout(context: dg.AssetExecutionContext, data: Data) -> dg.MaterializeResult[None]:
    """The film's layout. See the module's docstring."""
    with step(context, data) as this:
        origin = this.origin(None)
        quarters = this.lineage.quarters()
        lifetimes = Lifetimes.load(this.folder.drive_lifetimes(quarters[-1]))
        layout = build(censuses(lifetimes.drives, quarters), this.style)
        version = digest([layout.anchor, this.style.version])
        content = {
            KEY: json.loads(origin.with_data_version(version).to_json()),
            "layout": json.loads(layout.to_json()),
        }
        write_atomic(this.folder.film_layout, json.dumps(content, indent=1).encode())
        this.made(origin, version, this.folder.film_layout, _metadata(layout, lifetimes.drives))
        return this.result()


def read_layout(this: Step) -> Layout:
    """The layout as it was last materialized, for the assets that draw."""
    content = json.loads(this.folder.film_layout.read_text(encoding="utf-8"))
    return Layout.from_json(json.dumps(content["layout"]))


def _metadata(layout: Layout, drives: pl.DataFrame) -> dict[str, object]:
    return {
        "models": len({segment.model for segment in layout.segments}),
        "cell_px": layout.cell,
        "drives": drives.height,
        "slots": sum(segment.slots for segment in layout.segments),
        "anchor": layout.anchor,
    }
