# SPDX-License-Identifier: Apache-2.0
"""sendmail, mailq and postrider-drop as programs and people call them, by table; mostly in the sandbox."""
import re

from support.fake_smtp import FakeSmtp
from support.system import free_port, wait_for

EMPTY = "Mail queue is empty\n"
TERMINAL = "\x1b]0;evil\x07 \x1b[2J \udcff\x9b31m caf\u00e9"  # escapes, no UTF-8, a C1 control, and what is harmless


def is_fit_for_a_terminal(data):
    text = data.decode("utf-8")  # nothing else may be there
    return not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


# ---- what others wrote


def test_nothing_that_others_wrote_commands_the_terminal(postrider_with):
    port = free_port()
    system = postrider_with({"relay.host": f"[127.0.0.1]:{port}"})
    with FakeSmtp(port=port, replies={"RCPT": f"450 4.2.0 later {TERMINAL}"}):
        system.sendmail("user1", "-f", "j\u00f6rg@far.example", "m\u00fcller@far.example")
        wait_for(lambda: "4.2.0" in system.mailq(), "the answer in mailq")
    ident = system.mailq().splitlines()[1].split()[0].rstrip("*!#")
    for words in (["mailq"], ["postqueue", "-p"], ["postrider", "queue", "list"], ["postrider", "queue", "show", ident],
                  ["postrider", "queue", "why"], ["postrider", "trace", ident]):
        shown = system.run("root", words, text=False, stdin=b"").stdout
        assert is_fit_for_a_terminal(shown), f"{words}: {shown}"
        assert b"later" in shown and "m\u00fcller".encode() in shown and "caf\u00e9".encode() in shown, words


def test_a_complaint_about_a_header_commands_no_terminal(sandbox):
    done = sandbox.run("user1", ["sendmail", "-t"], stdin=b"To: <\x1b[2Ja\xff\n\n", text=False, check=False)
    assert done.returncode == 65 and b"header" in done.stderr and is_fit_for_a_terminal(done.stderr)


# ---- postrider-drop


def test_drop_of_nothing_leaves_nothing(sandbox):
    sandbox.stop()
    done = sandbox.run("user1", ["postrider-drop"], check=False)
    assert done.returncode == 65 and "sendmail(8)" in done.stderr
    assert not list((sandbox.dir / "spool/drop").iterdir())
