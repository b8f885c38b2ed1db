#!/usr/bin/python3
"""Installs, uses, upgrades, removes and purges the Debian packages in a bare Debian that it makes for itself.

usage, as root: test_deb.py FOLDER_WITH_PACKAGES      MIRROR=URL for debootstrap, where its default is not the right one

No systemd runs in there. Its part is played by the script systemctl beside this file, which does what the installed
unit says: user, state directory, ExecStart, SIGTERM. So what the maintainer scripts ask for, and what becomes of a
training daemon, is seen; that systemd itself holds the sandbox and passes the sockets is not
(tests/integration/test_service.py passes sockets; test_units.py verifies the units)."""
import glob
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = {"name": "r", "dataset": "words", "seed": 11,
       "model": {"arch": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 32},
       "optim": {"name": "adamw", "lr": 3e-3}, "schedule": {"kind": "constant", "max_steps": 1000000},
       "batch": {"sequences": 4}, "checkpoint": {"every_steps": 1000000}}
UNITS = {"multi-user.target.wants/lagd.service", "sockets.target.wants/lagd.socket"}
MANUALS = {"man8/lagd.8.gz", "man1/lagctl.1.gz", "man5/lagd.conf.5.gz", "man7/lagd-api.7.gz"}


def say(text):
    print("deb-test:", text, flush=True)


def wait_until(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out: " + what
        time.sleep(0.1)


def execute(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True,
                          check=False, **more)
    assert done.returncode == 0, "%s: status %d\n%s" % (" ".join(command), done.returncode, done.stdout[-4000:])
    return done.stdout


class Bare:
    """A Debian of its own in a folder, with the stand-in for systemctl."""

    def __init__(self, folder):
        self.root = folder
        with open("/etc/os-release") as f:
            suite = re.search(r"^VERSION_CODENAME=(\w+)", f.read(), re.M).group(1)
        mirror = [os.environ["MIRROR"]] if os.environ.get("MIRROR") else []
        execute("debootstrap", "--variant=minbase", "--include=systemd", suite, folder, *mirror)
        for name in ("resolv.conf", "hosts"):
            shutil.copy("/etc/" + name, self.path("etc", name))
        with open(self.path("etc/apt/apt.conf.d/90machine"), "w") as f:  # this machine's proxies and the like
            f.writelines(line + "\n" for line in execute("apt-config", "dump").splitlines()
                         if line.startswith("Acquire::"))
        execute("mount", "-t", "proc", "proc", self.path("proc"))
        execute("mount", "--rbind", "/dev", self.path("dev"))
        self("dpkg-divert", "--local", "--rename", "--divert", "/bin/systemctl.real", "--add", "/bin/systemctl")
        shutil.copy(os.path.join(HERE, "systemctl"), self.path("bin/systemctl"))
        os.makedirs(self.path("run/systemd/system"))  # this is how maintainer scripts know that systemd runs
        self("apt-get", "update", "-q")

    def path(self, *names):
        return os.path.join(self.root, *names)

    def __call__(self, *command):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive", "LAGD_HOST": "127.0.0.1:%d" % self.port()}
        return execute("chroot", self.root, *command, env=env)

    def port(self):
        path = self.path("etc/lagd/lagd.conf.d/test.conf")
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with socket.create_server(("127.0.0.1", 0)) as free, open(path, "w") as f:
                f.write("[server]\nlisten = 127.0.0.1:%d\n" % free.getsockname()[1])
        with open(path) as f:
            return int(f.read().rsplit(":", 1)[1])

    def install(self, packages):
        for path in packages:
            shutil.copy(path, self.root)
        return self("apt-get", "install", "-y", "-q", "--no-install-recommends",
                    *("/" + os.path.basename(p) for p in packages))

    def calls(self):
        """What systemctl was asked for since the last time."""
        path = self.path("run/stand-in/calls")
        with open(path) as f:
            calls = [re.sub(r"--\S*\s*", "", line.strip()) for line in f]
        os.truncate(path, 0)
        return [call for call in calls if not call.startswith(("is-enabled", "is-active"))]

    def log(self):
        with open(self.path("run/stand-in/log")) as f:
            return f.read()

    def get(self, path, accept="*/*"):
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port(), path), headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def step(self):
        return json.loads(self.get("/api/v1/runs/r"))["step"]

    def ready(self):
        try:
            return b"ready" in self.get("/readyz")
        except OSError:
            return False


def process(bare):
    """Process id, start time, program and user of the daemon; None when there is none."""
    with open(bare.path("run/stand-in/pid")) as f:
        pid = f.read().strip()
    try:
        with open(bare.path("proc", pid, "stat")) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        if fields[0] in "ZX":
            return None
        return pid, fields[19], os.readlink(bare.path("proc", pid, "exe")), os.stat(bare.path("proc", pid)).st_uid
    except FileNotFoundError:
        return None


def next_version(packages, folder):
    """The same packages with a higher version."""
    made = []
    for path in packages:
        tree = os.path.join(folder, os.path.basename(path) + ".tree")
        execute("dpkg-deb", "-R", path, tree)
        control = os.path.join(tree, "DEBIAN", "control")
        with open(control) as f:
            text = f.read()
        version = re.search(r"^Version: (.+)$", text, re.M).group(1)
        with open(control, "w") as f:
            f.write(text.replace(version, version + "+next"))
        made.append(path.replace("_" + version + "_", "_" + version + "+next_").replace(os.path.dirname(path), folder))
        execute("dpkg-deb", "--root-owner-group", "-b", tree, made[-1])
    return made


