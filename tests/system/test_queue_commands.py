# SPDX-License-Identifier: Apache-2.0
"""postrider queue, postrider trace, postqueue, postsuper: what each command does to mail, and who may."""
import json
import re
import socket
import struct
import subprocess
import threading

import pytest

from support.fake_smtp import FakeSmtp
from support.system import HOST_NAME, free_port, wait_for

EMPTY = "the queue is empty\n"


def queued(system, to="someone@far.example", sender="payam", n=1):
    """Mails that could not be delivered; their ids, in the order of their coming."""
    before = ids(system)
    for _ in range(n):
        system.sendmail(sender, to, message="Subject: waits\nX-Mark: here\n\nthe text\n")
    return wait_for(lambda: (new := [i for i in ids(system, "--status", "4.*") if i not in before])
                    and len(new) == n and new, f"{n} deferred mails")


def listed(system, *words, user="root"):
    return [json.loads(line) for line in
            system.postrider("queue", "list", "--json", *words, user=user).stdout.splitlines()]


def ids(system, *words):
    return [mail["queue_id"] for mail in listed(system, *words)]


def mail_of(system, mail):
    found = listed(system, mail)
    return found[0] if found else None


@pytest.fixture
def far(postrider_with):
    return postrider_with({"relay.host": f"[127.0.0.1]:{free_port()}"})


# ---- choosing


def test_filters_choose_and_combine(far):
    [one] = queued(far)
    [two] = queued(far, to="other@near.example", sender="user1")
    far.postrider("queue", "hold", two)
    for words, wanted in [
            ([], [one, two]), (["--to", "someone"], [one]), (["--to", "*@near.*"], [two]), (["--to", "nobody"], []),
            (["--from", "user1@"], [two]), (["--from", "<>"], []), (["--domain", "far.example"], [one]),
            (["--domain", "example"], []), (["--domain=*.example"], [one, two]), (["--reason", "refused"], [one, two]),
            (["--reason", "no such words"], []), (["--status", "held"], [two]), (["--status", "waiting"], [one]),
            (["--status", "4.*"], [one, two]), (["--status", "5.*"], []), (["--older", "1h"], []),
            (["--older", "0"], [one, two]), (["--to", "someone", "--status", "held"], []),
            ([one], [one]), ([two, one], [two, one])]:
        assert ids(far, *words) == wanted, words
    assert ids(far, one, "--to", "someone") == [one]
    listing = far.run("root", ["postrider", "queue", "list", "--json", "-"], stdin=f"{one}\n\n{two}\n").stdout
    assert [json.loads(line)["queue_id"] for line in listing.splitlines()] == [one, two]


@pytest.mark.parametrize("words, status, said", [
    (["list", "--older", "soon"], 65, "--older must be a time such as"),
    (["list", "--status", "frozen"], 65, "--status must be waiting, active, held"),
    (["list", "--to", "a", "--to", "b"], 65, "--to is given twice"),
    (["list", "--by", "size"], 65, "must be reason, domain or sender"),
    (["list", "--colour"], 64, "--colour: no such option; queue list takes ids and --from --to --domain"),
    (["list", "--older"], 64, "--older needs a value"),
    (["list", "-x"], 64, "-x: no such option"),
    (["lst"], 64, "queue lst: no such command"),
    (["hold"], 64, "queue hold needs queue ids, a filter such as --from, or --all"),
    (["hold", "--all"], 64, "needs --yes when nobody can be asked"),
    (["delete", "--from", "a"], 64, "needs --yes when nobody can be asked"),
    (["delete", "--all", "010C5D6161923A1"], 64, "takes --all or single messages, not both"),
    (["move", "010C5D6161923A1"], 64, "needs one of --to-host and --to-address"),
    (["move", "010C5D6161923A1", "--to-host", "a b"], 65, "the next hop must be"),
    (["move", "010C5D6161923A1", "--to-address", "@"], 65, "the new recipient must be an address"),
    (["show"], 64, "queue show needs queue ids"),
    (["show", "010C5D6161923A1"], 66, "no such mail in the queue"),
    (["cat", "010C5D6161923A1"], 66, "no such mail in the queue"),
    (["cat", "--json", "010C5D6161923A1"], 64, "--json: no such option; queue cat takes ids\n"),
    (["why", "010C5D6161923A1"], 66, "no such mail in the queue"),
    (["retry", "010C5D6161923A1"], 66, "no such mail in the queue"),
])
def test_mistakes_are_told(shared, words, status, said):
    done = shared.postrider("queue", *words, check=False)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


