"""What lies in `deploy/` fits together, and the package; it is not run in containers here."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery.app.defaults import DEFAULTS
from dagster._core.instance.config import dagster_instance_config

from backblaze_assets.settings import Settings
from backblaze_assets_tests.real_data import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
IMAGE = "backblaze-assets"

pytestmark = pytest.mark.skipif(not DEPLOY.is_dir(), reason="the tests are not run in a checkout")


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(text("compose.yaml"))["services"])


def manifests() -> list[dict[str, Any]]:
    return [it for it in yaml.safe_load_all(text("kubernetes.yaml")) if it]


def manifest(kind: str, name: str) -> dict[str, Any]:
    (found,) = [it for it in manifests() if it["kind"] == kind and it["metadata"]["name"] == name]
    return found


def pods() -> list[dict[str, Any]]:
    return [it for it in manifests() if "template" in it.get("spec", {})]


def commands() -> list[list[str]]:
    """What is run in containers of the image."""
    found = [it["command"] for it in services().values() if it["image"] == IMAGE]
    containers = [c for it in pods() for c in it["spec"]["template"]["spec"]["containers"]]
    return found + [it["command"] for it in containers if it["image"] == IMAGE]


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with what follows them."""
    whole = re.sub(r"\\\n", " ", text("Dockerfile"))
    lines = [line for line in whole.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def variables_needed() -> set[str]:
    """Variables without which the settings of Dagster or Celery cannot be read."""
    of_dagster = set(re.findall(r"\{env: (\w+)\}", text("dagster.yaml")))
    of_celery = set(re.findall(r'os\.environ\["(\w+)"\]', text("dagster_celery_config.py")))
    return of_dagster | of_celery


def test_dagster_takes_its_settings():
    found, _ = dagster_instance_config(str(DEPLOY))
    assert found["run_retries"]["enabled"]
    assert found["run_monitoring"]["enabled"]
    # Else a lost worker is noticed late: DESIGN says within a minute.
    assert found["run_monitoring"]["poll_interval_seconds"] <= 30


def test_celery_knows_the_names_of_its_settings():
    names = re.findall(r"^(\w+) =", text("dagster_celery_config.py"), re.MULTILINE)
    assert len(names) >= 4
    assert set(names) <= set(DEFAULTS)
    assert not {"task_acks_late", "task_reject_on_worker_lost"} & set(names)


def test_every_service_gets_the_variables_it_needs():
    needed = variables_needed() | {"BACKBLAZE_DATA", "BACKBLAZE_DAYS_PER_RUN"}
    own = [it for it in services().values() if it["image"] == IMAGE]
    assert len(own) == 3
    assert all(needed <= set(it["environment"]) for it in own)
    given = set(manifest("ConfigMap", "cluster")["data"])
    given |= set(re.findall(r"--from-literal=(\w+)=", text("kubernetes.yaml")))
    assert needed <= given
    for name in ("webserver", "daemon", "worker"):
        (container,) = manifest("Deployment", name)["spec"]["template"]["spec"]["containers"]
        assert container["envFrom"] == [
            {"configMapRef": {"name": "cluster"}},
            {"secretRef": {"name": "cluster"}},
        ]


def test_variables_of_this_project_are_its_settings():
    known = set(re.findall(r"BACKBLAZE_\w+", str(Settings.__doc__))) | variables_needed()
    files = ("compose.yaml", "kubernetes.yaml", "Dockerfile", "README.md")
    named = {name for file in files for name in re.findall(r"BACKBLAZE_[A-Z_]+", text(file))}
    assert named <= known


@pytest.mark.slow
def test_programs_take_the_options_that_they_are_given():
    ways = {"celery": ["worker"], "dagster-webserver": [], "dagster-daemon": ["run"]}
    wanted: dict[str, set[str]] = {}
    for program, *arguments in commands():
        options = {it for it in arguments if it.startswith("--")}
        wanted.setdefault(program, set()).update(options - {"--app"})  # of celery itself
    assert set(wanted) == set(ways)
    for program, options in wanted.items():
        own = ["--app", "dagster_celery.app"] if program == "celery" else []
        command = [Path(sys.executable).with_name(program), *own, *ways[program], "--help"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert options
        assert not [it for it in options if it not in said]


def test_manifests_name_what_there_is():
    kinds = {it["kind"]: it["apiVersion"] for it in manifests()}
    assert kinds == {
        "ConfigMap": "v1",
        "Service": "v1",
        "StatefulSet": "apps/v1",
        "Deployment": "apps/v1",
    }
    for it in pods():
        name = it["metadata"]["name"]
        spec, labels = it["spec"]["template"]["spec"], it["spec"]["template"]["metadata"]["labels"]
        assert it["spec"]["selector"]["matchLabels"] == labels == {"app": name}
        volumes = {each["name"] for each in spec.get("volumes", ())}
        volumes |= {each["metadata"]["name"] for each in it["spec"].get("volumeClaimTemplates", ())}
        mounted = {each["name"] for c in spec["containers"] for each in c.get("volumeMounts", ())}
        assert mounted == volumes, name
    for service in (it for it in manifests() if it["kind"] == "Service"):
        assert service["spec"]["selector"]["app"] in {it["metadata"]["name"] for it in pods()}
    workers = manifest("Deployment", "worker")["spec"]["replicas"]
    settings = yaml.safe_load(text("dagster.yaml"))
    assert settings["concurrency"]["runs"]["max_concurrent_runs"] == workers
    assert f"WORKERS:-{workers}" in text("compose.yaml")


def test_volumes_and_services_of_compose_are_declared():
    whole = yaml.safe_load(text("compose.yaml"))
    named = {
        volume.partition(":")[0]
        for service in services().values()
        for volume in service.get("volumes", ())
        if re.match(r"\w+:", volume)
    }
    assert named == set(whole["volumes"])
    wanted = {name for it in services().values() for name in it.get("depends_on", ())}
    assert wanted == {"postgres", "redis"}
    assert all("healthcheck" in services()[name] for name in wanted)
    ports = [port for it in services().values() for port in it.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_dockerfile_copies_what_there_is_and_runs_as_nobody_special():
    found = instructions()
    names = [name for name, _ in found]
    assert names[0] == "FROM"
    assert set(names) <= {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "CMD"}
    tag = found[0][1].rpartition(":")[2]
    assert tag.startswith("3.")
    for source in (it for name, rest in found if name == "COPY" for it in rest.split()[:-1]):
        assert (REPOSITORY / source).exists(), source
    users = [rest for name, rest in found if name == "USER"]
    assert users
    assert "root" not in users
    assert not re.search(r"PASSWORD|SECRET|TOKEN", text("Dockerfile"))
    pips = [rest for name, rest in found if name == "RUN" and "pip install" in rest]
    assert all({"--require-hashes", "--no-deps"} & set(shlex.split(rest)) for rest in pips)
    # What the package is built from is there when it is.
    copied = " ".join(rest for name, rest in found if name == "COPY")
    assert all(it in copied for it in ("pyproject.toml", "README.md", "dagster.yaml", "LICENSE"))


def test_no_file_has_a_secret_of_its_own():
    for name in ("compose.yaml", "Dockerfile", "dagster.yaml"):
        assert not re.search(r"(PASSWORD|SECRET\w*|postgres_url):? ?= ?[a-z0-9]{4}", text(name))
