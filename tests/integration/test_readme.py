#!/usr/bin/python3
"""The tour of README.md, command by command as it is printed; only places are others and numbers smaller."""
import array
import os
import re
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")

# Any answer that is a problem ends the tour.
BEFORE = """
set -euo pipefail
curl() { command curl --noproxy '*' --fail-with-body -sS "$@"; }
wait_for() {
    for i in $(seq 600); do
        [ "$(curl "$A$1" | jq -r .state)" != "$2" ] || return 0
        sleep 0.1
    done
    echo "$1 is not $2:" >&2
    curl "$A$1?pretty" >&2
    return 1
}
trap 'kill "$!" && wait "$!"' EXIT
"""

READY = """
for i in $(seq 300); do command curl -fs --unix-socket FOLDER/lagd.sock http://localhost/readyz && break
    sleep 0.1; done
"""


def blocks(heading):
    """The sh blocks below a heading of the second level."""
    with open(README, encoding="utf-8") as f:
        section = re.search(rf"^## {heading}\n(.*?)^## ", f.read(), re.S | re.M).group(1)
    return re.findall(r"^```sh\n(.*?)^```", section, re.S | re.M)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tour(folder):
    script = BEFORE
    for block in blocks("The same by hand"):
        if "GROWTH=" in block:
            script += "wait_for /runs/first completed\n"
        script += block
        if "build/lagd" in block:
            script += READY
    # what is prepared here, where it lies, and how long it takes
    script = re.sub(r"^\./dev .*\n|^bible .*\n", "", script, flags=re.M)
    for printed, here in [("build/lagd ", lagd.LAGD + " "), ("/tmp/lagd", "FOLDER/lagd"), ("FOLDER", folder),
                          ("127.0.0.1:7437", f"127.0.0.1:{free_port()}"), ("wait=30", "wait=1"),
                          ('"max_steps": 900', '"max_steps": 60'), ('"at_step": 400', '"at_step": 20'),
                          ('"steps": 50, "eval_every": 10', '"steps": 20, "eval_every": 10')]:
        assert printed in script, f"README.md has no {printed}"
        script = script.replace(printed, here)
    with open(os.path.join(folder, "my.txt"), "w") as f:
        f.write(lagd.text(100000))
    with open(os.path.join(folder, "train.bin"), "wb") as f:
        array.array("H", [i * i * 7919 % 50257 for i in range(5000)]).tofile(f)
    run = subprocess.run(["bash", "-c", script], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert run.returncode == 0, f"status {run.returncode}\n{run.stdout[-3000:]}\n{run.stderr[-3000:]}"
    assert '"nanogpt"' in run.stdout and '"n_tokens":5000' in run.stdout.replace(" ", ""), run.stdout[:3000]
    assert "After a lag of 20 steps" in run.stdout, run.stdout[-3000:]
    with open(os.path.join(folder, "points.jsonl")) as f:
        assert len(f.readlines()) == 61
    assert os.path.getsize(os.path.join(folder, "model.safetensors")) > 1000000


if __name__ == "__main__":
    lagd.main(tour)