@pytest.fixture(scope="module")
def shared(request):
    """One system for tests that change nothing in it."""
    from conftest import Keeper
    from support.system import Sandbox
    keeper = Keeper(request.node)
    system = keeper.add(Sandbox())
    system.start()
    yield system
    keeper.close()


# ---- acting


def test_acts_on_several_and_what_is_told_of_each(far):
    one, two = queued(far, n=2)
    done = far.postrider("queue", "hold", one, "010C5D6161923A1", two, check=False)
    assert done.returncode == 1 and "2 of 3 messages held" in done.stdout
    assert "010C5D6161923A1: no such mail in the queue" in done.stderr
    assert ids(far, "--status", "held") == [one, two]
    done = far.postrider("queue", "release", "--json", one)
    assert json.loads(done.stdout) == {"queue_id": one, "action": "release", "done": True}
    done = far.postrider("queue", "retry", two, check=False)
    assert done.returncode == 75 and "held; `postrider queue release` tries it again" in done.stderr
    far.restart()
    assert ids(far, "--status", "held") == [two]
    assert far.postrider("queue", "delete", "--all", "--yes").stdout == "2 messages deleted\n"
    assert far.postrider("queue", "list").stdout == EMPTY


def test_all_asks_on_a_terminal(far):
    queued(far, n=2)
    for typed, left in [("n\n", 2), ("y\n", 0)]:
        terminal = far.terminal("root", ["postrider", "queue", "delete", "--all"])
        terminal.expect(r"delete 2 messages\? \[y/N\] ")
        terminal.send(typed)
        terminal.finish()
        assert len(ids(far)) == left


def test_expire_returns_mail_at_its_next_failure(far):
    [mail] = queued(far)
    far.postrider("queue", "hold", mail)
    far.postrider("queue", "expire", mail)
    assert re.search(rf"^{mail}!", far.mailq(), re.M) and mail_of(far, mail)["forced_expire"]
    far.restart()
    assert mail_of(far, mail)["forced_expire"]
    far.postrider("queue", "release", mail)
    [bounce] = far.wait_messages("payam")
    assert bounce["Subject"] == "Undelivered Mail Returned to Sender"


def test_move_to_another_host_and_back(far):
    [mail] = queued(far)
    far.postrider("queue", "hold", mail)
    with FakeSmtp() as other:
        far.postrider("queue", "move", mail, "--to-host", f"[127.0.0.1]:{other.port}")
        assert mail_of(far, mail)["recipients"][0]["next_hop"] == f"[127.0.0.1]:{other.port}"
        far.restart()
        assert mail_of(far, mail)["recipients"][0]["next_hop"] == f"[127.0.0.1]:{other.port}"
        far.postrider("queue", "move", mail, "--to-host", "default")
        assert "next_hop" not in mail_of(far, mail)["recipients"][0]
        done = far.postrider("queue", "move", mail, "--to-host", "default", check=False)
        assert done.returncode == 75 and "no recipient goes another way" in done.stderr
        far.postrider("queue", "move", mail, "--to-host", f"[127.0.0.1]:{other.port}")
        far.postrider("queue", "release", mail)
        wait_for(lambda: other.messages, "the moved mail")
        wait_for(lambda: not ids(far), "an empty queue")
    assert other.messages[0].recipients == ["someone@far.example"]


