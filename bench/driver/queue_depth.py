# SPDX-License-Identifier: Apache-2.0
"""What the workloads with deep queues share: filling, listing, starting anew."""
import socket
import subprocess
import time

FAR = ("-r", "u@[10.1.%a]", "-u", "1000")  # a thousand destinations


def list_queue(peer):
    """mailq: seconds to the second line (the first may be a heading), to the end, and how many lines."""
    began = time.monotonic()
    process = subprocess.Popen(peer.in_root("/usr/bin/mailq"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    n_lines, first = 0, None
    text = b""
    while part := process.stdout.read1(1 << 20):
        n_lines += part.count(b"\n")
        if first is None and n_lines >= 2:
            first = time.monotonic() - began
        text = part
    process.wait()
    return {"first_ms": (first or 0) * 1000, "whole_s": time.monotonic() - began}, n_lines, text


def banner_and_mail(peer, began, timeout=120):
    """Seconds from began to the banner and to the first 250 after content, with a client that tries without a pause."""
    said = None
    while time.monotonic() - began < timeout:
        connection = peer.connect(25, 30)
        if not connection:
            time.sleep(0.001)
            continue
        try:
            with connection, connection.makefile("rwb") as stream:
                if not stream.readline().startswith(b"220"):
                    continue
                said = said or time.monotonic() - began
                for line in (b"HELO load.test", b"MAIL FROM:<sender@load.test>", b"RCPT TO:<u1@bench.test>", b"DATA",
                             b"Subject: first\r\n\r\nfirst\r\n."):
                    stream.write(line + b"\r\n")
                    stream.flush()
                    if stream.readline()[:1] not in (b"2", b"3"):
                        break
                else:
                    return said, time.monotonic() - began
        except (ConnectionError, socket.timeout):
            pass
        time.sleep(0.005)
    return said, None
