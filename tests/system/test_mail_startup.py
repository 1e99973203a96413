# SPDX-License-Identifier: Apache-2.0
"""mail(1) starts: system file, ~/.mailrc, -S, conditions, files inside files, mistakes told with file and line."""
import pytest
from mail_command import Mail, message


@pytest.fixture
def mail(tmp_path):
    mail = Mail(tmp_path)
    mail.mailbox.write_text(message(1))
    yield mail
    mail.close()


def echo(mail, rc, *words, stdin="x\n", **env):
    (mail.home / ".mailrc").write_text(rc)
    done = mail.run("-N", "-S", "quiet", *words, stdin=stdin, **env)
    return done.out.split('"' + str(mail.mailbox))[0], done.err


def variable(mail, name, *words, rc="", system=None, **env):
    if system is not None:
        (mail.sandbox / "etc" / "mail.rc").write_text(system)
    (mail.home / ".mailrc").write_text(rc)
    out = mail.run("-N", *words, stdin="set\nx\n", **env).out
    for line in out.splitlines():
        if line == name or line.startswith(name + "="):
            return line[len(name) + 1:].strip('"')
    return None


def test_order_of_the_files(mail):
    assert variable(mail, "indentprefix") == "> "  # the built-in copy of the shipped file
    assert variable(mail, "indentprefix", "-n") == "\t"  # POSIX
    assert variable(mail, "indentprefix", system="set indentprefix=sys\n") == "sys"
    assert variable(mail, "indentprefix", system="set indentprefix=sys\n", rc="set indentprefix=own\n") == "own"
    assert variable(mail, "indentprefix", "-n", system="set indentprefix=sys\n", rc="set indentprefix=own\n") == "own"
    assert variable(mail, "indentprefix", "-S", "indentprefix=opt", rc="set indentprefix=own\n") == "opt"
    assert variable(mail, "hold", "-S", "nohold", system="") is None
    (mail.home / "other").write_text("set indentprefix=other\n")
    assert variable(mail, "indentprefix", rc="set indentprefix=own\n", MAILRC=str(mail.home / "other")) == "other"


def test_only_some_of_the_environment(mail):
    assert variable(mail, "EDITOR", EDITOR="my editor") == "my editor"
    assert variable(mail, "EDITOR", rc="set EDITOR=own\n", EDITOR="env") == "own"
    assert variable(mail, "sendmail", sendmail="/tmp/evil") is None
    assert variable(mail, "prompt", POSIXLY_CORRECT="1") == "? "


@pytest.mark.parametrize("rc, value", [
    ("set indentprefix=a\n", "a"), ('set indentprefix="a b"\n', "a b"), ("set indentprefix='a b'\n", "a b"),
    ("set indentprefix=a\\ b\n", "a b"), ("set \\\nindentprefix=a\\\nb\n", "ab"), ("set indentprefix=a noindentprefix\n", None),
    ("set indentprefix=a\nunset indentprefix\n", None), ("# set indentprefix=x\nset indentprefix=a\n", "a"),
    ("   set indentprefix=a  \n", "a"), ("set indentprefix=a", "a"), ("set indentprefix=\n", ""),
    ("if r\nset indentprefix=r\nelse\nset indentprefix=s\nendif\n", "r"),
    ("if s\nset indentprefix=s\nelse\nset indentprefix=r\nendif\n", "r"),
    ("if t\nset indentprefix=tty\nelse\nset indentprefix=pipe\nendif\n", "pipe"),
    ("if r\nif s\nset indentprefix=no\nelse\nset indentprefix=yes\nendif\nendif\n", "yes"),
    ("if s\nif r\nset indentprefix=no\nendif\nfrobnicate\nset indentprefix=no\nelse\nset indentprefix=yes\nendif\n", "yes"),
])
def test_what_a_file_may_say(mail, rc, value):
    assert variable(mail, "indentprefix", rc=rc) == value


def test_sending_is_another_branch(mail):
    (mail.home / ".mailrc").write_text("if s\nset from=s@example.org\nelse\nset from=r@example.org\nendif\n")
    mail.run("root", stdin="x\n")
    assert mail.only_sent().message["From"] == "s@example.org"


@pytest.mark.parametrize("rc, line, said", [
    ("\nfrobnicate\n", 2, 'Unknown command: "frobnicate"'), ("set a\nset =b\n", 2, "no name"),
    ("else\n", 1, "`else' without `if'"), ("endif\n", 1, "`endif' without `if'"), ("if r\nelse\nelse\nendif\n", 3, "`else'"),
    ("if q\nendif\n", 1, "if"), ("set x\nif r\nset y\n", 3, "no `endif'"), ("set 'x\n", 1, "A quote has no end"),
    ("source missing\n", 1, "no such file"), ("p\n", 1, "while a folder is open"), ("set \\\na\nfrobnicate\n", 3, "Unknown"),
    ("quit now\n", 1, "folder"), ("source\n", 1, "source file"),
])
def test_mistakes_are_told_with_file_and_line(mail, rc, line, said):
    out, err = echo(mail, rc + ("\necho still here\n" if "no `endif'" not in said else ""))
    assert f"{mail.home}/.mailrc:{line}: " in err and said in err
    if "endif" not in said:
        assert "still here" in out


def test_files_inside_files(mail):
    (mail.home / "inner").write_text("set indentprefix=inner\nnonsense\n")
    out, err = echo(mail, "source inner\necho outer\nmore nonsense\n")
    assert "outer" in out
    assert "inner:2: " in err and ".mailrc:3: " in err


def test_a_file_that_sources_itself(mail):
    out, err = echo(mail, "source ~/.mailrc\necho end\n")
    assert err.count("more than 16 files inside each other") == 1
    assert out.count("end\n") == 16


def test_binary_rubbish(mail):
    (mail.home / ".mailrc").write_bytes(bytes(range(256)) * 20)
    assert mail.run("-e").returncode == 0


def test_commands_around_the_start(mail):
    out, _ = echo(mail, "echo file\n", "-X", "echo before", "-Y", "echo after")
    assert out == "before\nfile\nafter\n"


def test_lists_and_names(mail):
    out, err = echo(mail, "alias a b c\nalias a d\nalias\nalias a\nunalias a\nalias a\nalternates x y\nalternates\n"
                          "ignore foo\nretain bar\nretain\n")
    assert out == "a\tb c d\na\tb c d\nx\ny\nbar\n"
    assert '"a" is no alias' in err