def test_move_to_another_address(far):
    [mail] = queued(far)
    far.postrider("queue", "move", mail, "--to-address", "user2")
    [got] = far.wait_messages("user2")
    assert got["Subject"] == "waits" and got["X-Original-To"] == "someone@far.example"
    wait_for(lambda: not ids(far), "an empty queue")


# ---- explaining


def test_groups_are_counted_and_sorted(far):
    queued(far, n=3)
    queued(far, to="x@near.example", sender="user1")
    groups = [json.loads(line) for line in
              far.postrider("queue", "list", "--by", "domain", "--json").stdout.splitlines()]
    assert [(g["domain"], g["messages"], g["recipients"]) for g in groups] == [("far.example", 3, 3),
                                                                             ("near.example", 1, 1)]
    assert groups[0]["example"] == ids(far)[0] and groups[0]["bytes"] > 3 * 20
    text = far.postrider("queue", "list", "--by", "sender").stdout.splitlines()
    assert re.match(r" +3 +3 +\d+ +\d+ second.*payam@", text[1]) and re.match(r" +1 +1 .*user1@", text[2])
    [reason] = far.postrider("queue", "list", "--by", "reason", "--from", "user1").stdout.splitlines()[1:]
    assert re.match(r" +1 +1 .*Connection refused", reason)
    [reason] = far.postrider("queue", "list", "--by", "reason").stdout.splitlines()[1:]
    assert re.match(r" +4 +4 .*Connection refused", reason)  # that one was tried and others only wait is no difference
    far.sendmail("user1", "a@near.example", "b@far.example")
    wait_for(lambda: len(ids(far, "--reason", "refused")) == 5, "the reason of the last")
    [by_sender] = [json.loads(line) for line in far.postrider(
        "queue", "list", "--by", "sender", "--from", "user1", "--domain", "near.example", "--json").stdout.splitlines()]
    assert (by_sender["messages"], by_sender["recipients"]) == (2, 2)  # of the last mail one is meant


def test_show_cat_and_why(far):
    [mail] = queued(far)
    text = far.postrider("queue", "show", mail).stdout
    for line in [rf"^{mail}$", rf"^  from +payam@{HOST_NAME}$", r"^  to +someone@far\.example$", r"1 attempt, the last",
                 r"^  login +uid \d+$", r"^    Subject: waits$"]:
        assert re.search(line, text, re.M), (line, text)
    content = far.postrider("queue", "cat", mail).stdout
    assert content.startswith("Received: ") and "\nX-Mark: here\n" in content and content.endswith("\n\nthe text\n")
    why = far.postrider("queue", "why", mail).stdout
    assert "The other host does not take connections" in why and "number 2" in why and "relay.host" in why
    port = re.search(r"127\.0\.0\.1\]:(\d+): Connection refused", why)[1]
    assert f"`nc -v 127.0.0.1 {port}`" in why and "others" not in why
    [told] = [json.loads(line) for line in far.postrider("queue", "why", "--json").stdout.splitlines()]
    assert (told["queue_id"], told["attempts"], told["others"]) == (mail, 1, 0) and told["whose"] and told["help"]
    queued(far, n=2)
    assert "2 other messages wait for the same reason" in far.postrider("queue", "why", mail).stdout
    far.postrider("queue", "hold", mail)
    why = far.postrider("queue", "why", mail).stdout
    assert "put it on hold" in why and f"`postrider queue release {mail}`" in why


