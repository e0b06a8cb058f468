"""Where each model's block of drives stands on the film's canvas.

A fold over the quarters in order: new models are placed and blocks grow into the room left for
them, and everything is packed anew only when something no longer fits. Frames depend on the last
packing alone, so the data version is that of the packing: a new quarter normally changes nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import KEY, digest
from backblaze_assets.film.layout import Layout, build, censuses
from backblaze_assets.lineage.step import Part, Step


def film_layout(step: Step) -> None:
    """Lay the film out, from the first quarter to the newest."""
    for part in step.parts():
        with step.making(part.key):
            lifetimes = Lifetimes.load(part.input("drive_lifetimes"))
            quarters = lifetimes.days["quarter"].unique().sort().to_list()
            layout = build(censuses(lifetimes.drives, quarters), step.style)
            version = digest([layout.anchor, step.style.version])
            content = {
                KEY: json.loads(part.origin.with_data_version(version).to_json()),
                "layout": json.loads(layout.to_json()),
            }
            write_atomic(part.path, json.dumps(content, indent=1).encode())
            step.made(part, version, layout)


def metadata(_: Part, layout: Layout) -> Mapping[str, Any]:
    """How full the canvas is."""
    return {
        "models": len({segment.model for segment in layout.segments}),
        "cell_px": layout.cell,
        "slots": sum(segment.slots for segment in layout.segments),
        "anchor": layout.anchor,
    }
