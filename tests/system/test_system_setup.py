# SPDX-License-Identifier: Apache-2.0
"""postrider setup: what it makes, what it leaves alone, and that it can be taken back."""
import stat

import pytest

from support.system import HOST_NAME

ROLE_USERS = ["postrider", "postsmtpd", "postlook", "postsmtp", "postlog"]
LINKS = {"/usr/sbin/sendmail": "sendmail", "/usr/lib/sendmail": "sendmail", "/usr/bin/mailq": "mailq",
         "/usr/bin/newaliases": "newaliases", "/usr/sbin/postqueue": "postqueue", "/usr/sbin/postsuper": "postsuper",
         "/usr/sbin/postalias": "postalias", "/usr/sbin/praliases": "praliases"}
PACKAGE = """
Package: fakemta
Status: install ok installed
Maintainer: Nobody <nobody@localhost>
Architecture: all
Version: 1
Description: another mail system
"""


def package(host, *paths):
    """Another package's files, known to dpkg."""
    with open(host.path("/var/lib/dpkg/status"), "a", encoding="utf-8") as status:
        status.write(PACKAGE)
    host.path("/var/lib/dpkg/info/fakemta.list").write_text("".join(f"{p}\n" for p in ["/.", *paths]))
    for name in paths:
        host.path(name).write_text("#!/bin/sh\necho other\n")
        host.path(name).chmod(0o755)


def owner_and_mode(host, name):
    return host.run("root", ["stat", "-c", "%U:%G %a", name]).stdout.strip()


def snapshot(host):
    """Names, owners, modes, times and link targets of everything that setup may touch, of what is there."""
    places = ["/etc", "/usr/sbin", "/usr/bin", "/usr/lib/sendmail", "/usr/lib/postrider", "/var/spool", "/var/mail",
              "/var/log", "/var/lib/postrider", "/var/lib/dpkg/alternatives", "/var/lib/dpkg/diversions",
              "/run/postrider"]
    found = host.run("root", ["find", *places, "-printf", "%p %u %g %m %s %T@ %l\n"], check=False)
    assert all("No such file" in line for line in found.stderr.splitlines()), found.stderr
    return set(found.stdout.splitlines())


def test_setup_makes_what_mail_needs(bare_host):
    said = bare_host.postrider("setup").stdout
    assert "Postrider is the mail system of this host now." in said and "Start it: " in said
    for user in ROLE_USERS:
        entry = bare_host.run("root", ["getent", "passwd", user]).stdout.strip().split(":")
        assert 0 < int(entry[2]) < 1000 and entry[5:] == ["/nonexistent", "/usr/sbin/nologin"]
        assert bare_host.run("root", ["id", "-Gn", user]).stdout.split() == [user]
    uids = {bare_host.run("root", ["id", "-u", user]).stdout for user in ROLE_USERS}
    assert len(uids) == len(ROLE_USERS)
    for name, wanted in {"/var/spool/postrider": "postrider:postrider 711",
                         "/var/spool/postrider/drop": "postrider:postdrop 1770",
                         "/run/postrider": "root:root 755", "/run/postrider/empty": "root:root 755",
                         "/var/lib/postrider": "root:root 755", "/var/log/postrider.log": "postlog:adm 640",
                         "/usr/sbin/postrider-drop": "root:postdrop 2755",
                         "/etc/postrider/postrider.conf": "root:root 644", "/etc/aliases": "root:root 644"}.items():
        assert owner_and_mode(bare_host, name) == wanted, name
    for name, program in LINKS.items():
        assert str(bare_host.path(name).readlink()) == f"/usr/lib/postrider/bin/{program}"
    assert bare_host.path("/etc/aliases.db").exists()


def test_the_first_configuration_is_all_defaults(bare_host):
    bare_host.postrider("setup")
    assert "no mistakes" in bare_host.postrider("config", "check").stdout
    text = bare_host.path(bare_host.config_file).read_text()
    assert "\n[smtpd]\n" in text and "\n#listen = 0.0.0.0:25 [::]:25\n" in text
    # Nothing is set: with every comment taken away, the same file says the same.
    assert not [line for line in text.splitlines() if line and line[0] not in "#["]
    bare_host.write(bare_host.config_file, "".join(
        f"{line[1:] if line.startswith('#') and not line.startswith('# ') else line}\n" for line in text.splitlines()))
    assert "no mistakes" in bare_host.postrider("config", "check").stdout


def test_a_host_that_was_set_up_delivers(bare_host):
    bare_host.postrider("setup")
    bare_host.start()
    bare_host.sendmail("user1", "postmaster")
    [got] = bare_host.wait_messages("root")
    assert got["Delivered-To"] == f"postmaster@{HOST_NAME}"


