"""The files beside the package say nothing that is not so."""

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml

from backblaze_assets_tests.real_data import REPOSITORY

JUST = Path(sys.executable).with_name("just")

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / "Justfile").is_file(), reason="the tests are not run in a checkout"
)


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def verbs() -> set[str]:
    command = [JUST, "--justfile", REPOSITORY / "Justfile", "--summary"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", [".ci/run", ".github/workflows/ci.yml", "CONTRIBUTING.md"])
def test_the_verbs_that_are_called_exist(name):
    called = re.findall(r"(?:^ *|run: |`|bin/)just ([^`#\n]+)", text(name), re.MULTILINE)
    words = {word for call in called for word in call.split()[:2]}
    found = {word for word in words if re.fullmatch(r"[a-z]+", word)} - {"import"}
    assert found
    assert found <= verbs()


def test_ci_is_a_script_of_bash():
    subprocess.run(["bash", "-n", REPOSITORY / ".ci" / "run"], check=True)


def test_ci_and_the_workflow_know_the_pythons_of_the_package():
    bounds = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', text("pyproject.toml"))
    assert bounds
    versions = [f"3.{minor}" for minor in range(int(bounds[1]), int(bounds[2]))]
    workflow = yaml.safe_load(text(".github/workflows/ci.yml"))
    assert workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == versions
    assert f"for version in {' '.join(reversed(versions))}; do" in text(".ci/run")


def test_the_map_names_every_room_of_the_package():
    block = text("CONTRIBUTING.md").partition("```text\n")[2].partition("```")[0]
    named = set(re.findall(r"^ {4}(\S+)", block, re.MULTILINE))
    package = REPOSITORY / "backblaze_assets"
    folders = {f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    assert folders | modules <= named


def test_the_lock_has_exact_versions_with_hashes_and_no_address():
    lock = text("requirements.lock")
    assert "://" not in lock
    pin = r"^([a-z0-9._-]+)(?:\[[a-z0-9,]+\])?==\S+.*?\n((?:    --hash=.*\n)+)"
    pins = re.findall(pin, lock, re.MULTILINE)
    assert len(pins) == sum("==" in line and line[0].isalpha() for line in lock.splitlines())
    assert all(hashes.count("sha256:") for _, hashes in pins)
    project = tomllib.loads(text("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.match(r"[a-z-]+", each)[0] for each in wanted} - {project["name"]}
    assert names <= {name for name, _ in pins}
