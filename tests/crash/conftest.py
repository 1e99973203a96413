# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the system tests, for tests that kill."""
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]
from support.system import Sandbox  # noqa: E402
from system.conftest import *  # noqa: E402, F401, F403


def pytest_terminal_summary(terminalreporter):
    """What each batch did, also when all went well."""
    for report in terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", []):
        for name, text in report.user_properties:
            if name == "crash":
                terminalreporter.write_line(text)


@pytest.fixture
def bare_sandbox(keeper):
    """Not yet started."""
    return keeper.add(Sandbox())
