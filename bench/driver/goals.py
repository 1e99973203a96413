# SPDX-License-Identifier: Apache-2.0
"""The performance budget: what is measured where, the least that must be reached and the goal. RESULTS.md shows each row
against what was measured; this table is the only place where minima and goals stand."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A number to reach: factor times what the anchor has in the same round, or the factor itself."""
    factor: float
    anchor: str | None = None

    def words(self, is_most):
        side = "≤" if is_most else "≥"
        return f"{side} {self.factor:.3g}" + (f" × {self.anchor}" if self.anchor else "")


@dataclass(frozen=True)
class Row:
    title: str
    workload: str
    point: str
    metric: str
    minimum: Bar
    goal: Bar
    is_most: bool = False  # the number must not be larger than the bar


ROWS = [
    Row("durable acceptance, delivery held, messages/s", "held", "50 sessions", "rate",
        Bar(10, "postfix"), Bar(0.8, "probe")),
    Row("the same, 1 session", "held", "1 session", "rate", Bar(0.6, "probe"), Bar(0.8, "probe")),
    Row("acceptance while delivering to 100 mailboxes, messages/s", "deliver", "50 sessions", "rate",
        Bar(10, "postfix"), Bar(15, "postfix")),
    Row("the same, 60 s of steady load", "steady", "50 sessions", "rate", Bar(10, "postfix"), Bar(15, "postfix")),
    Row("end to end to 100 mailboxes, messages/s", "deliver", "50 sessions", "end_to_end",
        Bar(8, "postfix"), Bar(15, "postfix")),
    Row("end to end to one mailbox, messages/s", "one_mailbox", "50 sessions", "end_to_end",
        Bar(8, "postfix"), Bar(15, "postfix")),
    Row("end to end through aliases of one user, messages/s", "aliased", "one user each", "end_to_end",
        Bar(8, "postfix"), Bar(15, "postfix")),
    Row("relay end to end, one destination, messages/s", "relay", "one destination", "end_to_end",
        Bar(8, "postfix"), Bar(15, "postfix")),
    Row("relay end to end, 1,000 destinations, messages/s", "relay", "1,000 destinations", "end_to_end",
        Bar(8, "postfix"), Bar(15, "postfix")),
    Row("CPU seconds per 1,000 delivered", "deliver", "50 sessions", "cpu", Bar(0.35), Bar(0.15), True),
    Row("memory per idle session, kB", "idle", "1,000 sessions", "kb_each", Bar(4), Bar(2), True),
    Row("the same, 10,000 sessions", "idle", "10,000 sessions", "kb_each", Bar(4), Bar(2), True),
    Row("other mail beside 10,000 idle sessions, of its rate without", "idle",
        "other mail, 10,000 idle sessions", "kept", Bar(0.95), Bar(0.95)),
    Row("`sendmail -i`, one after the other, median ms", "sendmail", "one after the other", "p50_ms",
        Bar(1 / 3, "postfix"), Bar(0.2, "postfix"), True),
    Row("`sendmail -i`, 20 in parallel, median ms", "sendmail", "20 in parallel", "p50_ms",
        Bar(1 / 3, "postfix"), Bar(0.2, "postfix"), True),
    Row("`newaliases`, 1,000,000 entries, s", "aliases", "1,000,000 entries", "seconds",
        Bar(0.5, "postfix"), Bar(0.3, "postfix"), True),
    Row("1 message to 5,000 remote recipients, s", "recipients", "5,000 recipients", "all_s",
        Bar(1, "exim"), Bar(0.7, "exim"), True),
    Row("1 MB bodies, MB/s", "bodies", "20 sessions", "mbps", Bar(0.5, "dd"), Bar(0.7, "dd")),
    Row("`mailq` at 50,000 messages, s", "mailq", "50,000 messages", "whole_s",
        Bar(0.1, "postfix"), Bar(0.1, "postfix"), True),
    Row("1,000,000 queued messages, memory in all, MiB", "deep", "1,000,000 messages", "pss_mb",
        Bar(400), Bar(400), True),
    Row("the same, first line of `mailq`, ms", "deep", "1,000,000 messages", "first_ms", Bar(50), Bar(50), True),
    Row("the same, restart to the first 250, s", "deep", "1,000,000 messages", "accepted_s", Bar(1), Bar(1), True),
    Row("other mail beside 50,000 deferred to a dead destination, of its rate without", "dead", "with 50,000", "kept",
        Bar(0.95), Bar(0.95)),
    Row("`mail` opens 100,000 messages, s", "mbox", "100,000 messages", "seconds",
        Bar(1, "line scan"), Bar(1, "line scan"), True),
    Row("`mail` sends a message, ms more than the sendmail call", "mail_send", "one message", "more_ms", Bar(15), Bar(15),
        True),
]
