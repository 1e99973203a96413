# SPDX-License-Identifier: Apache-2.0
"""One file for each workload. It says TITLE, SERVERS, METRICS, NOTE, and run(bench), which adds samples for bench.rounds; with
IS_ONE_ROUND there is only one. ORDER is that of the page and of the run."""
import importlib

ORDER = ["held", "deliver", "one_mailbox", "aliased", "steady", "relay", "recipients", "bodies", "sendmail", "aliases",
         "mailq", "deep", "dead", "idle", "mbox", "mail_send", "calls", "limits"]


def load(name):
    return importlib.import_module(f"driver.workloads.{name}")
