"""What to make next: the runs that the command line makes, and that the automation asks for."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from backblaze_assets.files.origin import digest
from backblaze_assets.graph import GRAPH, ranges_of, upstream_of
from backblaze_assets.lineage.status import Attempt, Lineage
from backblaze_assets.partitions import Key, Partitioning, portions, range_tags


@dataclass(frozen=True)
class Batch:
    """What one run is to do: an unbroken range of partitions of one or more assets.

    Attributes:
        assets: in order; an asset without partitions may be among others with a range.
        keys: the partitions; one None where no asset has any.
        attempts: what it tries, one entry for each asset and key.
        replaces: numbers in the event log of the materializations that are there already.
        judge_only: whether the checks of the asset are to look at what is made already.
    """

    assets: tuple[str, ...]
    keys: tuple[Key, ...]
    attempts: frozenset[Attempt]
    replaces: frozenset[int]
    judge_only: bool = False

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the run."""
        return range_tags(self.keys)

    def fits(self, other: "Batch") -> bool:
        """Whether both can be one run: the same range, or one has no partitions."""
        if self.judge_only or other.judge_only:
            return False
        kinds = {GRAPH[asset].partitioning for asset in (*self.assets, *other.assets)}
        same = self.keys == other.keys or None in (self.keys[0], other.keys[0])
        return same and len(kinds - {Partitioning.NONE}) <= 1

    def with_(self, other: "Batch") -> "Batch":
        """Both as one run."""
        keys = other.keys if self.keys[0] is None else self.keys
        attempts, replaces = self.attempts | other.attempts, self.replaces | other.replaces
        return Batch((*self.assets, *other.assets), keys, attempts, replaces)

    def first(self, limit: int | None) -> "Batch":
        """The part of it that has the first `limit` partitions; all of it without a limit.

        An asset without partitions is made from all that others have, and so not of a part.
        """
        return self._of(self.keys[:limit])

    def portions(self, days_per_run: int | None) -> list["Batch"]:
        """It as batches of about so many days, which can go on side by side, where it is divisible.

        What only judges is not worth it.
        """
        if days_per_run is None or self.judge_only or not self.is_divisible:
            return [self]
        partitioning = GRAPH[self.assets[0]].partitioning
        return [self._of(tuple(keys)) for keys in portions(partitioning, self.keys, days_per_run)]

    @property
    def is_divisible(self) -> bool:
        """Whether several runs may share it."""
        return all(GRAPH[asset].is_divisible for asset in self.assets)

    def _of(self, keys: tuple[Key, ...]) -> "Batch":
        """The part of it that has these partitions."""
        if keys == self.keys:
            return self
        attempts = frozenset(it for it in self.attempts if it[1] in keys)
        made = {asset for asset, *_ in attempts}
        assets = tuple(asset for asset in self.assets if asset in made)
        return replace(self, assets=assets, keys=keys, attempts=attempts)

    @property
    def digest(self) -> str:
        """Identity of the batch: the same work from the same inputs has the same.

        What was made and has been deleted since is work that was not done before.
        """
        parts = [str(part) for attempt in sorted(self.attempts, key=str) for part in attempt]
        return digest([*self.assets, str(self.judge_only), str(sorted(self.replaces)), *parts])


def next_batches(
    lineage: Lineage,
    targets: Iterable[str],
    tried: Collection[Attempt] = frozenset(),
    *,
    refused: bool = False,
    together: bool = False,
    days_per_run: int | None = None,
) -> list[Batch]:
    """What can be run now: for each asset whose upstream assets have nothing left to do.

    So nothing is made from what is about to change, and each asset gets all its partitions in one
    go. What has been tried and failed is not waited for: one bad zip does not hold up all others.

    Args:
        lineage: how everything stands.
        targets: the assets that are wanted; all that they are made from is made too.
        tried: what is not to be tried again.
        refused: whether what a check refuses is to be judged anew.
        together: whether one run takes all assets that need the same range of partitions, those
            included that become ready in that run. That spares processes.
        days_per_run: about how many days a batch has where it can be divided; None for all. What
            can be divided is not put together with what cannot.
    """
    found: list[Batch] = []

    def fits(one: Batch, other: Batch) -> bool:
        alike = one.is_divisible == other.is_divisible or days_per_run is None
        return alike and one.fits(other)

    waiting: set[str] = set()  # assets with work that is not in `found`, and all that reads them
    for asset in upstream_of(targets):
        upstream = GRAPH[asset].reads.keys() - {asset}
        above = [batch for batch in found if not upstream.isdisjoint(batch.assets)]
        if upstream & waiting or (above and not together):
            waiting.add(asset)
            continue
        to_judge = lineage.to_judge(asset, refused=refused)
        judged = _batches(lineage, asset, to_judge, tried, judge_only=True)
        made = _batches(lineage, asset, lineage.to_do(asset, _changing(found), tried), tried)
        if not above:
            found += judged
            for batch in made:
                _add(found, batch, fits if together else None)
        elif not judged and len(above) == len(made) == 1 and fits(above[0], made[0]):
            found[found.index(above[0])] = above[0].with_(made[0])
        elif judged or made:
            waiting.add(asset)
    if days_per_run is not None:  # what others cannot help with begins first
        found.sort(key=lambda batch: batch.is_divisible)
    return [portion for batch in found for portion in batch.portions(days_per_run)]


def _add(found: list[Batch], batch: Batch, fits: Callable[[Batch, Batch], bool] | None) -> None:
    for n, other in enumerate(found):
        if fits and fits(other, batch):
            found[n] = other.with_(batch)
            return
    found.append(batch)


def _changing(batches: Iterable[Batch]) -> dict[str, set[Key]]:
    """The partitions of each asset that batches are about to make."""
    changing: dict[str, set[Key]] = {}
    for asset, key, _ in (it for batch in batches if not batch.judge_only for it in batch.attempts):
        changing.setdefault(asset, set()).add(key)
    return changing


def _batches(
    lineage: Lineage,
    asset: str,
    keys: Iterable[Key],
    tried: Collection[Attempt],
    *,
    judge_only: bool = False,
) -> list[Batch]:
    """Unbroken ranges of those partitions that have not been tried."""
    attempts = {key: _attempt(lineage, asset, key, judge_only=judge_only) for key in keys}
    fresh = [key for key, attempt in attempts.items() if attempt not in tried]
    made = lineage.ledger.all(asset)
    return [
        Batch(
            (asset,),
            tuple(piece),
            frozenset(attempts[key] for key in piece),
            frozenset(made[key].storage_id for key in piece if key in made),
            judge_only,
        )
        for piece in ranges_of(asset, fresh, lineage.view.calendar)
    ]


def _attempt(lineage: Lineage, asset: str, key: Key, *, judge_only: bool) -> Attempt:
    if judge_only:
        made = lineage.ledger.get(asset, key)
        return (asset, key, f"judge {made.storage_id if made else 0}")
    return (asset, key, lineage.identity(asset, key))
