# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments under load, and every mail that was acknowledged is accounted for.

Several SMTP sessions and sendmail processes send to mailboxes, lists, ~/.forward files and another host, while all
processes, or one of them, are killed again and again. In the end every mail that got a 250 or an exit 0 must be where
it belongs, whole; no mailbox may be damaged; a mailbox has nothing twice; what the next host got twice must have been
handed over just before a kill.

A batch is a mail system of its own and depends on its seed alone (as far as a machine repeats itself):
POSTRIDER_CRASH_SEED=12345.7 runs batch 7 of that seed only; POSTRIDER_CRASH_ROUNDS sets the kills of a batch.
"""
import os
import random
import signal
import time

import pytest
from ledger import Ledger, Promise, compose
from load import DESTINATIONS, USERS, Load, NextHost, history, is_drained, prepare
from support.system import wait_for

ROLES = ["queue", "smtpd", "lookup", "users", "smtp", "local", "log"]
ROUNDS = int(os.environ.get("POSTRIDER_CRASH_ROUNDS", "25"))
SEED, _, ONLY = os.environ.get("POSTRIDER_CRASH_SEED", str(random.SystemRandom().randrange(10**6))).partition(".")
DRAIN_S = 120  # on a busy machine


def batches(form, numbers):
    return [pytest.param(form, f"{SEED}.{number}", id=f"{form}-{SEED}.{number}") for number in numbers
            if not ONLY or int(ONLY) == number]


def kill_supervisor(system, ledger):
    """The roles must notice and end by themselves."""
    pids = [pid for pid, name in system.processes().items() if name.endswith("/postriderd")]
    ledger.kills.append(time.monotonic())
    system._kill(pids)
    wait_for(lambda: not system.processes(), "the end of roles without a supervisor")
    system.kill9_all()
    system.start()


def kill_all(system, ledger, rng):
    ledger.kills.append(time.monotonic())
    system.kill9_all()
    time.sleep(rng.choice([0, 0, 0.1]))  # sometimes long enough for sendmail to find nobody there
    system.start()


def kill_role(system, ledger, rng, role):
    pids = system.role_pids(role)
    if pids:
        ledger.kills.append(time.monotonic())
        system._kill([rng.choice(pids)], signal.SIGKILL)


def one_round(system, ledger, rng):
    time.sleep(rng.uniform(0.01, 0.4))
    victim = rng.choice(["all", "all", "all", "supervisor", *ROLES])
    if victim == "all":
        kill_all(system, ledger, rng)
    elif victim == "supervisor":
        kill_supervisor(system, ledger)
    else:
        kill_role(system, ledger, rng, victim)


def drain(system, next_host):
    next_host.is_moody = False
    system.restart()  # a role that was killed often is given a long pause; the mail must not wait for it
    system.sendmail("root", "-q", message="")
    try:
        wait_for(lambda: is_drained(system), "an empty queue", DRAIN_S)
    except AssertionError as problem:
        raise AssertionError(f"{problem}:\n{system.mailq()[:4000]}") from None


@pytest.mark.parametrize("form, seed", batches("bare_sandbox", range(1, 9)) + batches("bare_host", range(9, 12)))
def test_nothing_is_lost(form, seed, request, record_property):
    rng = random.Random(seed)
    ledger = Ledger()
    system = request.getfixturevalue(form)
    if system.is_host:
        system.setup()
    system.expect_error("")  # the roles complain about each other's deaths
    next_host = NextHost(system, ledger, seed)
    prepare(system, next_host.port)
    system.start()
    load = Load(system, ledger, seed)
    try:
        for _ in range(ROUNDS):
            one_round(system, ledger, rng)
    finally:
        load.close()
    drain(system, next_host)
    system.stop()
    next_host.close()
    report, wrong = ledger.account({user: system.mailbox_text(user) for user in USERS})
    record_property("crash", f"seed {seed}: {report}")
    for line in wrong[:3]:
        ident = line.split()[0]
        if ident in ledger.promised:
            print(history(system, ident, ledger.promised[ident].how))
    assert not wrong, f"seed {seed}: {len(wrong)} problems\n" + "\n".join(wrong[:20])
    assert len(ledger.promised) > ROUNDS, f"seed {seed}: too little mail to prove anything: {report}"


def by_sendmail(system, ident, to, text):
    system.sendmail("user1", "-oi", to, message=text)


def by_smtp(system, ident, to, text):
    with system.smtp() as client:
        client.sendmail("user1@localhost", to, text.replace("\n", "\r\n").encode())
        system.kill9_all()
        client.close()  # nobody is there to say QUIT to


@pytest.mark.parametrize("hand_in", [by_sendmail, by_smtp], ids=["sendmail", "smtp"])
@pytest.mark.parametrize("form", ["bare_sandbox", "bare_host"])
def test_killed_straight_after_the_answer(form, hand_in, request):
    """Exit 0 or 250, and in the next moment nothing of the mail system lives."""
    system, ledger, rng = request.getfixturevalue(form), Ledger(), random.Random(SEED)
    if system.is_host:
        system.setup()
    system.expect_error("")
    prepare(system, 9)
    for to, lines in [("user1", 1), ("lpic1", 100), ("everyone", 10), ("keeper", 10), ("goer", 1), ("user2", 12000)]:
        system.start()
        ident = f"{hand_in.__name__}.{to}"
        hand_in(system, ident, f"{to}@localhost", compose(ident, rng, lines))
        system.kill9_all()
        ledger.promise(ident, Promise(time.monotonic(), frozenset(DESTINATIONS[to]), hand_in.__name__))
    system.start()
    wait_for(lambda: is_drained(system), "an empty queue")
    system.stop()
    _, wrong = ledger.account({user: system.mailbox_text(user) for user in USERS})
    assert not wrong, "\n".join(wrong)