def installs(bare, packages):
    bare.install(packages)
    user = bare("getent", "passwd", "lagd").strip().split(":")
    assert user[5:] == ["/var/lib/lagd", "/usr/sbin/nologin"], user
    wants = bare.path("etc/systemd/system")
    assert UNITS <= {os.path.relpath(p, wants) for p in glob.glob(wants + "/*/*")}
    assert all(os.path.exists(bare.path("usr/share/man", name)) for name in MANUALS)
    bare("systemd-analyze", "verify", "--man=no", "lagd.service", "lagd.socket")
    flavours = glob.glob(bare.path("usr/lib/*/openblas-*"))
    assert [os.path.basename(f) for f in flavours] == ["openblas-pthread"], flavours
    calls = bare.calls()
    assert "start lagd.service lagd.socket" in calls and not any("stop" in c for c in calls), calls
    wait_until("the daemon is ready", bare.ready)
    owner = os.stat(bare.path("var/lib/lagd"))
    assert process(bare)[3] == owner.st_uid == int(user[2]) and owner.st_mode & 0o777 == 0o750
    say("installed: lagd runs as its user, by the unit's ExecStart; both units are enabled")


def trains(bare):
    rng = random.Random(3)
    with open(bare.path("srv/words.txt"), "w") as f:
        f.write(" ".join(rng.choice("and the king went up to his city of old".split()) for _ in range(20000)))
    with open(bare.path("srv/run.json"), "w") as f:
        json.dump(RUN, f)
    bare("lagctl", "dataset", "add", "/srv/words.txt")
    bare("lagctl", "run", "create", "-f", "/srv/run.json")
    wait_until("the run trains", lambda: bare.step() > 20)
    assert "r" in bare("lagctl", "ps", "-o", "name").split()
    bare("lagctl", "doctor")
    page, chart = bare.get("/", "text/html"), bare.get("/ui/vendor/uPlot.iife.min.js")
    assert b"ui/vendor/uPlot.iife.min.js" in page and b"uPlot" in chart, (page[:500], chart[:100])
    say("trains, by lagctl; the dashboard is served")


def upgrades(bare, packages):
    mark = "# a remark of the administrator\n"
    with open(bare.path("etc/lagd/lagd.conf"), "a") as f:
        f.write(mark)
    before, step = process(bare), bare.step()
    said = bare.install(packages)
    after = process(bare)
    assert after and after[:2] == before[:2], (before, after)
    assert after[2].endswith(" (deleted)"), after
    assert "+next" in bare("dpkg-query", "-W", "-f", "${Version}", "lagd")
    calls = bare.calls()
    assert "daemon-reload" in calls and not [c for c in calls if "stop" in c or "restart" in c], calls
    wait_until("the run goes on", lambda: bare.step() > step + 20)
    assert "process %s was not restarted" % re.sub(r"\D", "", before[0]) in said, said
    with open(bare.path("etc/lagd/lagd.conf")) as f:
        assert mark in f.read()
    say("upgraded: process %s trains on, with the program of before; the hint how to restart was given" % before[0])
    step = bare.step()
    bare("systemctl", "restart", "lagd.service")
    wait_until("the new one is ready", bare.ready)
    assert bare.calls() == ["restart lagd.service"]
    assert process(bare)[0] != before[0] and "deleted" not in process(bare)[2]
    wait_until("the run goes on after the restart", lambda: bare.step() > step)
    say("restarted by hand: the new program goes on with the run")


def removes(bare):
    bare("apt-get", "remove", "-y", "-q", "lagd")
    assert process(bare) is None
    calls = bare.calls()
    assert "stop lagd.service lagd.socket" in calls, calls
    assert bare.log().rstrip().endswith("every run is on disk"), bare.log()[-500:]
    assert glob.glob(bare.path("var/lib/lagd/runs/*/*/manifest.json"))
    assert os.path.exists(bare.path("etc/lagd/lagd.conf"))
    say("removed: lagd was stopped in order; configuration and state stay")
    os.remove(bare.path("etc/lagd/lagd.conf.d/test.conf"))
    said = execute("chroot", bare.root, "apt-get", "purge", "-y", "-q", "lagd", "lagctl")
    assert "/var/lib/lagd are kept" in said, said
    assert os.path.exists(bare.path("var/lib/lagd/lagd.db"))
    left = execute("find", bare.root, "-xdev", "-path", bare.path("var/lib/lagd"), "-prune", "-o", "-path",
                   bare.path("proc"), "-prune", "-o", "(", "-name", "*lagd*", "-o", "-name", "*lagctl*", ")", "-print")
    left = [p for p in left.split("\n") if p and not p.endswith(".deb")]
    assert not left, left
    say("purged: nothing is left but /var/lib/lagd")


def inside(packages, folder):
    bare = Bare(os.path.join(folder, "debian"))
    say("a bare Debian is there")
    installs(bare, packages)
    trains(bare)
    upgrades(bare, next_version(packages, folder))
    removes(bare)
    say("all is well")


def main():
    packages = [p for name in ("lagd", "lagctl") for p in glob.glob(os.path.join(os.path.abspath(sys.argv[1]),
        name + "_*.deb"))]
    assert len(packages) == 2, "there are not the two packages: %s" % packages
    assert os.getuid() == 0, "debootstrap and chroot need root"
    if len(sys.argv) > 2:
        return inside(packages, sys.argv[2])
    folder = tempfile.mkdtemp(prefix="lagd-deb-")
    try:  # what is mounted and started in there ends with the namespaces
        return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", sys.executable,
                               os.path.abspath(__file__),
                               sys.argv[1], folder], check=False).returncode
    finally:
        execute("rm", "-rf", "--one-file-system", folder)


if __name__ == "__main__":
    sys.exit(main())
