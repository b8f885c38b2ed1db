#!/usr/bin/python3
"""Each boundary header compiles alone, and twice: usage: check_headers.py SOURCE_FOLDER | --self-test (CC=cc)"""
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

import lint

FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", '-DLAGD_VERSION="0"', "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
         "-fsyntax-only", "-x", "c"]
# The engine's headers have two readings: float and double.
VARIANTS = {"engine": ([], ["-DLAG_REAL_DOUBLE"]), "base": ([], ["-DLAG_FAILPOINTS"])}


def compile_alone(job):
    root, header, defines = job
    source = '#include "%s"\n#include "%s"\nextern int lag_alone;\n' % (header, header)
    command = shlex.split(os.environ.get("CC", "cc")) + FLAGS + defines + ["-I", os.path.join(root, "include"), "-"]
    result = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return None
    return "include/%s:1: does not compile alone%s:\n%s" % (header, " with " + defines[0] if defines else "",
                                                         result.stderr.strip())


def check(root):
    jobs = []
    for path in lint.files(root, ".h"):
        layer = lint.layer_of(path)
        if not path.startswith(os.path.join("include", "lagd")):
            continue
        if "#pragma once" not in lint.read(root, path):
            yield "%s:1: lacks #pragma once" % path
        for defines in VARIANTS.get(layer, ([],)):
            jobs.append((root, os.path.relpath(path, "include"), defines))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from (fault for fault in pool.map(compile_alone, jobs) if fault)


H = "include/lagd/base/a.h"
PLANTED = [
    (None, {H: "#pragma once\n#include <stdint.h>\nint64_t lag_a(void);\n"}),
    ("does not compile alone", {H: "#pragma once\nint64_t lag_a(void);\n"}),
    ("with -DLAG_REAL_DOUBLE", {"include/lagd/engine/a.h": "#pragma once\n#ifdef LAG_REAL_DOUBLE\nnone x;\n#endif\n"}),
    ("does not compile alone", {H: "#pragma once\n#include \"lagd/base/none.h\"\n"}),
    ("lacks #pragma once", {H: "int lag_a(void);\n"}),
]

if __name__ == "__main__":
    lint.main(check, PLANTED)
