#!/usr/bin/python3
"""Starts a browser test where it can run, and says why not elsewhere: run.py SOURCE_FOLDER LAGD TEST.mjs [ARGUMENTS]

Exit status 77 is meson's "skipped"."""
import os
import shutil
import subprocess
import sys


def missing(source, lagd):
    if not shutil.which("node"):
        return "node is missing (./dev deps test)"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if int(version.lstrip("v").split(".")[0] or 0) < 18:
        return f"node {version} is older than 18"
    if not shutil.which("chromium"):
        return "chromium is missing (./dev deps test)"
    for name in ("playwright-core", "axe-core", "uplot"):
        if not os.path.isdir(os.path.join(source, "web/node_modules", name)):
            return f"the npm package {name} is missing (npm ci in web/)"
    if not os.path.exists(os.path.join(os.path.dirname(lagd), "web/index.html")):
        return "this lagd was built without the dashboard"
    return None


source, lagd, script = (os.path.abspath(path) for path in sys.argv[1:4])
reason = missing(source, lagd)
if reason:
    print(f"skipped: {reason}")
    sys.exit(77)
os.execvp("node", ["node", script, source, lagd, *sys.argv[4:]])
