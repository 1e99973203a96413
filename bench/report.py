# SPDX-License-Identifier: Apache-2.0
"""What bench/accept writes: a line per run while it measures, and the page of RESULTS.md at the end."""
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

HALF = 0.5  # acceptance while delivering counts when so much is in the mailboxes at the last 250

HEAD = ["delivery", "sessions", "server", "accepted/s", "to Postfix", "to probe", "end to end/s", "to Postfix",
        "delivered at last 250", "CPU s per 1,000", "PSS MB", "p50 / p99 ms", "messages per sync", "trouble"]


def counts(run):
    return run.in_mailboxes is None or run.in_mailboxes >= HALF


def trouble(runs):
    sums = {what: sum(getattr(r, what) for r in runs) for what in ("refused", "stuck", "missing")}
    return ", ".join(f"{n} {what}" for what, n in sums.items() if n)


def run_line(mode, sessions, name, run):
    parts = [f"{mode:8}{sessions:4} sessions {name:10}{run.rate:9.0f}/s"]
    if run.in_mailboxes is not None:
        parts.append(f"end to end {run.end_to_end:.0f}/s, {run.in_mailboxes:.0%} delivered at the last 250")
    if run.cpu_per_1000 is not None:
        parts.append(f"{run.cpu_per_1000:.3f} CPU s per 1,000")
    parts.append(f"p50 {run.p50_ms:.2f} p99 {run.p99_ms:.2f} ms, generator {run.gencpu_s:.2f} CPU s")
    return ", ".join(parts + [t for t in [trouble([run])] if t])


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    """The median and the range, "-" without values."""
    if not values:
        return "-"
    middle = number(statistics.median(values))
    return f"{middle} [{number(min(values))}..{number(max(values))}]" if len(values) > 1 else middle


def ratio(ours, theirs, of):
    """Median of the ratios of each round, with their range.

    A run of ours that does not count gives none. One of theirs that does not count was faster than it should
    have been, so that the ratio is at least what is shown.
    """
    pairs = [(a, b) for a, b in zip(ours, theirs) if of(a) and of(b) and (of is not rate or counts(a))]
    bound = "≥ " if of is rate and any(not counts(b) for _, b in pairs) else ""
    return bound + spread([of(a) / of(b) for a, b in pairs]) if pairs else "-"


def rate(run):
    return run.rate


def end_to_end(run):
    return run.end_to_end


def accepted(runs):
    text = spread([r.rate for r in runs])
    return text if all(counts(r) for r in runs) else f"({text})"


def row(mode, sessions, name, runs, syncs):
    mine = runs[mode, sessions, name]
    postfix, probe = runs.get((mode, sessions, "postfix"), []), runs.get((mode, sessions, "probe"), [])
    per_sync = syncs.get(name, {}).get(sessions) if mode == "held" else None
    return [
        mode, sessions, name, accepted(mine),
        ratio(mine, postfix, rate) if name != "postfix" else "1",
        ratio(mine, probe, rate) if name != "probe" else "1",
        spread([r.end_to_end for r in mine if r.end_to_end]),
        ratio(mine, postfix, end_to_end) if name != "postfix" and mode == "deliver" else "-",
        spread([100 * r.in_mailboxes for r in mine if r.in_mailboxes is not None]) + " %" * (mode == "deliver"),
        spread([r.cpu_per_1000 for r in mine if r.cpu_per_1000 is not None]),
        spread([r.pss_kb / 1024 for r in mine if r.pss_kb]),
        f"{statistics.median(r.p50_ms for r in mine):.3g} / {statistics.median(r.p99_ms for r in mine):.3g}",
        "-" if per_sync is None else "NO SYNC" if per_sync == float("inf") else f"{per_sync:.1f}",
        trouble(mine) or "none",
    ]


def table(args, runs, syncs, names):
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for mode in args.modes:
        for sessions in args.sessions:
            lines += ["| " + " | ".join(map(str, row(mode, sessions, name, runs, syncs))) + " |"
                      for name in names if (mode, sessions, name) in runs]
    return "\n".join(lines)


def output_of(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip()


def build_options(build):
    text = output_of("meson", "configure", str(build))
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] in ("buildtype", "b_sanitize", "optimization"):
            found[words[0]] = words[1]
    return ", ".join(f"{name} {value}" for name, value in sorted(found.items())) or "unknown"


def conditions(args, scratch, generator_rate):
    """Bullet points; taken before the runs."""
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    file_system = output_of("findmnt", "-no", "FSTYPE,OPTIONS", "-T", str(scratch))
    disk = Path(output_of("findmnt", "-no", "SOURCE", "-T", str(scratch))).name
    cache = Path(f"/sys/block/{disk}/queue/write_cache")
    return [
        time.strftime("Measured %Y-%m-%d %H:%M UTC, ", time.gmtime()) +
        f"load average {os.getloadavg()[0]:.2f} at the start (other work on the machine shows there).",
        f"Machine: {os.cpu_count()} cores ({cpu}), {memory_kb / 2**20:.0f} GiB memory, Linux {platform.release()}.",
        f"Disk: {disk}, {cache.read_text().strip() if cache.exists() else 'unknown write cache'}; "
        f"{' '.join(file_system.split())}. Queues, logs and mailboxes of all servers are on it.",
        f"{args.rounds} rounds, each run {args.seconds:g} s after a warm-up of its own. Build: "
        f"{build_options(args.build)}.",
        "Load: smtpload, connections kept, no pipelining, 4,096 octets with header, one recipient, 100 users in turn; "
        f"it reached {generator_rate:,.0f} messages/s at 50 sessions against a server that does nothing, and shares the "
        "cores with the server that is measured.",
        "Every server has namespaces of its own and is alone under load; the others stand idle. No TLS, no DNS, no "
        "filters; logging on.",
    ]


EXPLANATION = """
**Reading the table.** Each cell is the median over the rounds [smallest..largest]; a ratio is the median of the
rounds' ratios, each taken between two runs that followed one another. Absolute numbers hold for that machine at that
hour only.

- *held*: mail is accepted durably and stays queued (Postfix: `check_client_access static:HOLD`; Postrider: `[queue]
  paused = yes`). *deliver*: mail goes on into 100 mailboxes meanwhile. *end to end* counts until the last is there.
- While delivering, acceptance counts only when at least half of the mail is in its mailbox as the last 250 goes out;
  otherwise it stands in parentheses, and a ratio to such a run is marked ≥, because that run postponed work.
- *probe* is a bare SMTP responder with a group commit, no queue, no routing, no log: the ceiling of this disk.
- *messages per sync*: accepted messages, delivery held, per fsync, fdatasync or similar call of all processes,
  counted with strace in separate short runs (strace slows a server down, so that batches may differ a little).
- *CPU*: all processes of the server with its own logging, by control group, without the generator. *PSS*: memory of
  the same processes right after the load. *p50 / p99*: a whole message, from MAIL to the 250 after its content.
- *trouble*: replies other than expected, sessions without an answer, accepted mail that did not arrive. Must be none.
"""


def page(args, condition_lines, runs, syncs, peers):
    return "\n".join([
        "# Acceptance beside Postfix", "",
        "Written by `bench/accept`; how it measures stands in [README.md](README.md).", "",
        *(f"- {line}" for line in condition_lines),
        *(f"- {peer.name}: {peer.version}" for peer in peers), "",
        table(args, runs, syncs, [peer.name for peer in peers]), EXPLANATION])
