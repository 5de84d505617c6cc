"""The gate itself: how tests/check.sh shares the tests out."""

import pytest


def test_a_file_stays_in_one_process(request):
    """Else every process opens a browser, and makes anew what a file's tests share (see conftest.py)."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("one process runs all: `sh tests/check.sh` is the gate")
    assert request.node.nodeid.endswith("@test_gate")
