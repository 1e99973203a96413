# SPDX-License-Identifier: Apache-2.0
"""Hosts with Postrider and with Debian's packages, and mailboxes looked at after each program has sent its mail."""
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]
from packages import Unavailable, unpacked  # noqa: E402
from support.system import Host, wait_for  # noqa: E402
from system.conftest import *  # noqa: E402, F401, F403

EMPTY = "Mail queue is empty\n"


@pytest.fixture(scope="session")
def packages(host_stage):
    try:
        return unpacked()
    except Unavailable as why:
        pytest.skip(f"Debian's packages cannot be had here: {why}")


class Neighbourhood(Host):
    """A host on which other packages are, unpacked but not installed."""

    def wait_empty(self):
        wait_for(lambda: self.mailq() == EMPTY, "an empty queue")

    def mail_of(self, user, n=1):
        """The user's mails, when all mail has come to its end; exactly so many."""
        if n:
            self.wait_messages(user, n)
        self.wait_empty()
        messages = self.messages(user)
        assert len(messages) == n, [message.as_string() for message in messages]
        return messages

    def use(self, settings):
        self.configure(settings)
        self.restart()


@pytest.fixture
def town(keeper, host_stage, packages):
    system = keeper.add(Neighbourhood(host_stage, packages))
    system.start()
    return system
