# SPDX-License-Identifier: Apache-2.0
"""The books of a crash test: what was promised, what arrived, and whether the two agree.

Every mail has an id of its own and carries a checksum of its body, so that each copy found anywhere says which mail it
is and whether it is whole.
"""
import hashlib
import re
import threading
from dataclasses import dataclass, field

FLUSH_S = 0.2  # results of deliveries are on disk after that (DESIGN, section 4)
BUSY_S = 3.0   # how far a machine with more to do than it can may fall behind

IDENT = re.compile(r"^X-Crash-Id: (\S+)$", re.M)
WORDS = "From the rider took mail . from relay to relay >and did not lose it, not once 0".split()


def digest(body):
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def compose(ident, rng, lines):
    """A mail with lines that an mbox or SMTP must quote."""
    body = ""
    for number in range(lines):
        body += rng.choice(["From here on it is text", ".", "..dots", "", "-- "]) if rng.random() < 0.1 else \
            " ".join(rng.choices(WORDS, k=rng.randrange(1, 14)))
        body += "\n"
    body = body.replace("\n>From ", "\nFrom ")  # in an mbox it could not be told from one that was quoted
    return f"From: user1@localhost\nSubject: crash test {ident}\nX-Crash-Id: {ident}\n\n{body}sum {digest(body)}\n"


def examine(text):
    """(id or None, what is wrong or None) of one mail as it arrived, its quoting undone."""
    found = IDENT.search(text)
    if not found:
        return None, "no id"
    _, blank, body = text.partition("\n\n")
    body, mark, checksum = body.rpartition("\nsum ")
    if not blank or not mark or digest(body + "\n") != checksum.strip():
        return found.group(1), "its content is not what was sent"
    return found.group(1), None


def split_mbox(text):
    """(From_ line, mail without its quoting) of an mbox; strict: raises ValueError where a reader could go wrong."""
    if text and (not text.startswith("From ") or not text.endswith("\n\n")):
        raise ValueError("does not begin with a From_ line, or ends without a blank line")
    mails = re.split(r"(?:\A|(?<=\n\n))(?=From )", text)[1:]
    result = []
    for mail in mails:
        first, _, rest = mail.partition("\n")
        if not re.fullmatch(r"From \S+ +\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}", first):
            raise ValueError(f"bad From_ line: {first!r}")
        if re.search(r"^From ", rest, re.M):
            raise ValueError("a From_ line without a blank line before it")
        result.append((first, re.sub(r"^>From ", "From ", rest[:-1], flags=re.M)))
    return result


@dataclass
class Promise:
    when: float
    places: frozenset  # mailboxes, or REMOTE
    how: str           # for the reader of a failure: which way it came in, and its queue id where that is known


# Places that are no mailbox. To the next host and to a command mail is handed over; whether their answer was on disk
# before a crash nobody can look up there.
REMOTE, COMMAND, MAILDIR = "remote", "command", "maildir"


@dataclass
class Ledger:
    """Filled by several threads."""
    promised: dict = field(default_factory=dict)
    refused: dict = field(default_factory=dict)  # reason to number of times
    handed: dict = field(default_factory=dict)   # (id, REMOTE or COMMAND) to the times at which it was taken there
    kills: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def promise(self, ident, promise):
        with self.lock:
            self.promised[ident] = promise

    def refuse(self, why):
        with self.lock:
            self.refused[why] = self.refused.get(why, 0) + 1

    def handed_over(self, text, when, place=REMOTE):
        ident, wrong = examine(text)
        with self.lock:
            if wrong:
                self.problems.append(f"{place}: mail {ident}: {wrong}:\n{text[:1000]}")
            self.handed.setdefault((ident, place), []).append(when)

    def clear(self):
        with self.lock:
            for books in (self.promised, self.refused, self.handed, self.kills, self.problems):
                books.clear()

    def problem(self, text):
        with self.lock:
            self.problems.append(text)

    # ---- closing the books

    def count_mailbox(self, user, text, copies):
        """Adds its mails to copies: (id, user) to their headers."""
        try:
            mails = split_mbox(text)
        except ValueError as problem:
            self.problem(f"mailbox of {user}: {problem}")
            return
        begin = 0
        for first, mail in mails:
            self.count_mail(user, mail, f"at byte {begin} or later: {first}", copies)
            begin += len(first) + len(mail) + 2

    def count_mail(self, place, mail, where, copies):
        ident, wrong = examine(mail)
        if wrong:
            self.problem(f"mailbox of {place}: mail {ident}: {wrong}:\n{mail[:2000]}")
        header = mail.partition("\n\n")[0]
        copies.setdefault((ident, place), []).append(f"{where}\n{header}")

    def lost(self, copies):
        return [f"{ident} for {place} was promised ({promise.how}) and is not there"
                for ident, promise in self.promised.items() for place in promise.places
                if not (self.handed.get((ident, place)) or copies.get((ident, place)))]

    def unexplained(self):
        """Handed over twice without a kill within the time in which the first result may not yet have been on disk."""
        return [f"{ident} was given to {place} at {first:.3f} and {second:.3f}, and no kill came soon after the first"
                for (ident, place), times in self.handed.items() for first, second in zip(times, times[1:])
                if not any(first - BUSY_S < kill < min(first + FLUSH_S + BUSY_S, second) for kill in self.kills)]

    def account(self, mailboxes, maildir=()):
        """mailboxes: user to text; maildir: a text for each mail. A report for people, and what is wrong."""
        copies = {}
        for user, text in mailboxes.items():
            self.count_mailbox(user, text, copies)
        for text in maildir:
            self.count_mail(MAILDIR, text, "a file", copies)
        twice = [f"{ident} is {len(headers)} times in the mailbox of {user}:\n" + "\n--\n".join(headers)
                 for (ident, user), headers in copies.items() if len(headers) > 1]
        n_handed_twice = sum(len(times) - 1 for times in self.handed.values())
        n_places = sum(len(promise.places) for promise in self.promised.values())
        wrong = self.problems + self.lost(copies) + twice + self.unexplained()
        report = (f"{len(self.kills)} kills; {len(self.promised)} mails acknowledged, for {n_places} places; "
                  f"{len(twice)} twice in a mailbox, {n_handed_twice} relayed twice; "
                  f"refused: {self.refused or 'none'}")
        return report, wrong
