"""Which colour each drive has on a day."""

import numpy as np
import numpy.typing as npt

from backblaze_assets.film.fleet import Drives, Events, Rows
from backblaze_assets.film.glide import BEHIND, FRESH, FRONT
from backblaze_assets.film.style import EMBER_DAYS, NEW_DAYS, Style, mix, packed

COOL_STEP = 3
"""Days for which a new drive keeps its colour."""

Packed = npt.NDArray[np.uint32]


class Colours:
    """Colours of drives as pixels of the canvas."""

    def __init__(
        self, drives: Drives, came: Events, failures: Events, removals: Events, style: Style
    ) -> None:
        """Prepare for the days of a quarter; events are those of the drives that have a place."""
        self.drives, self.style = drives, style
        self.came, self.failures, self.removals = came, failures, removals
        self.service, self.failed = _palettes(style)

    def of(self, rows: Rows, day: int) -> Packed:
        """Colours on `day` of drives that all have been seen by then."""
        drives = self.drives
        first = drives.first_seen[rows]
        age = np.minimum(day - first, NEW_DAYS)
        age[first == 0] = NEW_DAYS  # what is there on the first day of all is not new
        colours = self.service[age]
        colours[drives.removed_on[rows] <= day] = packed(self.style.removed)
        since = day - drives.failed_on[rows]
        failed = since >= 0
        colours[failed] = self.failed[np.minimum(since[failed], EMBER_DAYS)]
        return colours

    def in_flight(self, day: int) -> Packed:
        """Colours on `day` of all drives, and what stands in front when they fly."""
        drives = self.drives
        inks = np.full(len(drives.first_seen), self.service[-1] | BEHIND, np.uint32)
        rows = self.came.between(max(1, day - NEW_DAYS + 1), day)
        inks[rows] = self.service[day - drives.first_seen[rows]] | FRESH
        inks[self.removals.between(0, day)] = packed(self.style.removed) | BEHIND
        rows = self.failures.between(0, day)
        since = np.minimum(day - drives.failed_on[rows], EMBER_DAYS)
        inks[rows] = self.failed[since] | FRONT
        return inks


def _palettes(style: Style) -> tuple[Packed, Packed]:
    """Pixels of drives in service by age, and of failed ones by days since the failure."""
    # In steps of some days: in the film they are not seen, and they spare a third of its bytes.
    service = [
        packed(mix(style.new, style.service, (age // COOL_STEP * COOL_STEP / NEW_DAYS) ** 0.7))
        for age in range(NEW_DAYS + 1)
    ]
    failed = [
        packed(mix(style.flash, style.failed, age / EMBER_DAYS)) for age in range(EMBER_DAYS + 1)
    ]
    return np.array(service, np.uint32), np.array(failed, np.uint32)
