"""The demo's fleet on a cluster on this machine, by one worker and by two, and in one process.

Everything is on the same cores, so two workers can be no faster than these allow; what a cluster
costs beside the work (processes, queues, ticks of the sensor) shows against one process. The last
column says how many runs were at work at once, on the average over the whole time.
"""

import json
import shutil
from datetime import date
from pathlib import Path

from backblaze_assets.drive_stats.demo import write_zips
from backblaze_assets.graph import GRAPH
from backblaze_assets_tests.benchmarks.harness import Result, measure, written_mb
from backblaze_assets_tests.servers import installed

LAST = date(2014, 12, 31)

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
data, workers = Path(sys.argv[1]), int(sys.argv[2])
folder = data.with_name(f"cluster of {workers}")
folder.mkdir()
with cluster(folder, data, workers=workers, BACKBLAZE_DAYS_PER_RUN=91) as running:
    begun = time.time()
    wait_until(lambda: running.is_idle() and is_whole(data, running.instance), 3600, pause=2)
    records = running.instance.get_run_records()
    spans = [(it.start_time, it.end_time) for it in records]
    busy = sum(end - start for start, end in spans)
    first = min(it.create_timestamp.timestamp() for it in records)
    last = max(end for _, end in spans)
print(json.dumps({"runs": len(spans), "busy": busy, "wall": last - first, "start": first - begun}))
"""


def run(work: Path) -> list[Result]:
    zips = work / "cluster zips"
    zips.mkdir(exist_ok=True)
    write_zips(zips, last=LAST)
    found = [_result(work, zips, "in one process", ALONE, 0)]
    if installed("initdb") and installed("redis-server"):
        found += [_result(work, zips, f"{n} workers", TOGETHER, n) for n in (1, 2)]
    return found


def _result(work: Path, zips: Path, case: str, code: str, workers: int) -> Result:
    data = work / f"with {workers} workers" / "data"
    shutil.rmtree(data.parent, ignore_errors=True)
    shutil.copytree(zips, data)
    measured = measure(code, str(data), str(workers))
    note = ""
    if workers:
        told = json.loads(measured.stdout.splitlines()[-1])
        note = (
            f"{told['wall']:.0f} s from the first request to the last result, {told['runs']} runs,"
            f" {told['busy'] / told['wall']:.2f} at once; {told['start']:.0f} s before"
        )
    size = written_mb(*(data / asset for asset in GRAPH))
    return Result("cluster", case, measured, size, note=note)
