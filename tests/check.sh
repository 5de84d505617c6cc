#!/bin/sh
# The one gate: format, lint, types, tests. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
export GRADIO_ANALYTICS_ENABLED=False HF_HUB_OFFLINE=1 OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1
ruff format --check .
ruff check .
mypy
processes=$(($(getconf _NPROCESSORS_ONLN) + 2)) # two more than cores: two of them run browsers, and wait in between
python -m pytest -n "$((processes < 6 ? processes : 6))" --dist loadgroup "$@"
