# SPDX-License-Identifier: Apache-2.0
"""man/mail.1 lists every command, escape, variable and option of the program, in its words.

The three lists are made from the tables in the source: run this file with --write after a change there.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "man" / "mail.1"
TEXT = r'"((?:[^"\\]|\\.)*)"'
LISTS = {"commands": "commands.c", "escapes": "escapes.c", "variables": "vars.c"}


def source(name):
    return (ROOT / "src" / "mailx" / name).read_text(encoding="utf-8")


def table(name):
    """The rows between the fences that keep the table as it is."""
    return source(name).split("clang-format off", 1)[1].split("clang-format on", 1)[0]


def roff(text):
    text = text.replace("\\\\", "\\e").replace('\\"', '"')
    return ("\\&" if text[0] in ".'" else "") + text[0].upper() + text[1:] + ".\n"


def commands():
    rows = re.findall(rf'\{{ {TEXT}, (\d+), (COMMAND_\w+), [^,]+(?:, )?.*?(cmd_\w+), {TEXT}, {TEXT} \}}', table("commands.c"))
    out = ""
    for name, shortest, _, _, usage, text in rows:
        short = f" Pq Ic {name[:int(shortest)]}" if len(name) > int(shortest) else ""
        name = name if name[0].isalpha() else "\\&" + name
        out += f".It Ic {name}" + (f" No {usage}" if usage else "") + short + "\n" + roff(text)
    return rows, out


def escapes():
    rows = re.findall(rf"\{{ '(.)', \w+, {TEXT}, {TEXT} \}}", table("escapes.c"))
    out = "".join(f".It Ic ~{letter}" + (f" No {usage}" if usage else "") + "\n" + roff(text)
                  for letter, usage, text in rows)
    return rows, out.replace("No !", "No \\&!").replace(" | ", " \\*(Ba ")


def variables():
    rows = re.findall(rf"\{{ {TEXT}, (NULL|{TEXT}), {TEXT} \}}", table("vars.c"))
    out = ""
    for name, initial, value, text in rows:
        text = f"the same as {text[2:]}" if text.startswith("= ") else text
        if initial != "NULL":
            text += "; set at the start" if not value else f"; at the start it is {value.strip() or 'a tab'}".replace(
                "\\t", "a tab")
        out += f".It Va {name}\n" + roff(text)
    return rows, out


MADE = {"commands": commands, "escapes": escapes, "variables": variables}


def section(name):
    text = PAGE.read_text(encoding="utf-8")
    begin, end = f'.\\" Begin of the {name}, made from src/mailx/{LISTS[name]}\n', f'.\\" End of the {name}\n'
    before, _, rest = text.partition(begin)
    inside, _, after = rest.partition(end)
    return before + begin, inside, end + after


def test_every_row_was_understood():
    counts = {"commands.c": r"^\t\{ \"[^\"]+\", \d", "escapes.c": r"^\t\{ '[^0]'", "vars.c": r"^\t\{ \"\w"}
    for name, made in MADE.items():
        file = LISTS[name]
        pattern = counts[file].replace("'[^0]'", "'.'")
        assert len(made()[0]) == len(re.findall(pattern, table(file), re.M)) > 20


def test_lists_of_the_manual_are_those_of_the_source():
    for name, made in MADE.items():
        assert section(name)[1] == made()[1], f"run {Path(__file__).name} --write"


def test_every_option_is_in_the_manual():
    letters = re.search(r'getopt_long\(argc, argv,\s*"([^"]+)"', source("options.c")).group(1).replace(":", "")
    page = PAGE.read_text(encoding="utf-8")
    missing = [c for c in letters if not re.search(rf"^\.It (?:.* , )?Fl {re.escape(c)}( |$)", page, re.M)]
    assert not missing
    for name in re.findall(r'^\t\{ "([\w-]+)", (?:required|no)_argument', source("options.c"), re.M):
        assert f"Fl Fl {name}" in page, name


def test_help_and_usage_name_every_option():
    letters = re.search(r'getopt_long\(argc, argv,\s*"([^"]+)"', source("options.c")).group(1).replace(":", "")
    usage = re.search(r"usage\[\] =(.*?);", source("options.c"), re.S).group(1)
    said = set(re.findall(r"-(\w)", usage)) | set("".join(re.findall(r"\[-([\w~#]+)\]", usage)))
    quiet = set("dhmVXY")  # for compatibility and rare needs: the manual has them
    assert set(letters) - quiet <= said | {"R"}


if __name__ == "__main__" and "--write" in sys.argv:
    for each in MADE:
        first, _, last = section(each)
        PAGE.write_text(first + MADE[each]()[1] + last, encoding="utf-8")
