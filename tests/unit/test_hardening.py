# SPDX-License-Identifier: Apache-2.0
"""The hardening flags of meson.build are in the binaries that are installed."""
import os
import re
import subprocess

import pytest

BUILD = os.environ["POSTRIDER_BUILD"]
PROGRAMS = ["src/supervisor/postriderd", "src/sendmail/sendmail", "src/sendmail/postrider-drop", "src/mailx/mail",
            "src/control/postrider"]


def readelf(program, *options):
    return subprocess.run(["readelf", "-W", *options, os.path.join(BUILD, program)], text=True, capture_output=True,
                          check=True).stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_position_independent(program):
    assert re.search(r"Type:\s+DYN", readelf(program, "-h"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_relocations_are_read_only_before_main(program):
    assert "GNU_RELRO" in readelf(program, "-l")
    assert re.search(r"FLAGS.*\bNOW\b|BIND_NOW", readelf(program, "-d"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_stack_is_not_executable(program):
    stack = re.search(r"GNU_STACK.*", readelf(program, "-l")).group(0)
    assert re.search(r"\sRW\s", stack) and "RWE" not in stack


@pytest.mark.parametrize("program", PROGRAMS)
def test_stack_protector_and_fortified_calls(program):
    symbols = readelf(program, "--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", ""))


def test_the_setgid_program_is_small():
    source = os.path.join(os.path.dirname(__file__), "..", "..", "src", "sendmail", "postrider-drop.c")
    with open(source, encoding="utf-8") as opened:
        assert len(opened.readlines()) < 300
