#!/usr/bin/python3
"""Breaks one C file in many small ways and tells which of them its tests notice.

usage: mutate.py FILE [TEST…]     N=60 mutants at most (0: all), drawn by SEED=1; TIME=20 seconds a mutant at most

A TEST is a test's C file or its name in meson, such as api/server; tests/<layer>/…/test_<stem>.c is always among them.
All is done in a copy, build-mutate/, which is kept, so that the next run builds little. Where the system permits, the
tests run in namespaces of their own, and can write to that copy and to an empty /tmp only: a mutant may well remove the
wrong file."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import mutants

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOME = os.path.join(ROOT, "build-mutate")
SOURCE, BUILD = os.path.join(HOME, "source"), os.path.join(HOME, "build")
# AddressSanitizer, so that a bound which is one too far is noticed; what leaks is not.
OPTIONS = ["-Doptimization=0", "-Db_sanitize=address", "-Db_lundef=false", "-Dtests=true", "-Dfailpoints=true",
           "-Dwerror=false"]
ENVIRONMENT = dict(os.environ, CCACHE_DISABLE="1", LAGD_SLOW=os.environ.get("LAGD_SLOW") or "3",
                   ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=1")

# What runs a command so that it cannot harm: the source read-only, the copy writable, processes of its own.
CONFINE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", """
    mount --bind "$0" "$0"; mount --bind "$1" "$1"; cd "$1"
    mount -o remount,bind,ro "$0"; mount -o remount,bind,ro /
    case $1 in /tmp/*) ;; *) mount -t tmpfs tmpfs /tmp ;; esac
    shift; "$@"; exit $? """, ROOT, HOME]  # not exec: the first process of a namespace cannot be killed from within
CONFINES = ([CONFINE] if os.geteuid() == 0 else []) + [CONFINE[:1] + ["--map-root-user"] + CONFINE[1:], []]


def fail(text):
    sys.exit("mutate: " + text)


def say(text):
    print(text, flush=True)


def copy_source():
    """Brings the copy to what the working tree holds. A file that is as it was keeps its time: ninja builds little."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")
    wanted = {path for path in listed if os.path.isfile(os.path.join(ROOT, path))}
    for folder, _, names in os.walk(SOURCE):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.relpath(path, SOURCE) not in wanted and "__pycache__" not in path:
                os.remove(path)
    for path in sorted(wanted):
        old, new = os.path.join(ROOT, path), os.path.join(SOURCE, path)
        with open(old, "rb") as file:
            content = file.read()
        if os.path.isfile(new):
            with open(new, "rb") as file:
                if file.read() == content:
                    continue
        os.makedirs(os.path.dirname(new), exist_ok=True)
        with open(new, "wb") as file:
            file.write(content)
        os.chmod(new, os.stat(old).st_mode)


def run(command, seconds=None, env=None):
    """(exit status, output); status None when it took longer. Nothing that it started goes on after it."""
    with subprocess.Popen(command, cwd=BUILD, env=env or ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as process:
        try:
            output = process.communicate(timeout=seconds)[0]
            return process.returncode, output.decode(errors="replace")
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def set_up():
    copy_source()
    if not os.path.isfile(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, SOURCE] + OPTIONS, check=True, stdout=subprocess.DEVNULL)
    status, output = run(["ninja", "build.ninja"])
    if status != 0:
        fail("the copy cannot be set up:\n" + output[-3000:])


def introspect(what):
    result = subprocess.run(["meson", "introspect", "--" + what, BUILD], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout)


def test_name(path):
    """layer/stem for tests/<layer>/…/test_<stem>.c, None for other files."""
    match = re.fullmatch(r"tests/(\w+)/(?:.*/)?test_(\w+)\.c", path)
    return "%s/%s" % match.groups() if match else None


def programs_of(names, targets):
    """Test programs that are made of the C file with one of these names."""
    for target in targets:
        sources = [os.path.relpath(path, SOURCE) for group in target["target_sources"] for path in group["sources"]]
        if any(test_name(path) in names for path in sources):
            yield from target["filename"]


