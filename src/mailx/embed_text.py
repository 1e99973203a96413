#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""embed_text.py INPUT OUTPUT - writes a C file that holds the text of INPUT as default_rc (see default_rc.h)."""
import sys

with open(sys.argv[1], encoding="utf-8") as source:
    lines = source.read().split("\n")
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write('/* SPDX-License-Identifier: Apache-2.0 */\n/* made by embed_text.py */\n')
    out.write('#include "mailx/default_rc.h"\n\nconst char default_rc[] =\n')
    for line in lines[:-1]:
        out.write('\t"%s\\n"\n' % line.replace("\\", "\\\\").replace('"', '\\"'))
    out.write('\t"";\n')
