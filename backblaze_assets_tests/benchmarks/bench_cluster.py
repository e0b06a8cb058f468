"""Fourteen quarters on a cluster on this machine, by one worker and by two, and in one process.

Of the real drives one in fifty; without the tool that rebuilds them, a made-up fleet. Everything is
on the same cores, so two workers can be no faster than these allow; what a cluster costs beside the
work (processes, queues, ticks of the sensor) shows against one process. The last column says how
many runs were at work at once, on the average over the whole time.

In the last case one of two workers is killed with all its processes while it draws frames. All
results are then the same bytes as those of one process, or the benchmark fails.

In November 2026, on two cores with nothing else to do, wall and CPU seconds: one process 172 and
224; one worker 265 and 329; two 238 and 339; two of which one was killed 291 and 347, 21 runs.
"""

import json
import shutil
from pathlib import Path

from backblaze_assets.graph import GRAPH
from backblaze_assets_tests.benchmarks import history
from backblaze_assets_tests.benchmarks.harness import Result, measure, written_mb
from backblaze_assets_tests.cluster import results
from backblaze_assets_tests.servers import installed

FRACTION = 0.02
"""Of the drives."""

ALONE = """
import sys
from pathlib import Path
from backblaze_assets_tests.project import kept_project
with kept_project(Path(sys.argv[1])) as project:
    project.update()
"""

TOGETHER = """
import json, sys, time
from pathlib import Path
from backblaze_assets_tests.automation.test_daemon import wait_until
from backblaze_assets_tests.cluster import cluster
from backblaze_assets_tests.instance.test_cluster import is_whole
from backblaze_assets_tests.project import Brief
data, workers, kill = Brief(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
folder = data.root.with_name("cluster")
folder.mkdir()
with cluster(folder, data.root, workers=workers, BACKBLAZE_DAYS_PER_RUN=365) as running:
    begun = time.time()
    if kill:
        wait_until(lambda: running.started("frames"), 3600, pause=1)
        time.sleep(3)
        running.kill(running.worker_of(running.started("frames")[0]))
    wait_until(lambda: running.is_idle() and is_whole(data, running.instance), 3600, pause=5)
    records = running.instance.get_run_records()
    spans = [(it.start_time, it.end_time) for it in records]
    busy = sum(end - start for start, end in spans)
    first = min(it.create_timestamp.timestamp() for it in records)
    last = max(end for _, end in spans)
print(json.dumps({"runs": len(spans), "busy": busy, "wall": last - first, "start": first - begun}))
"""


def run(work: Path) -> list[Result]:
    found = [_result(work, "in one process", ALONE)]
    if installed("initdb") and installed("redis-server"):
        found += [_result(work, f"{n} workers", TOGETHER, n, 0) for n in (1, 2)]
        found.append(_result(work, "2 workers, one of which is killed", TOGETHER, 2, 1))
    return found


def _result(work: Path, case: str, code: str, *arguments: int) -> Result:
    shutil.rmtree(work / case, ignore_errors=True)
    data = history.data_folder(work / case / "data", history.zips(work, FRACTION))
    measured = measure(code, str(data), *map(str, arguments))
    note = ""
    if arguments:
        told = json.loads(measured.stdout.splitlines()[-1])
        note = (
            f"{told['wall']:.0f} s from the first request to the last result, {told['runs']} runs,"
            f" {told['busy'] / told['wall']:.2f} at once; {told['start']:.0f} s before"
        )
        if results(data) != results(work / "in one process" / "data"):
            raise AssertionError(f"{case}: results differ from those of one process")
    size = written_mb(*(data / asset for asset in GRAPH))
    return Result("cluster", case, measured, size, note=note)
