# SPDX-License-Identifier: Apache-2.0
"""A sample of the crash table: each place that changes files, each fault; `make crash` runs all of each."""
import os
from pathlib import Path

import pytest
from daemon_driver import run_daemon
from matrix import Matrix, differences, run_spool
from support.system import build_dir

JOBS = 4  # they mostly wait
SEED = int(os.environ.get("POSTRIDER_CRASH_SEED", "5").partition(".")[0])


def builds():
    return build_dir().parent


def judge(matrix, driver):
    assert not matrix.failures, "\n".join(matrix.failures[:20])
    assert not matrix.never_tried()
    assert not differences(matrix, driver), "\n".join(differences(matrix, driver))


def test_every_place_of_the_spool():
    if not Path(builds() / "asan/tests/crash/crash_spool").exists():
        pytest.skip("functions are named by the debug information of build/asan, which is not there")
    matrix = Matrix()
    run_spool(matrix, builds(), True, SEED, JOBS)
    judge(matrix, "spool")
    assert len(matrix.sites) > 15
    assert not matrix.never_struck()


def test_every_place_of_a_mail_system():
    matrix = Matrix()
    run_daemon(matrix, True, SEED, JOBS)
    judge(matrix, "daemon")
    roles = {site.who for site in matrix.sites}
    assert {"queue", "local: worker", "local: errand", "postrider-drop", "newaliases"} <= roles
    # A life may take another course than the recorded one; most do not.
    assert len(matrix.never_struck()) < len(matrix.sites) / 4, matrix.never_struck()
