"""What comes true in a quarter, day by day, as captions that wait for their turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from backblaze_assets.drive_stats.models import UNKNOWN_MAKER
from backblaze_assets.film import captions, words
from backblaze_assets.film.captions import Caption, Memory
from backblaze_assets.film.fleet import Counts, Drives, Totals
from backblaze_assets.film.rates import Rates
from backblaze_assets.film.style import QUIET_DAYS


@dataclass(frozen=True)
class News:
    """What the captions of a quarter are made from."""

    days: Sequence[date]
    drives: Drives
    totals: Totals
    known: pl.DataFrame
    names: Mapping[str, str]
    by_model: Rates
    of_fleet: Rates

    def first_memory(self) -> Memory:
        """Before the first day of all, what is there on it counts as said."""
        service = int(self.totals.service[0])
        sizes = [size for size, count in self._sizes(0).items() if count >= captions.FIRST_DRIVES]
        large = captions.MILESTONES[service >= captions.LARGE_FLEET]
        in_service = self._in_service(0, 1)
        return Memory(
            drives=captions.record(service),
            capacity=captions.record(int(self.totals.capacity[0])),
            size=max(sizes, default=0),
            large=tuple(model for model, counts in in_service.items() if counts[0] >= large),
        )

    def _in_service(self, first: int, count: int) -> dict[str, Counts]:
        """Per model, drives in service on `count` days from the day `first` on."""
        days = np.arange(first, first + count)
        left = np.minimum(self.drives.failed_on, self.drives.removed_on)
        found = {}
        for model, (row, many) in self.drives.rows.items():
            rows = slice(row, row + many)
            came = np.sort(self.drives.first_seen[rows])
            went = np.sort(left[rows])
            found[model] = np.searchsorted(came, days, "right") - np.searchsorted(
                went, days, "right"
            )
        return found

    def _sizes(self, day: int) -> dict[int, int]:
        """Drives seen up to `day`, by capacity."""
        sizes: dict[int, int] = {}
        for row, many in self.drives.rows.values():
            seen = int((self.drives.first_seen[row : row + many] <= day).sum())
            size = int(self.drives.capacity[row])
            sizes[size] = sizes.get(size, 0) + seen
        return sizes

    def _title(self, model: str) -> str:
        """A model with its maker and size, such as `Seagate ST3000DM001, 3 TB`."""
        row = self.known.row(by_predicate=pl.col("model") == model, named=True)
        name, maker, size = self.names[model], row["maker"], row["capacity_bytes"]
        if maker != UNKNOWN_MAKER and (name != model or " " not in model):
            name = f"{maker} {name}"
        return f"{name}, {words.capacity_of_drive(size)}" if size else name

    def captions(self, memory: Memory) -> dict[date, list[Caption]]:
        """What comes true on each day, the most urgent first."""
        found: dict[date, list[Caption]] = {day: [] for day in self.days}
        self._high_rates(memory, found)
        self._records(memory, found)
        self._models(memory, found)
        return found

    def _high_rates(self, memory: Memory, found: dict[date, list[Caption]]) -> None:
        """Models that fail much more often than the others."""
        models = self.known["model"].to_list()
        above = (self.by_model.low > captions.HIGH_RATE * self.of_fleet.afr) & (
            self.by_model.drive_days >= captions.LEAST_DRIVE_DAYS
        )
        for number in np.flatnonzero(above.any(axis=1)).tolist():
            model = models[number]
            day_said, rate_said = memory.rates.get(model, ("0001-01-01", 0.0))
            last = date.fromisoformat(day_said)
            for at, day in enumerate(self.days):
                rate = float(self.by_model.afr[number, at])
                again = (day - last).days >= 365 or rate >= captions.WORSE * rate_said
                quiet = self.drives.number(day) < QUIET_DAYS
                if not above[number, at] or not again or quiet or model not in self.drives.rows:
                    continue
                last, rate_said = day, rate
                others = Rates.of(
                    self.of_fleet.failures[:, at : at + 1]
                    - self.by_model.failures[number : number + 1, at : at + 1],
                    self.of_fleet.drive_days[:, at : at + 1]
                    - self.by_model.drive_days[number : number + 1, at : at + 1],
                ).afr[0, 0]
                text = f"{words.whole_rate(rate)} fail in a year"
                if not np.isnan(others):
                    text += f", of all others {words.whole_rate(float(others))}"
                text += f" ({words.month(day)})"  # the label tells the rate of the day shown
                weight = int(self.by_model.failures[number, at])
                title = self._title(model)
                found[day].append(Caption(day, title, text, (model,), captions.URGENT, weight))

    def _records(self, memory: Memory, found: dict[date, list[Caption]]) -> None:
        drives, capacity = memory.drives, memory.capacity
        for day in self.days:
            number = self.drives.number(day)
            now = captions.record(int(self.totals.service[number]))
            if now > drives:
                drives = now
                text = f"in service for the first time, {words.long_date(day)}"
                found[day].append(Caption(day, f"{now:,} drives", text, (), captions.NOTABLE))
            now = captions.record(int(self.totals.capacity[number]))
            if now > capacity:
                capacity = now
                text = "of storage in service for the first time"
                found[day].append(
                    Caption(day, words.round_capacity(now), text, (), captions.NOTABLE)
                )

    def _models(self, memory: Memory, found: dict[date, list[Caption]]) -> None:
        """Models that become large or leave, and drives of a new size."""
        first = self.drives.number(self.days[0])
        large, left, size_said = set(memory.large), set(memory.left), memory.size
        after = max(first, 1)  # what is there on the first day of all is no news
        fleet = self.totals.service[first : first + len(self.days)] >= captions.LARGE_FLEET
        for model, counts in self._in_service(first - 1, len(self.days) + 1).items():
            row, many = self.drives.rows[model]
            milestone = np.array(captions.MILESTONES)[fleet.astype(int)]
            farewell = np.array(captions.FAREWELLS)[fleet.astype(int)]
            reached = np.flatnonzero(counts[1:] >= milestone)
            if model not in large and len(reached) and first + reached[0] >= after:
                day = self.days[int(reached[0])]
                text = f"{milestone[reached[0]]:,} drives in service"
                found[day].append(Caption(day, self._title(model), text, (model,)))
            emptied = np.flatnonzero((counts[:-1] > 0) & (counts[1:] == 0) & (many > farewell))
            if model not in left and len(emptied):
                day = self.days[int(emptied[-1])]
                on = self.drives.number(day)
                failed = int((self.drives.failed_on[row : row + many] <= on).sum())
                share = words.whole_rate(100 * failed / many)
                text = f"the last one has left; {share} of {many:,} failed"
                rank = captions.NOTABLE if failed > 0.1 * many else captions.COMMON
                found[day].append(Caption(day, self._title(model), text, (model,), rank))
        for at, day in enumerate(self.days):
            if first + at < after:
                continue
            sizes = [
                size
                for size, count in self._newer_sizes(size_said, first + at).items()
                if count >= captions.FIRST_DRIVES
            ]
            if sizes:
                size_said = max(sizes)
                models = tuple(
                    model
                    for model, (row, _) in self.drives.rows.items()
                    if self.drives.capacity[row] == size_said
                    and self.drives.first_seen[row] <= first + at
                )
                text = f"the largest so far: {', '.join(self.names[one] for one in models[:2])}"
                name = f"First drives of {words.capacity_of_drive(size_said)}"
                found[day].append(Caption(day, name, text, models[:1], captions.NOTABLE))

    def _newer_sizes(self, than: int, day: int) -> dict[int, int]:
        """Drives seen up to `day` of models that are a tenth larger than `than`, by capacity."""
        sizes: dict[int, int] = {}
        for row, many in self.drives.rows.values():
            size = int(self.drives.capacity[row])
            if size > 1.1 * than:
                seen = int((self.drives.first_seen[row : row + many] <= day).sum())
                sizes[size] = sizes.get(size, 0) + seen
        return sizes

    def remember(self, memory: Memory) -> Memory:
        """What has come true up to the end of the quarter."""
        first = self.drives.number(self.days[0])
        last = first + len(self.days) - 1
        said = self.captions(memory)
        rates_said = dict(memory.rates)
        for day in self.days:
            for caption in said[day]:
                if caption.rank == captions.URGENT:
                    number = self.known["model"].to_list().index(caption.models[0])
                    rate = float(self.by_model.afr[number, (day - self.days[0]).days])
                    rates_said[caption.models[0]] = (day.isoformat(), rate)
        large, left = set(memory.large), set(memory.left)
        counts = self._in_service(first, len(self.days))
        service = self.totals.service[first : last + 1]
        milestone = np.array(captions.MILESTONES)[(service >= captions.LARGE_FLEET).astype(int)]
        large |= {model for model, many in counts.items() if (many >= milestone).any()}
        left |= {
            caption.models[0]
            for day in self.days
            for caption in said[day]
            if "the last one has left" in caption.text
        }
        sizes = [
            size
            for size, many in self._newer_sizes(memory.size, last).items()
            if many >= captions.FIRST_DRIVES
        ]
        return replace(
            memory,
            rates=dict(sorted(rates_said.items())),
            drives=max(memory.drives, captions.record(int(service.max()))),
            capacity=max(
                memory.capacity,
                captions.record(int(self.totals.capacity[first : last + 1].max())),
            ),
            size=max([memory.size, *sizes]),
            large=tuple(sorted(large)),
            left=tuple(sorted(left)),
        )
