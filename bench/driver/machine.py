# SPDX-License-Identifier: Apache-2.0
"""What the page says of the machine, the disk and the build."""
import os
import platform
import subprocess
import time
from pathlib import Path


def output_of(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip()


def build_options(build):
    found = {}
    for line in output_of("meson", "configure", str(build)).splitlines():
        words = line.split()
        if len(words) > 1 and words[0] in ("buildtype", "b_sanitize", "optimization"):
            found[words[0]] = words[1]
    return ", ".join(f"{name} {value}" for name, value in sorted(found.items())) or "unknown"


def conditions(args, scratch, peers):
    """Bullet points."""
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    file_system = output_of("findmnt", "-no", "FSTYPE,OPTIONS", "-T", str(scratch))
    disk = Path(output_of("findmnt", "-no", "SOURCE", "-T", str(scratch))).name
    cache = Path(f"/sys/block/{disk}/queue/write_cache")
    return [
        f"Machine: {os.cpu_count()} cores ({cpu}), {memory_kb / 2**20:.0f} GiB memory, Linux {platform.release()}.",
        f"Disk: {disk}, {cache.read_text().strip() if cache.exists() else 'unknown write cache'}; "
        f"{' '.join(file_system.split())}. Queues, logs and mailboxes of all servers are on it.",
        f"Build: {build_options(args.build)}; "
        f"{output_of('git', '-C', str(Path(__file__).parent), 'describe', '--always', '--dirty') or 'no git'}.",
        "Load: smtpload, connections kept, no pipelining, 4,096 octets with header, one recipient unless said; it shares "
        "the cores with the server that is measured.",
        "Every server has namespaces of its own and is alone under load; the others stand idle. No TLS, no DNS, no "
        "filters; logging on.",
        "Servers: " + ", ".join(peer.version for peer in peers) + ".",
    ]


def moment(args):
    return (time.strftime("Measured %Y-%m-%d %H:%M UTC", time.gmtime()) +
            f", load average {os.getloadavg()[0]:.2f} at the start; {args.rounds} rounds, {args.seconds:g} s a run.")
