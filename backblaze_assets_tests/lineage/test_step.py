"""What a step does around the work of its asset."""

from dataclasses import dataclass, replace

import pytest

from backblaze_assets.lineage import step
from backblaze_assets.work.locks import one_at_a_time
from backblaze_assets_tests.project import Q2, Brief, new_project, write_fleet
from backblaze_assets_tests.work.test_locks import held_elsewhere


@dataclass(frozen=True)
class Divided(Brief):
    """A data folder whose work is divided among runs of about a quarter."""

    days_per_run: int | None = 91


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "lock"), [(Brief, "import"), (Divided, f"import-{Q2}")])
def test_a_step_waits_for_another_process_at_work_in_its_pool(tmp_path, monkeypatch, kind, lock):
    with new_project(tmp_path / "data") as project:
        write_fleet(project.root)
        project = replace(project, kind=kind)
        with held_elsewhere(project.data.locks, lock) as other:
            waited = []

            def watched(folder, name, wait):
                def waits():
                    waited.append(name)
                    wait()
                    other.kill()

                return one_at_a_time(folder, name, waits)

            monkeypatch.setattr(step, "one_at_a_time", watched)
            assert project.run("raw_quarter", first=Q2).success
        assert waited == [lock]