def find_tests(path, wanted):
    """The tests of meson that judge mutants of path, and what they need built."""
    tests, targets = introspect("tests"), introspect("targets")
    own = re.sub(r"/(?:.*/)?", "/", path)[:-len(".c")]
    found = []
    for name in dict.fromkeys([own] + wanted):
        programs = set(programs_of({test_name(os.path.normpath(name)) or name}, targets))
        these = [test for test in tests if test["name"] == name or test["cmd"][0] in programs]
        if not these and name != own:
            fail("there is no test %s" % name)
        found += [test for test in these if test not in found]
    if not found:
        fail("%s has no test of its own; name those that cover it" % path)
    files = {target["id"]: target["filename"] for target in targets}
    needed = {file for test in found for need in test["depends"] for file in files.get(need, ())}
    return found, sorted(os.path.relpath(file, BUILD) for file in needed)


def confinement():
    for words in CONFINES:
        try:
            subprocess.run(words + ["true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            return words
        except (OSError, subprocess.CalledProcessError):
            continue
    return []


class Trial:
    """Builds the copy as it stands and runs the tests."""

    def __init__(self, path, wanted):
        self.path = os.path.join(SOURCE, path)
        self.tests, self.needed = find_tests(path, wanted)
        self.confine = confinement()
        self.seconds = None

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def judge(self):
        """(what became of it, by which test)"""
        status, output = run(["ninja"] + self.needed, 300)
        if status != 0:
            return "not compiling", output
        for test in self.tests:
            status, output = run(self.confine + test["cmd"], self.seconds or 300, dict(ENVIRONMENT, **test["env"]))
            if status != 0:
                return "killed", ("too long in " if status is None else "by ") + test["name"]
        return "survived", ""


def shown(text, start, end, what):
    """What a mutant changes, on one line."""
    line = " ".join(text[text.rfind("\n", 0, start) + 1:(text.find("\n", start) + 1) or len(text)].split())
    old = " ".join(text[start:end].split())
    return "%s: %s" % (what, old if what in ("statement removed", "row removed", "return 0") else line)[:160]


def try_all(trial, path, text, chosen):
    count = {"killed": 0, "survived": 0, "not compiling": 0}
    for start, end, new, what in chosen:
        trial.write(text[:start] + new + text[end:])
        became, by = trial.judge()
        count[became] += 1
        by = " (%s)" % by if became == "killed" else ""
        say("%-13s %s:%d: %s%s" % (became, path, mutants.lint.line_of(text, start), shown(text, start, end, what), by))
    return count


def main():
    settings = {"N": int(os.environ.get("N") or 60), "SEED": int(os.environ.get("SEED") or 1),
                "TIME": float(os.environ.get("TIME") or 20)}
    if len(sys.argv) < 2:
        fail("usage: ./dev mutate FILE [TEST…] [N=60] [SEED=1] [TIME=20]")
    path = os.path.relpath(os.path.abspath(sys.argv[1]), ROOT)
    if not path.endswith(".c") or path.startswith(".."):
        fail("%s is no C file of this source" % sys.argv[1])
    os.nice(10)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of what has to be undone
    set_up()
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = file.read()
    every = mutants.mutants(text)
    chosen = every
    if 0 < settings["N"] < len(every):
        chosen = sorted(random.Random(settings["SEED"]).sample(every, settings["N"]))
    trial = Trial(path, sys.argv[2:])
    begun = time.monotonic()
    became, why = trial.judge()
    if became != "survived":
        fail("without any change the tests do not pass: %s %s" % (became, why[-3000:]))
    begun_tests = time.monotonic()
    trial.judge()
    trial.seconds = max(settings["TIME"], 5 * (time.monotonic() - begun_tests))
    say("%d of %d mutants of %s, judged by %s%s" % (
        len(chosen), len(every), path, ", ".join(t["name"] for t in trial.tests),
        "" if trial.confine else " (not confined: no namespaces here)"))
    try:
        count = try_all(trial, path, text, chosen)
    finally:
        trial.write(text)
    say("%s: %d mutants: %d killed, %d survived, %d not compiling; %.0f s" % (
        path, len(chosen), count["killed"], count["survived"], count["not compiling"], time.monotonic() - begun))


if __name__ == "__main__":
    main()
