# SPDX-License-Identifier: Apache-2.0
"""s-nail and bsd-mailx from Debian's packages, unpacked below the scratch directory; nothing is installed."""
import glob
import subprocess

READERS = {"s-nail": ("usr/bin/s-nail", ["s-nail"]),
           "bsd-mailx": ("usr/bin/bsd-mailx", ["bsd-mailx", "liblockfile1", "liblockfile-bin"])}


def unpacked_readers(scratch):
    """{name: the words that start it}; without those that cannot be had here."""
    found = {}
    for name, (program, packages) in READERS.items():
        root = scratch / name
        if not root.exists():
            root.mkdir()
            subprocess.run(["apt-get", "-qq", "download", *packages], cwd=root, capture_output=True, check=False)
            for package in root.glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, root], check=True)
        libraries = ":".join(glob.glob(f"{root}/usr/lib/*-linux-gnu"))
        if (root / program).exists():
            found[name] = ["env", f"LD_LIBRARY_PATH={libraries}", root / program]
    return found
