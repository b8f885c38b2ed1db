#!/usr/bin/python3
"""Sizes of files, functions and lines; first lines: usage: check_sizes.py SOURCE_FOLDER | --self-test

A line is a fault above COLUMNS, but for tables and code in Markdown and a line that is one word, such as an address.
A C file that does not begin with a comment is one too. Over the habit: listed. Over the limit: a fault, unless
tests/lint/exceptions.txt names it with a reason. Functions are measured by universal-ctags."""
import os
import shutil
import subprocess
import sys

import lint

#             suffixes              habit  limit
FILE_SIZES = [((".c", ".py", ".js", ".mjs"), 500, 800), ((".h",), 100, 300), ((".sh",), 300, 600)]
FUNCTION_HABIT, FUNCTION_LIMIT = 60, 120
COLUMNS = 120
LINES_OF = (".c", ".h", ".py", ".js", ".mjs", ".sh", ".build", ".md", ".in", "dev")
EXCEPTIONS = os.path.join("tests", "lint", "exceptions.txt")


def functions(root):
    """(path, line, name, number of lines) of every C function."""
    paths = lint.files(root, ".c", ".h")
    tool = shutil.which("ctags-universal") or "ctags"
    command = [tool, "--languages=C", "--langmap=C:.c.h", "--kinds-C=f", "--fields=ne", "--sort=no", "-L", "-", "-f",
               "-"]
    result = subprocess.run(command, input="\n".join(paths), cwd=root, capture_output=True, text=True, check=True)
    for tag in result.stdout.splitlines():
        columns = tag.split("\t")
        extra = dict(c.split(":", 1) for c in columns if c.startswith(("line:", "end:")))
        if "end" in extra:
            yield columns[1], int(extra["line"]), columns[0], int(extra["end"]) - int(extra["line"]) + 1


def read_exceptions(root):
    """{what: reason}; what is path or path:function."""
    found = {}
    if os.path.isfile(os.path.join(root, EXCEPTIONS)):
        for line in lint.read(root, EXCEPTIONS).splitlines():
            if line.strip() and not line.startswith("#"):
                what, _, reason = line.partition(" ")
                found[what] = reason.strip()
    return found


def measure(root):
    """(what, place, lines, habit, limit, kind) of everything that has a size."""
    for suffixes, habit, limit in FILE_SIZES:
        for path in lint.files(root, *suffixes):
            yield path, path, lint.read(root, path).count("\n"), habit, limit, "file"
    for path, line, name, n_lines in functions(root):
        place = "%s:%d" % (path, line)
        yield "%s:%s" % (path, name), place, n_lines, FUNCTION_HABIT, FUNCTION_LIMIT, "function " + name


def long_lines(root):
    for path in lint.files(root, *LINES_OF):
        fenced = False
        for number, line in enumerate(lint.read(root, path).split("\n"), 1):
            fenced ^= path.endswith(".md") and line.startswith("```")
            free = path.endswith(".md") and (fenced or line.startswith("|"))
            if len(line) > COLUMNS and not free and " " in line.strip():
                yield "%s:%d: %d columns, more than %d" % (path, number, len(line), COLUMNS)


def first_lines(root):
    for path in lint.files(root, ".c"):
        if not lint.read(root, path).startswith(("/*", "//")):
            yield "%s:1: begin with a comment that says what the file is for" % path


def check(root):
    yield from long_lines(root)
    yield from first_lines(root)
    exceptions = read_exceptions(root)
    known = set()
    for what, place, n_lines, habit, limit, kind in measure(root):
        known.add(what)
        if n_lines > limit and not exceptions.get(what):
            yield "%s: %s has %d lines, over the limit of %d: divide it by concern" % (place, kind, n_lines, limit)
        elif n_lines > habit:
            print("listed: %s: %s has %d lines, over the habit of %d" % (place, kind, n_lines, habit), file=sys.stderr)
    for what, reason in exceptions.items():
        if what not in known:
            yield "%s: %s is excepted but not there" % (EXCEPTIONS, what)
        elif not reason:
            yield "%s: %s is excepted without a reason" % (EXCEPTIONS, what)


def planted_function(n_lines):
    return "/* f */\nint f(void) {\n" + "    ;\n" * (n_lines - 2) + "}\n"


PLANTED = [
    (None, {"base/x.c": planted_function(FUNCTION_LIMIT)}),
    ("function f has 121 lines", {"base/x.c": planted_function(FUNCTION_LIMIT + 1)}),
    (None, {"base/x.c": planted_function(200), EXCEPTIONS: "# why\nbase/x.c:f one table\n"}),
    ("without a reason", {"base/x.c": planted_function(20), EXCEPTIONS: "base/x.c:f\n"}),
    ("not there", {"base/x.c": "//\n", EXCEPTIONS: "base/gone.c a table\n"}),
    ("file has 801 lines", {"base/x.c": "//\n" * 801}),
    (None, {"base/x.c": "//\n" * 801, EXCEPTIONS: "base/x.c one table\n"}),
    ("file has 301 lines", {"include/lagd/base/x.h": "\n" * 301}),
    (None, {"base/x.c": "/* " + "a" * 117 + "\n", "docs/a.md": "| a " + "a" * 200 + "\n```\na " + "a" * 200 + "\n```\n",
            "web/a.js": "a" * 121 + "\n"}),
    ("base/x.c:2: 121 columns", {"base/x.c": "/* x */\na " + "a" * 119 + "\n"}),
    ("dev:1: 121 columns", {"dev": "a " + "a" * 119 + "\n"}),
    ("docs/a.md:4: 121 columns", {"docs/a.md": "```\n```\n\na " + "a" * 119 + "\n"}),
    ("base/x.c:1: begin with a comment", {"base/x.c": "int a;\n"}),
    ("tests/base/x.c:1: begin with a comment", {"tests/base/x.c": "#include <x.h>\n/* a */\n"}),
]

if __name__ == "__main__":
    lint.main(check, PLANTED)
