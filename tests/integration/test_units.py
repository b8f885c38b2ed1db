"""The systemd files themselves: verified and rated by systemd-analyze.

usage: test_units.py LAGD UNIT LAGD_NOTIFY NOTIFY_UNIT SOURCE_FOLDER"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

LAGD, UNIT, NOTIFY, NOTIFY_UNIT, SOURCE = (os.path.abspath(path) for path in sys.argv[1:6])
SERVICES = [("lagd", UNIT, LAGD), ("lagd-notify", NOTIFY_UNIT, NOTIFY)]
# Exposure, of 100: 1.0, and for what has to reach the network 1.5.
THRESHOLDS = {"lagd": "10", "lagd-notify": "15"}
SKIP = 77


def analyze(*args):
    done = subprocess.run(["systemd-analyze", *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def installed(folder):
    """The units as they are after an installation, with a lagd that is there."""
    paths = []
    for name, path, program in SERVICES:
        with open(path) as f:
            unit = f.read()
        command = re.search(r"^ExecStart=(\S+)", unit, re.M).group(1)
        assert command.endswith("/bin/" + name), command
        with open(os.path.join(folder, name + ".service"), "w") as f:
            f.write(unit.replace("ExecStart=" + command, "ExecStart=" + program))
        shutil.copy(os.path.join(SOURCE, "systemd", name + ".socket"), folder)
        paths += [os.path.join(folder, name + kind) for kind in (".service", ".socket")]
    return paths


def catalog_fits():
    """Each kind of message has its text, and each text its kind."""
    with open(os.path.join(SOURCE, "systemd", "lagd.catalog")) as f:
        told = set(re.findall(r"^-- ([0-9a-f]{32})$", f.read(), re.M))
    with open(os.path.join(SOURCE, "include", "lagd", "daemon", "messages.h")) as f:
        sent = set(re.findall(r'"([0-9a-f]{32})"', f.read()))
    assert told and told == sent, told ^ sent


def units_are_good(folder):
    status, text = analyze("verify", "--man=no", *installed(folder))
    # Remarks on other units of this machine are not ours.
    ours = [line for line in text.splitlines() if "lagd" in line]
    assert status == 0 and not ours, text


def exposure_is_low(folder):
    installed(folder)
    for name, threshold in THRESHOLDS.items():
        status, text = analyze("security", "--offline=true", "--no-pager", "--threshold=" + threshold,
                               os.path.join(folder, name + ".service"))
        print(text.strip().splitlines()[-1])
        assert status == 0, text


def main():
    catalog_fits()
    if not shutil.which("systemd-analyze"):
        print("no systemd-analyze here: package systemd")
        return SKIP
    with tempfile.TemporaryDirectory(prefix="lagd-units-") as folder:
        units_are_good(folder)
        exposure_is_low(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