def test_trace_knows_mail_that_is_gone(far):
    far.sendmail("payam", "user2", message="Subject: local\n\n")
    far.wait_log("status=sent")
    [mail] = queued(far)
    far.postrider("queue", "delete", mail)
    events = [json.loads(line) for line in far.postrider("trace", "--json", mail).stdout.splitlines()]
    assert [e["event"] for e in events] == ["accepted", "deferred", "removed", "deleted"]
    assert events[0]["to"] == ["someone@far.example"] and events[0]["from"] == f"payam@{HOST_NAME}"
    assert "refused" in events[1]["reason"] and events[1]["dsn"] == "4.4.1"
    by_address = far.postrider("trace", f"user2@{HOST_NAME}").stdout
    assert re.search(r"^  \S+ \S+  sent +to=user2@", by_address, re.M)
    message_id = far.messages("user2")[0]["Message-ID"]
    for words in [message_id, message_id.strip("<>")]:
        by_message_id = far.postrider("trace", words).stdout
        assert by_message_id == by_address
        assert f" message-id={message_id.strip('<>')}" in by_message_id
    assert far.postrider("trace", message_id + "x", check=False).returncode == 66
    far.stop()
    offline = [json.loads(line)["event"] for line in far.postrider("trace", "--json", mail).stdout.splitlines()]
    assert offline == ["accepted", "deferred", "removed", "deleted"]
    assert far.postrider("trace", "010C5D6161923A1", check=False).returncode == 66


# ---- Postfix's names


def test_postqueue(far):
    assert far.run("root", ["postqueue", "-p"]).stdout == "Mail queue is empty\n"
    [mail] = queued(far)
    assert far.run("root", ["postqueue", "-p"]).stdout == far.mailq()
    [told] = [json.loads(line) for line in far.run("root", ["postqueue", "-j"]).stdout.splitlines()]
    assert (told["queue_name"], told["queue_id"], told["sender"], told["forced_expire"]) == (
        "deferred", mail, f"payam@{HOST_NAME}", False)
    assert told["recipients"][0]["address"] == "someone@far.example"
    assert "refused" in told["recipients"][0]["delay_reason"]
    for n, words in enumerate([["-f"], ["-i", mail], ["-s", "far.example"], ["-v", "-f"]], 2):
        far.run("root", ["postqueue", *words])
        wait_for(lambda: mail_of(far, mail)["recipients"][0]["attempts"] == n, f"attempt {n}")
    for words, status in [([], 64), (["-x"], 64), (["-p", "-f"], 64), (["-i", "010C5D6161923A1"], 66)]:
        assert far.run("root", ["postqueue", *words], check=False).returncode == status
    far.stop()
    assert far.run("root", ["postqueue", "-f"], check=False).returncode == 69
    assert mail in far.run("root", ["postqueue", "-p"]).stdout


def test_postsuper(far):
    one, two, three = queued(far, n=3)

    def told(*words, stdin=""):
        return far.run("root", ["postsuper", *words], stdin=stdin).stderr.splitlines()

    assert told("-h", one) == [f"postsuper: {one}: placed on hold", "postsuper: Placed on hold: 1 message"]
    assert told("-h", "-", stdin=f"{two}\n{three}\n")[-1] == "postsuper: Placed on hold: 2 messages"
    assert far.mailq().count("!") == 3
    assert told("-H", two, "hold") == [f"postsuper: {two}: released from hold",
                                       "postsuper: Released from hold: 1 message"]
    assert told("-r", "ALL")[-1].startswith("postsuper: Requeued: ")
    assert not ids(far, "--status", "held")
    assert told("-d", "010C5D6161923A1") == []
    assert told("-d", one, "deferred") == [f"postsuper: {one}: removed", "postsuper: Deleted: 1 message"]
    assert told("-e", two)[-1] == "postsuper: Expired: 1 message"
    wait_for(lambda: far.messages("payam"), "the returned mail")
    assert told("-d", "ALL")[-1] == "postsuper: Deleted: 1 message"
    assert far.postrider("queue", "list").stdout == EMPTY
    assert far.run("root", ["postsuper", "-x"], check=False).returncode == 64
    assert far.run("root", ["postsuper", "-d", one, "elsewhere"], check=False).returncode == 64
    far.stop()
    assert far.run("root", ["postsuper", "-d", one], check=False).returncode == 69


# ---- many at once, and clients that misbehave


