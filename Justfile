# The verbs of development; `just` alone lists them. CI and the workflow on GitHub call the same.
# Another environment: `just venv=.venv-3.13 portable`.

venv := ".venv"
bin := venv / "bin"
tests := "backblaze_assets_tests"

# List the verbs
_default:
    @{{ just_executable() }} --list --unsorted

# Make the virtual environment, with all tools
install:
    python3 -m venv --upgrade-deps {{ venv }}
    {{ bin }}/pip install -q -e '.[dev]'

# What must pass before a commit
check: lint types test

# Rules of style, and the format
lint:
    {{ bin }}/ruff check .
    {{ bin }}/ruff format --check .

# Put files into the format, and mend what can be mended
format:
    {{ bin }}/ruff check --fix .
    {{ bin }}/ruff format .

# Types
types:
    {{ bin }}/mypy

# Fast tests; takes arguments of pytest
test *arguments:
    {{ bin }}/pytest {{ arguments }}

# Slow tests: daemons, kills, whole years. They often wait, hence more of them than cores
slow *arguments:
    {{ bin }}/pytest -m slow -n 3 --no-loadscope-reorder {{ arguments }}

# What another Python might break: files, processes, zips, compiled functions, and the whole chain
portable:
    {{ bin }}/pytest {{ tests }}/files {{ tests }}/work {{ tests }}/assets/test_assets.py \
        {{ tests }}/drive_stats/test_archive.py {{ tests }}/drive_stats/test_fields.py

# All of CI
ci:
    .ci/run

# How many small changes to the code the tests notice; takes arguments such as `--max 100 --workers 2`
mutation *arguments:
    {{ bin }}/python -m backblaze_assets_tests.mutation {{ arguments }}

# Known weaknesses of what requirements.lock names; asks the package registry
audit:
    {{ bin }}/pip install -q pip-audit
    {{ bin }}/pip-audit --progress-spinner off --disable-pip --require-hashes -r requirements.lock

# Write requirements.lock anew: the newest versions with their hashes, for all Pythons and systems
lock:
    {{ bin }}/pip install -q uv
    mkdir -p build
    grep '^#' requirements.lock >build/lock.txt
    {{ bin }}/uv pip compile -q pyproject.toml --extra dev --universal --python-version 3.11 \
        --generate-hashes --no-strip-extras --no-annotate --no-header >>build/lock.txt
    mv build/lock.txt requirements.lock

# Benchmarks, all or by name
bench *names:
    {{ bin }}/python -m backblaze_assets_tests.benchmarks {{ names }}

# The Dagster UI and daemon
dev:
    {{ bin }}/backblaze-assets dev

# A small made-up fleet, and everything from it
demo:
    {{ bin }}/backblaze-assets demo
