# SPDX-License-Identifier: Apache-2.0
"""The page that bench/run writes (RESULTS.md), from the samples of all workloads."""
import statistics

from driver import workloads
from driver.goals import ROWS

OURS = "postrider"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    """The median and the range, "-" without values."""
    if not values:
        return "-"
    middle = number(statistics.median(values))
    return f"{middle} [{number(min(values))}..{number(max(values))}]" if len(values) > 1 else middle


def values(samples, metric):
    return [s.metrics[metric] for s in samples.values() if metric in s.metrics]


def ratios(ours, theirs, metric):
    """The ratios of each round, and whether one of them is only a lower bound.

    A run of ours that does not count gives none. One of theirs that does not count was faster than it should
    have been, so that the ratio is at least what is shown. A server that took part in one round only is compared in
    that one.
    """
    pairs = [(ours[n], theirs[n]) for n in ours if n in theirs and metric not in ours[n].void
             and metric in ours[n].metrics and theirs[n].metrics.get(metric)]
    return ([a.metrics[metric] / b.metrics[metric] for a, b in pairs],
            any(metric in b.void for _, b in pairs))


def ratio_text(ours, theirs, metric):
    found, is_bound = ratios(ours, theirs, metric)
    return ("≥ " if is_bound else "") + spread(found) if found else "-"


# One workload's table.

def cells(series, point, server, metric):
    mine = series.of(point, server)
    found = values(mine, metric.name)
    text = spread(found) if metric.each else number(statistics.median(found)) if found else "-"
    if any(metric.name in s.void for s in mine.values()):
        text = f"({text})"
    yield text
    for other in metric.to:
        yield "1" if server == other else ratio_text(mine, series.of(point, other), metric.name)


def header(metric):
    yield metric.heading
    yield from (f"to {other}" for other in metric.to)


def trouble(samples):
    return "; ".join(t for s in samples.values() for t in s.trouble) or "none"


def table_lines(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def without_empty(head, rows):
    """Columns in which nothing was measured are left out."""
    kept = [i for i in range(len(head)) if any(row[i] != "-" for row in rows)]
    return [head[i] for i in kept], [[row[i] for i in kept] for row in rows]


def workload_table(series, module):
    head = ["", "server"] + [word for m in module.METRICS for word in header(m)] + ["trouble"]
    rows = [[point, server] + [cell for m in module.METRICS for cell in cells(series, point, server, m)]
            + [trouble(series.of(point, server))]
            for point in series.points() for server in series.servers(point)]
    return table_lines(*without_empty(head, rows))


def extra_lines(series, module):
    """Values without a column, such as the calls by name, where the workload says that they belong on the page."""
    if not getattr(module, "SHOWS_ALL", False):
        return
    known = {m.name for m in module.METRICS}
    for s in series.samples:
        extra = {k: v for k, v in s.metrics.items() if k not in known}
        if extra:
            yield f"- {s.server}: " + ", ".join(f"{k} {number(v)}" for k, v in extra.items())


# The budget.

def reached(series, row, bar):
    """(median of what is compared with the bar, is it a lower bound), or None."""
    ours = series.of(row.point, OURS)
    if bar.anchor:
        found, is_bound = ratios(ours, series.of(row.point, bar.anchor), row.metric)
    else:
        found, is_bound = [v for s in ours.values() if row.metric not in s.void for v in [s.metrics.get(row.metric)]
                           if v is not None], False
    return (statistics.median(found), is_bound) if found else None


def verdict(series, row, bar):
    got = reached(series, row, bar)
    if got is None:
        return "-", "not measured"
    value, is_bound = got
    is_met = value <= bar.factor if row.is_most else value >= bar.factor
    text = ("≥ " if is_bound else "") + number(value) + (f" × {bar.anchor}" if bar.anchor else "")
    return text, "met" if is_met else "≥ unknown" if is_bound and not row.is_most else "**missed**"


def budget_row(all_series, row):
    series = all_series.get(row.workload)
    if not series or row.point not in series.points():
        return [row.title] + ["-"] * 4 + [row.minimum.words(row.is_most), "not measured",
                                         row.goal.words(row.is_most), "not measured"]
    show = [spread(values(series.of(row.point, name), row.metric)) for name in ("postfix", "exim", OURS)]
    got, minimum = verdict(series, row, row.minimum)
    goal_got, goal = verdict(series, row, row.goal)
    if row.goal.anchor != row.minimum.anchor:
        got += f", {goal_got}"
    return [row.title, *show, got, row.minimum.words(row.is_most), minimum, row.goal.words(row.is_most), goal]


def budget(all_series):
    head = ["", "Postfix", "Exim", "Postrider", "ratio", "at least", "", "goal", ""]
    return table_lines(head, [budget_row(all_series, row) for row in ROWS])


READING = """
Each cell is the median over the rounds [smallest..largest]; a ratio is the median of the rounds' ratios, each taken between
runs that followed one another. Absolute numbers hold for that machine at that hour only. *CPU*: all processes of the server with
its own logging, by control group, without the generator. *System calls* and *syncs* (fsync, fdatasync, syncfs and the like):
all of the same processes, counted by the kernel. *PSS*: memory of the same processes right after the load. *p50 / p99*: a
whole message, from MAIL to the 250 after its content. *Trouble*: replies other than expected, sessions without an
answer, accepted mail that did not arrive. Must be none.
"""


def page(all_series, condition_lines):
    lines = ["# Beside Postfix and Exim", "",
             "Written by `bench/run` and never by hand; how it measures stands in [README.md](README.md).", "",
             *(f"- {line}" for line in condition_lines), "", "## The budget", "", *budget(all_series), "",
             "## Reading the tables", READING.strip(), ""]
    for name in workloads.ORDER:
        if name in all_series:
            series, module = all_series[name], workloads.load(name)
            lines += [f"## {module.TITLE}", "", f"{series.conditions}", "", *workload_table(series, module), "",
                      *extra_lines(series, module), module.NOTE.strip(), ""]
    return "\n".join(lines)