def test_a_reader_that_stops_holds_up_nothing(postrider_with):
    """More than all buffers between the daemon and a pipe that nobody empties."""
    system = postrider_with({"queue.paused": "yes"})
    n = 1500
    with system.smtp() as client:
        for k in range(n):
            client.sendmail("a@here.example", [f"user1+{k}-{i}-{'x' * 100}" for i in range(5)], "Subject: x\r\n\r\nx\r\n")
    lister = system.popen("root", ["postrider", "queue", "list", "--json"], stdout=subprocess.PIPE, text=True)
    first = json.loads(lister.stdout.readline())
    threads = [threading.Thread(target=lambda: system.postrider("queue", "list", "--by", "domain")) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert system.postrider("queue", "hold", "--all", "--yes").stdout == f"{n} messages held\n"
    left = ids(system)[-1]
    doomed = "".join(f"{mail}\n" for mail in ids(system)[:-1])
    done = system.run("root", ["postrider", "queue", "delete", "-"], stdin=doomed)
    assert done.stdout == f"{n - 1} messages deleted\n"
    for thread in threads:
        thread.join()
    rest = [json.loads(line)["queue_id"] for line in lister.stdout]
    assert lister.wait(20) == 0 and first["queue_id"] not in rest
    assert len(rest) < n - 1, "it had not been told of all before they went"
    assert rest[-1] == left == ids(system)[0], "what was there all the time is told"


def test_a_client_that_vanishes_leaves_nothing_behind(far):
    queued(far, n=3)
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(far.dir / "run/control"))
            client.sendall(struct.pack("<IHH", 4, 1, 0) + b"\0\0\0\0")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert len(ids(far)) == 3


# ---- who may


def test_who_may_do_what(host):
    host.run("root", ["groupadd", "mailadmins"])
    host.run("root", ["usermod", "-aG", "mailadmins", "user1"])
    host.configure({"relay.host": f"[127.0.0.1]:{free_port()}", "security.admin_group": "mailadmins"})
    host.restart()
    [mail] = queued(host)
    done = host.postrider("queue", "hold", mail, user="user2", check=False)
    assert done.returncode == 77 and "members of the group mailadmins (security.admin_group)" in done.stderr
    for words in [["cat", mail], ["show", mail]]:
        done = host.postrider("queue", *words, user="user2", check=False)
        assert "only an administrator may read the mail of others" in done.stderr
    assert host.postrider("trace", mail, user="user2", check=False).returncode == 77
    assert host.run("user2", ["postsuper", "-d", mail], check=False).returncode == 77
    assert host.postrider("queue", "retry", mail, user="user2").returncode == 0
    host.postrider("queue", "hold", mail, user="user1")
    assert "the text" in host.postrider("queue", "cat", mail, user="user1").stdout
    assert "accepted" in host.postrider("trace", mail, user="user1").stdout
    assert ids(host) == [m["queue_id"] for m in listed(host, user="user2")] == [mail]
    host.configure({"relay.host": f"[127.0.0.1]:{free_port()}", "security.admin_group": "mailadmins",
                    "queue.public": "no"})
    host.postrider("reload")
    wait_for(lambda: not listed(host, user="user2"), "the setting to take effect")
    assert [m["queue_id"] for m in listed(host, user="payam")] == [mail]
    assert [m["queue_id"] for m in listed(host, user="user1")] == [mail]
    host.stop()
    assert host.run("user2", ["mailq"], check=False).returncode == 69
    assert mail in host.mailq()


def test_before_setup_everything_says_what_to_do(bare_host):
    for words in [["mailq"], ["sendmail", "user1"]]:
        done = bare_host.run("user2", ["/usr/lib/postrider/bin/" + words[0], *words[1:]], check=False)
        assert done.returncode in (69, 75) and "`postrider setup` does that" in done.stderr


def test_config_get_tells_what_the_daemon_uses(sandbox):
    sandbox.configure({"queue.lifetime": "2d"})
    done = sandbox.postrider("config", "get", "queue.lifetime")
    assert done.stdout == "172800s\n" and 'the running daemon uses "432000s"' in done.stderr
    sandbox.postrider("reload")
    wait_for(lambda: not sandbox.postrider("config", "get", "queue.lifetime").stderr, "the reload")
