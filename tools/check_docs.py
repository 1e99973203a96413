#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what documents say with what the source says, and names each difference; --write mends what is generated.

- the settings in man/postrider.conf.5 are those of src/config/settings.def, in words and order
- man/postrider.8 has every command of src/control/main.c, and no other
- every page is installed, and a cross-reference to a page of ours leads somewhere
- docs/IPC.md is fresh (tools/gen_ipc_doc.py)
- man/sendmail.8 has every option of src/sendmail/options.c, and no other
- the table of folders in docs/ARCHITECTURE.md is that of tools/check_layers.py
- functions and files that README.md, CONTRIBUTING.md and docs/ name are there
- tests that the opening comments of sources name are there, and each module names its own
"""
import glob
import os
import re
import subprocess
import sys
import textwrap

import check_layers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONF_PAGE = "man/postrider.conf.5"
BEGIN = '.\\" The settings: made from src/config/settings.def by tools/check_docs.py --write\n'
END = '.\\" End of the settings\n'
STRING = r'"((?:[^"\\]|\\.)*)"'
SETTING = re.compile(rf"^SETTING\((\w+),\s*(\w+),\s*(\w+),\s*{STRING},\s*(\d+),\s*(\d+),\s*(RELOAD|RESTART),\s*{STRING}\)",
                     re.M)
TYPES = {"STRING": "text", "LIST": "list", "BOOL": "yes | no", "INT": "number", "SIZE": "size", "TIME": "time"}
OURS = {"mail", "mailx", "mailq", "newaliases", "sendmail", "postrider", "postriderd", "postrider-drop", "postrider-queue", "postqueue",
        "postsuper", "postalias", "praliases", "aliases",
        "forward", "postrider.conf"}


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def roff(text):
    """Text as mdoc lines of a readable width."""
    text = text.replace("\\", "\\e")
    lines = textwrap.wrap(text, 110, break_long_words=False, break_on_hyphens=False)
    return "".join(("\\&" if line[0] in ".'" else "") + line + "\n" for line in lines)


def largest(kind, value):
    """A limit as a person would write it."""
    units = {"SIZE": [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)],
             "TIME": [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]}.get(kind, [])
    for unit, factor in units:
        if value >= factor and value % factor == 0:
            return f"{value // factor}{unit}"
    return str(value)


def settings_text():
    source = read("src/config/settings.def")
    rows = SETTING.findall(source)
    wanted = len(re.findall(r"^SETTING\(", source, re.M))
    assert len(rows) == wanted, f"settings.def: {wanted} rows, {len(rows)} understood"
    text, section = BEGIN, ""
    for row in rows:
        own_section, name, kind, preset, low, high, reload, what = (word.replace('\\"', '"') for word in row)
        if own_section != section:
            text += (".El\n" if section else "") + f".Ss [{own_section}]\n.Bl -tag -width Ds\n"
            section = own_section
        text += f".It Ic {name} No = Ar {TYPES[kind]}\n"
        text += roff(what[0].upper() + what[1:] + ".")
        facts = f"Default: {preset}" if preset else "Default: empty"
        if int(high):
            facts += f"; from {largest(kind, int(low))} to {largest(kind, int(high))}"
        if reload == "RESTART":
            facts += "; needs a restart"
        text += ".br\n" + roff(facts + ".")
    return text + ".El\n" + END


def settings_problems(write):
    page = read(CONF_PAGE)
    if BEGIN not in page or END not in page:
        return [f"{CONF_PAGE}: the lines that enclose the settings are missing"]
    head, _, rest = page.partition(BEGIN)
    old, _, tail = rest.partition(END)
    fresh = settings_text()
    if BEGIN + old + END == fresh:
        return []
    if write:
        with open(os.path.join(ROOT, CONF_PAGE), "w", encoding="utf-8") as file:
            file.write(head + fresh + tail)
        return []
    return [f"{CONF_PAGE}: not what settings.def says; run tools/check_docs.py --write"]


def command_problems():
    table = read("src/control/main.c").partition("} commands[] = {")[2].partition("};")[0]
    in_source = re.findall(r'^\t\{ "(\w+)", ', table, re.M)
    page = read("man/postrider.8").partition(".Sh COMMANDS\n")[2].partition("\n.Sh ")[0]
    in_page = list(dict.fromkeys(re.findall(r"^\.It Ic (\w+)", page, re.M)))
    if not in_source or in_source != in_page:
        return [f"man/postrider.8: commands {in_page}, but src/control/main.c has {in_source}"]
    return []


def page_problems():
    pages = sorted(name for name in os.listdir(os.path.join(ROOT, "man")) if re.search(r"\.[1-8]$", name))
    build = read("man/meson.build")
    problems = [f"man/meson.build: {name} is not installed" for name in pages if f"'{name}'" not in build]
    known = set(pages) | {name for name in re.findall(r"install_symlink\('([^']+)'", build)}
    for page in pages:
        for name, section in re.findall(r"^\.Xr (\S+) (\d)", read("man/" + page), re.M):
            if name in OURS and f"{name}.{section}" not in known:
                problems.append(f"man/{page}: there is no {name}({section})")
    return problems


def ipc_problems():
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools/gen_ipc_doc.py"), "--check"], capture_output=True,
                          text=True)
    return [done.stderr.strip() or done.stdout.strip() or "docs/IPC.md is not fresh"] if done.returncode else []


def option_problems():
    table = read("src/sendmail/options.c").partition("} flags[] = {")[2].partition("};")[0]
    in_source = set(re.findall(r"^\t\{ '(\w)', ARG_", table, re.M))
    page = read("man/sendmail.8")
    page = page.partition(".Sh DESCRIPTION")[2].partition(".Sh BUGS")[0]
    in_page = {word[0] for word in re.findall(r"\bFl (\w+)", page)}
    return [f"man/sendmail.8: -{letter} is not both in the page and in src/sendmail/options.c"
            for letter in sorted(in_source ^ in_page)]


def folder_problems():
    table = read("docs/ARCHITECTURE.md").partition("\n## Folders\n")[2].partition("\n## ")[0]
    in_page = {}
    for folders, sees in re.findall(r"^\| ((?:`src/\w+` ?)+)\|.*\|([^|]*)\|$", table, re.M):
        for folder in re.findall(r"`src/(\w+)`", folders):
            in_page[folder] = [word.strip() for word in sees.split(",") if word.strip()]
    return [f"docs/ARCHITECTURE.md: {folder} may include {in_page.get(folder)}, but tools/check_layers.py says "
            f"{check_layers.SEES.get(folder)}"
            for folder in sorted(in_page.keys() | check_layers.SEES.keys())
            if in_page.get(folder) != check_layers.SEES.get(folder)]


def name_problems():
    """`function()`, `path/to/file.c` and [links](file); words in capitals stand for any name."""
    files = glob.glob("src/*/*.[ch]", root_dir=ROOT) + glob.glob("tests/**/*.py", root_dir=ROOT, recursive=True)
    source = "\n".join(read(name) for name in files)
    problems = []
    for page in ["README.md", "CONTRIBUTING.md", *sorted(glob.glob("docs/**/*.md", root_dir=ROOT, recursive=True))]:
        text = read(page)
        for name in sorted(set(re.findall(r"`(\w+)\(\)`", text))):
            if not re.search(rf"\b{name}\(", source):
                problems.append(f"{page}: there is no function {name}()")
        paths = re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:c|h|def|py|md|txt|in|xml|sh))`", text)
        paths += re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", text)
        for path in sorted({path for path in paths if not re.search(r"\b[A-Z]{2,}\b(?!\.md)", path)}):
            places = ["", "src", os.path.dirname(page)]
            made = path.startswith("build/")  # it is there after a build or run
            if not made and not any(os.path.exists(os.path.join(ROOT, place, path)) for place in places):
                problems.append(f"{page}: there is no {path}")
    return problems


def opening(name):
    """A source file's opening comment."""
    comments = re.findall(r"/\*.*?\*/", read(name)[:4000], re.S)
    return comments[1] if len(comments) > 1 else ""


