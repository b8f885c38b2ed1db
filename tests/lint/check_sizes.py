#!/usr/bin/python3
"""Sizes of files and functions: usage: check_sizes.py SOURCE_FOLDER | --self-test

Over the habit: listed. Over the limit: a fault, unless tests/lint/exceptions.txt names it with a reason. Functions are
measured by universal-ctags."""
import os
import shutil
import subprocess
import sys

import lint

#             suffixes              habit  limit
FILE_SIZES = [((".c", ".py", ".js", ".mjs"), 500, 800), ((".h",), 100, 300), ((".sh",), 300, 600)]
FUNCTION_HABIT, FUNCTION_LIMIT = 60, 120
EXCEPTIONS = os.path.join("tests", "lint", "exceptions.txt")


def functions(root):
    """(path, line, name, number of lines) of every C function."""
    paths = lint.files(root, ".c", ".h")
    tool = shutil.which("ctags-universal") or "ctags"
    command = [tool, "--languages=C", "--langmap=C:.c.h", "--kinds-C=f", "--fields=ne", "--sort=no", "-L", "-", "-f", "-"]
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
        yield "%s:%s" % (path, name), "%s:%d" % (path, line), n_lines, FUNCTION_HABIT, FUNCTION_LIMIT, "function " + name


def check(root):
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
    return "int f(void) {\n" + "    ;\n" * (n_lines - 2) + "}\n"


PLANTED = [
    (None, {"base/x.c": planted_function(FUNCTION_LIMIT)}),
    ("function f has 121 lines", {"base/x.c": planted_function(FUNCTION_LIMIT + 1)}),
    (None, {"base/x.c": planted_function(200), EXCEPTIONS: "# why\nbase/x.c:f one table\n"}),
    ("without a reason", {"base/x.c": planted_function(20), EXCEPTIONS: "base/x.c:f\n"}),
    ("not there", {"base/x.c": "", EXCEPTIONS: "base/gone.c a table\n"}),
    ("file has 801 lines", {"base/x.c": "\n" * 801}),
    (None, {"base/x.c": "\n" * 801, EXCEPTIONS: "base/x.c one table\n"}),
    ("file has 301 lines", {"include/lagd/base/x.h": "\n" * 301}),
]

if __name__ == "__main__":
    lint.main(check, PLANTED)