def test_a_second_run_changes_nothing_and_says_so(bare_host):
    bare_host.postrider("setup")
    before = snapshot(bare_host)
    said = bare_host.postrider("setup").stdout
    assert said.startswith("Nothing to change: Postrider is the mail system of this host.\n")
    assert snapshot(bare_host) ^ before == set()


def test_a_second_run_mends_what_was_changed(bare_host):
    bare_host.postrider("setup")
    bare_host.run("root", ["chmod", "0777", "/var/spool/postrider/drop"])
    bare_host.run("root", ["chmod", "0755", "/usr/sbin/postrider-drop"])
    bare_host.run("root", ["rm", "/usr/bin/mailq"])
    bare_host.postrider("setup")
    assert owner_and_mode(bare_host, "/var/spool/postrider/drop") == "postrider:postdrop 1770"
    assert owner_and_mode(bare_host, "/usr/sbin/postrider-drop") == "root:postdrop 2755"
    assert bare_host.path("/usr/bin/mailq").is_symlink()


def test_what_an_administrator_wrote_stays(bare_host):
    bare_host.path("/etc/aliases").write_text("root: payam\n")
    bare_host.path("/etc/postrider").mkdir()
    bare_host.path("/etc/postrider/postrider.conf").write_text("[queue]\nlifetime = 1d\n")
    bare_host.postrider("setup")
    assert bare_host.path("/etc/aliases").read_text() == "root: payam\n"
    assert bare_host.path("/etc/postrider/postrider.conf").read_text() == "[queue]\nlifetime = 1d\n"


def test_setup_refuses_while_a_package_owns_sendmail(bare_host):
    package(bare_host, "/usr/sbin/sendmail", "/usr/bin/mailq")
    before = snapshot(bare_host)
    done = bare_host.postrider("setup", check=False)
    assert done.returncode == 73
    assert "/usr/sbin/sendmail belongs to the package fakemta" in done.stderr
    assert "/usr/bin/mailq belongs to the package fakemta" in done.stderr
    assert "setup --replace" in done.stderr
    assert snapshot(bare_host) ^ before == set()
    assert bare_host.run("root", ["getent", "passwd", "postrider"], check=False).returncode != 0


def test_setup_refuses_a_sendmail_that_somebody_put_there(bare_host):
    bare_host.path("/usr/sbin/sendmail").write_text("#!/bin/sh\n")
    done = bare_host.postrider("setup", check=False)
    assert done.returncode == 73 and "/usr/sbin/sendmail is there already" in done.stderr


def test_replace_puts_the_other_aside_and_undo_brings_it_back(bare_host):
    package(bare_host, "/usr/sbin/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases")
    said = bare_host.postrider("setup", "--replace").stdout
    assert "The other mail system, fakemta, is still installed" in said
    for name, program in LINKS.items():
        assert str(bare_host.path(name).readlink()) == f"/usr/lib/postrider/bin/{program}"
    diverted = bare_host.run("root", ["dpkg-divert", "--list", "*before-postrider*"]).stdout
    assert "/usr/sbin/sendmail to /usr/sbin/sendmail.before-postrider" in diverted
    assert "Nothing to change" in bare_host.postrider("setup").stdout
    assert "Nothing to change" in bare_host.postrider("setup", "--replace").stdout
    bare_host.start()
    bare_host.sendmail("user1", "user2")
    bare_host.wait_messages("user2")
    bare_host.stop()

    said = bare_host.postrider("setup", "--undo").stdout
    assert "Left as they are: mailboxes, queued mail" in said
    for name in ["/usr/sbin/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases"]:
        assert bare_host.run("root", [name]).stdout == "other\n"
        assert not bare_host.path(name + ".before-postrider").exists()
    assert not bare_host.path("/usr/lib/sendmail").is_symlink()
    assert bare_host.run("root", ["dpkg-divert", "--list", "*before-postrider*"]).stdout == ""
    assert bare_host.messages("user2"), "mail stays"
    assert "Nothing to take back" in bare_host.postrider("setup", "--undo").stdout


def real(host, name):
    return host.run("root", ["realpath", name]).stdout.strip()


def test_mail_joins_the_alternatives(bare_host):
    other = bare_host.path("/usr/bin/other-mailx")
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    bare_host.run("root", ["update-alternatives", "--install", "/usr/bin/mailx", "mailx", "/usr/bin/other-mailx", "50",
                           "--slave", "/usr/bin/mail", "mail", "/usr/bin/other-mailx"])
    said = bare_host.postrider("setup").stdout
    assert "mail and mailx are another package's" in said
    assert real(bare_host, "/usr/bin/mail") == "/usr/bin/other-mailx"
    bare_host.postrider("setup", "--replace")
    assert real(bare_host, "/usr/bin/mail") == "/usr/lib/postrider/bin/mail"
    assert "Nothing to change" in bare_host.postrider("setup").stdout
    bare_host.postrider("setup", "--undo")
    assert real(bare_host, "/usr/bin/mailx") == real(bare_host, "/usr/bin/mail") == "/usr/bin/other-mailx"