def named_tests(name):
    """The files behind "Tests:" in an opening comment, each as the places where it may be; None: it names none."""
    text = re.search(r"\bTests:(.*)", opening(name), re.S)
    if not text:
        return [] if "No test of its own:" in opening(name) else None
    words = re.findall(r"[\w/-]+\.(?:c|py)\b", text[1])
    folder = os.path.dirname(name)
    return [[word, f"src/{word}", f"{folder}/{word}", f"fuzz/{word}"] for word in words]


def test_problems():
    problems = []
    for name in sorted(glob.glob("src/*/*.[ch]", root_dir=ROOT)):
        for places in named_tests(name) or []:
            if not any(os.path.exists(os.path.join(ROOT, place)) for place in places):
                problems.append(f"{name}: there is no test {places[0]}")
        base = os.path.basename(name)
        if name.endswith(".h") or re.match(r"test_|.*_rig", base):
            continue
        seen = re.findall(r"\b([\w-]+\.h)\b", opening(name)) + [base[:-2] + ".h"]
        headers = [f"{os.path.dirname(name)}/{header}" for header in seen]
        if not any(os.path.exists(os.path.join(ROOT, n)) and named_tests(n) is not None for n in [name, *headers]):
            problems.append(f"{name}: neither it nor its header says where it is tested")
    return problems


def main():
    problems = settings_problems("--write" in sys.argv[1:]) + command_problems() + page_problems() + ipc_problems()
    problems += option_problems() + folder_problems() + name_problems() + test_problems()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
