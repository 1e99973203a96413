# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the system tests: a running mail system in sandbox mode, as a host of its own, or in both forms.

sandbox, host: started. mail_system: each test runs in both forms. postrider_with(settings): a sandbox with those.
"""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from support.system import Host, Sandbox, install_stage, is_sanitized, settings_of, why_no_host  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitize: also run with binaries under ASan and UBSan")
    config.addinivalue_line("markers", "setgid: as a host not with those; LeakSanitizer fails in a setgid program")


def pytest_collection_modifyitems(config, items):
    if not is_sanitized():
        return
    gone = [item for item in items if item.get_closest_marker("setgid") and "[host]" in item.name]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the daemon said."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for system in getattr(item, "mail_systems", []):
            if system.is_open:
                report.sections.append(("log", system.log()))
                report.sections.append(("standard error of postriderd", system.stderr()))


class Keeper:
    """Closes what a test opened, and looks for errors that it did not announce."""

    def __init__(self, node):
        self.node = node
        self.systems = node.mail_systems = []

    def add(self, system):
        system.is_open = True
        self.systems.append(system)
        return system

    def close(self):
        problems = []
        for system in self.systems:
            try:
                system.stop()
            except Exception as problem:  # the others are to be closed too
                problems.append(f"stop: {problem}")
            problems += system.unexpected_errors()
            system.is_open = False
            system.close()
        assert not problems, "\n".join(problems)


@pytest.fixture
def keeper(request):
    keeper = Keeper(request.node)
    yield keeper
    keeper.close()


@pytest.fixture(scope="session")
def host_stage(tmp_path_factory):
    why = why_no_host()
    if why:
        pytest.skip(f"system mode: {why}")
    return install_stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def bare_host(keeper, host_stage):
    """Installed, but not set up."""
    return keeper.add(Host(host_stage, setup=False))


@pytest.fixture
def host(keeper, host_stage):
    system = keeper.add(Host(host_stage))
    system.start()
    return system


@pytest.fixture
def sandbox(keeper):
    system = keeper.add(Sandbox())
    system.start()
    return system


@pytest.fixture(params=["sandbox", "host"])
def mail_system(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def postrider_with(keeper):
    """A sandbox with further settings, {"section.name": value} or text as in the file; started."""
    def start(settings=None):
        system = keeper.add(Sandbox())
        system.configure(settings_of(settings) if isinstance(settings, str) else settings)
        system.start()
        return system
    return start