def test_a_host_without_dpkg(bare_host):
    bare_host.run("root", ["rm", "/usr/bin/dpkg", "/usr/bin/dpkg-divert", "/usr/bin/update-alternatives"])
    for name in ["/usr/sbin/sendmail", "/usr/bin/mail"]:
        bare_host.path(name).write_text("#!/bin/sh\necho other\n")
        bare_host.path(name).chmod(0o755)
    done = bare_host.postrider("setup", check=False)
    assert done.returncode == 73 and "/usr/sbin/sendmail is there already" in done.stderr
    bare_host.postrider("setup", "--replace")
    for name in ["sbin/sendmail", "bin/mailq", "bin/mail", "bin/mailx"]:
        assert str(bare_host.path(f"/usr/{name}").readlink()).startswith("/usr/lib/postrider/bin/")
    assert "Nothing to change" in bare_host.postrider("setup").stdout
    bare_host.postrider("setup", "--undo")
    for name in ["/usr/sbin/sendmail", "/usr/bin/mail"]:
        assert bare_host.run("root", [name]).stdout == "other\n"
    assert not bare_host.path("/usr/bin/mailx").is_symlink() and not bare_host.path("/usr/bin/mailq").is_symlink()


def test_an_incomplete_installation_is_told(bare_host):
    bare_host.run("root", ["rm", "/usr/lib/postrider/bin/mailq"])
    done = bare_host.postrider("setup", check=False)
    assert done.returncode == 73
    assert "/usr/lib/postrider/bin/mailq: No such file or directory; `make install` puts it there" in done.stderr
    assert "--replace" not in done.stderr


def test_undo_removes_links_and_leaves_mail_alone(bare_host):
    bare_host.postrider("setup")
    bare_host.sendmail("user1", "user2")
    queued = list(bare_host.path("/var/spool/postrider/drop").iterdir())
    assert queued
    bare_host.postrider("setup", "--undo")
    for name in LINKS:
        assert not bare_host.path(name).is_symlink()
    assert list(bare_host.path("/var/spool/postrider/drop").iterdir()) == queued
    assert bare_host.path("/etc/aliases").exists()
    bare_host.postrider("setup")
    bare_host.start()
    bare_host.wait_messages("user2")


def test_undo_does_not_need_a_valid_configuration(bare_host):
    bare_host.postrider("setup")
    bare_host.write(bare_host.config_file, "[queue]\nlifetime = soon\n")
    assert bare_host.postrider("setup", check=False).returncode == 78
    done = bare_host.postrider("setup", "--undo")
    assert f"{bare_host.config_file}:2: queue.lifetime" in done.stderr
    assert not bare_host.path("/usr/sbin/sendmail").is_symlink()


def test_commands_before_setup_say_what_to_do(bare_host):
    for user, words in [("root", ["sendmail", "user2"]), ("user1", ["sendmail", "user2"]), ("user1", ["sendmail", "-bs"]),
                        ("root", ["mailq"]), ("user1", ["mailq"]), ("root", ["sendmail", "-q"])]:
        done = bare_host.run(user, [f"/usr/lib/postrider/bin/{words[0]}", *words[1:]], check=False,
                             stdin="MAIL FROM:<>\r\nRCPT TO:<user2>\r\nDATA\r\n\r\n.\r\n" if "-bs" in words else "\n")
        assert "Postrider is not set up on this host; `postrider setup` does that, as root" in done.stderr, words
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.returncode == (0 if "-bs" in words else 75 if "user2" in words else 69)
        assert "451 4.3.0" in done.stdout or "-bs" not in words


def test_only_root_sets_up(bare_host):
    done = bare_host.postrider("setup", user="user1", check=False)
    assert done.returncode == 77 and "only root can do that" in done.stderr


@pytest.mark.parametrize("settings, said", [
    ("[security]\nsmtp_user = postrider\n", "security.queue_user and security.smtp_user are the same user"),
    ("[security]\nsmtp_user = root\n", "root is root"),
    ("[security]\nlog_user = -x\n", "cannot be a user's name"),
])
def test_roles_do_not_share_a_user(bare_host, settings, said):
    bare_host.path("/etc/postrider").mkdir()
    bare_host.path("/etc/postrider/postrider.conf").write_text(settings)
    done = bare_host.postrider("setup", check=False)
    assert done.returncode != 0 and said in done.stderr


def test_an_ordinary_user_cannot_read_the_queue(host):
    for name in ["/var/spool/postrider", "/var/spool/postrider/drop"]:
        assert host.run("user1", ["ls", name], check=False).returncode != 0
    assert stat.S_IMODE(host.path("/run/postrider/control").stat().st_mode) == 0o666
