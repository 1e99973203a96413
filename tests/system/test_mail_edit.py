# SPDX-License-Identifier: Apache-2.0
"""mail(1) at a terminal that can edit: Tab completes commands, files and addresses, and history comes back."""
import fcntl
import struct
import termios

import pytest
from mail_command import Mail, message


@pytest.fixture
def terminal(tmp_path):
    mail = Mail(tmp_path)
    mail.mailbox.write_text(message(1) + message(2))
    (mail.home / "letters").write_text("")
    (mail.home / "lists").mkdir()
    (mail.home / ".mailrc").write_text("alias family mother@example.org father@example.org\n")
    terminal = mail.terminal(TERM="vt100")
    terminal.mail = mail
    terminal.expect("& ")
    yield terminal
    mail.close()


def test_a_command_is_completed(terminal):
    terminal.line("undel\t1")  # one choice: a blank follows
    terminal.expect("1: Inappropriate message")
    terminal.expect("& ")


def test_choices_are_shown(terminal):
    terminal.type("copy 1 l\t")
    terminal.expect("letters  lists/")
    terminal.line("et\t")
    terminal.expect('"letters" [Appended]')


def test_addresses_are_completed_and_tab_is_a_tab_in_a_text(terminal):
    terminal.line("mail fam\t")
    terminal.expect("Subject: ")
    terminal.line("a")
    terminal.type("a\tb\n~@let\t\n.\n")
    terminal.expect("EOT")
    terminal.expect("& ")
    terminal.line("x")
    assert terminal.end() == 0, terminal.all
    [sent] = terminal.mail.sent()
    assert sent.addresses == ["mother@example.org", "father@example.org"]
    assert sent.message.get_body().get_content() == "a\tb\n" and "letters" in sent.text


def test_nothing_fits(terminal):
    terminal.line("mail nobod\t@example.org")
    terminal.expect("\a")
    terminal.expect("nobod")
    terminal.expect("@example.org")


def test_a_line_comes_back(terminal):
    terminal.line("echo first")
    terminal.expect("\nfirst\n")
    terminal.type("\x10")  # ^P
    terminal.expect("echo first")
    terminal.line(" again")
    terminal.expect("\nfirst again\n")


def test_another_window_size_in_the_middle_of_a_line(terminal):
    terminal.type("echo before")
    terminal.expect("echo before")
    fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    terminal.line(" after")
    terminal.expect("\nbefore after\n")
    terminal.expect("& ")  # before it the terminal echoes by itself
    terminal.line("from 1")
    terminal.expect("from 1\n")
    row = terminal.expect("& ").split("\n")[-2]
    assert row.startswith(">") and "author1@example.org" in row and "subject" not in row, row
