#!/usr/bin/python3
"""The tour of README.md, command by command as it is printed; only places are others and numbers smaller."""
import array
import json
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

def blocks(heading):
    """The sh blocks below a heading of the second level."""
    with open(README, encoding="utf-8") as f:
        section = re.search(rf"^## {heading}\n(.*?)^## ", f.read(), re.S | re.M).group(1)
    return re.findall(r"^```sh\n(.*?)^```", section, re.S | re.M)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


ADDRESS = f"127.0.0.1:{free_port()}"
# What is printed, and what it is here: other places, and numbers that take less time.
HERE = [("/tmp/lagd", "FOLDER/lagd"), ("wait=30", "wait=1"),
        ('"n_embd": 128, "n_positions": 64', '"n_embd": 32, "n_positions": 32'),
        ('"max_steps": 900', '"max_steps": 60'), ('"at_step": 400', '"at_step": 20'),
        ('"steps": 50, "eval_every": 10', '"steps": 20, "eval_every": 10'), ("--at 400 --lag 50", "--at 20 --lag 20"),
        ("--steps 200\n", "--steps 20\n"), ('"max_steps": 100}', '"max_steps": 20}')]


def script_of(folder, parts):
    script = "".join(parts)
    script = re.sub(r"^\./dev .*\n", "", script, flags=re.M)
    script = re.sub(r"^bible \S+ > (\S+)$", r"cp bible.txt \1", script, flags=re.M)
    with open(README, encoding="utf-8") as f:
        readme = f.read()
    for printed, here in [*HERE, ("build/lagd ", lagd.LAGD + " "), ("$PWD/build/cli", os.path.dirname(lagctl())),
                          ("127.0.0.1:7437", ADDRESS)]:
        assert printed in readme, f"README.md has no {printed}"
        script = script.replace(printed, here)
    return script.replace("FOLDER", folder)


def lagctl():
    return os.environ.get("LAGCTL") or os.path.join(os.path.dirname(lagd.LAGD), "cli", "lagctl")


def play(folder, parts):
    with open(os.path.join(folder, "bible.txt"), "w") as f:
        f.write(lagd.text(100000))
    # lagctl would find this address by itself if no other lagd were on this machine
    run = subprocess.run(["bash", "-c", BEFORE + script_of(folder, parts)], cwd=folder, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, env={**os.environ, "LAGD_HOST": ADDRESS})
    assert run.returncode == 0, f"status {run.returncode}\n{run.stdout[-3000:]}\n{run.stderr[-3000:]}"
    return run.stdout


def by_hand():
    parts = []
    for block in blocks("The same by hand"):
        if "GROWTH=" in block:
            parts.append("wait_for /runs/first completed\n")
        parts.append(block)
    return parts


def check_lagctl(folder, told):
    for words in ("kjv: 100000 tokens", "After a lag of 20 steps", "train/loss", "final", "And God said"):
        assert words in told, (words, told[-4000:])
    with open(os.path.join(folder, "points.jsonl")) as f:
        assert len(f.readlines()) == 61
    assert os.path.getsize(os.path.join(folder, "second.tar")) > 50000


def tour(folder):
    """By curl, and then by lagctl beside what that left."""
    told = play(folder, [*by_hand(), "echo HALF\ncp points.jsonl curl.jsonl\n", *blocks("lagctl")])
    curl, client = told.split("HALF\n")
    tokens = json.loads(re.search(r'^{.*"nanogpt".*}$', curl, re.M).group())
    assert (tokens["name"], tokens["n_tokens"]) == ("tokens", 100000), tokens
    with open(os.path.join(folder, "my.txt"), "rb") as text, open(os.path.join(folder, "train.bin"), "rb") as file:
        assert array.array("H", file.read()).tolist() == [*text.read()]
    assert "After a lag of 20 steps" in curl, curl[-3000:]
    with open(os.path.join(folder, "curl.jsonl")) as f:
        assert len(f.readlines()) == 61
    assert os.path.getsize(os.path.join(folder, "model.safetensors")) > 100000
    taken = [name for name in os.listdir(folder) if name.endswith("-hf")]
    assert len(taken) == 1 and "tokenizer.json" in os.listdir(os.path.join(folder, taken[0])), taken
    check_lagctl(folder, client)
    with open(os.path.join(folder, "lagd.log")) as f:
        log = f.read()
    assert f"dashboard: open http://{ADDRESS}/ in a browser" in log or "dashboard: not there" in log, log[:1000]


def lagctl_by_itself(folder):
    check_lagctl(folder, play(folder, [by_hand()[0], *blocks("lagctl")]))


# The two runs: what the one ended with, and what the other began with, on other windows.
LOSSES = """
for of in gpt:60 gpt-tuned:0; do
    lagctl api GET "/runs/${of%:*}/series?key=val/loss&from=${of#*:}&to=${of#*:}" | jq -c '.series["val/loss"].last[0]'
done
"""


def gpt2_of_ones_own(folder):
    """Begun and left, done, and done again, as a person may do it."""
    parts = blocks("Grow your own GPT-2")
    begun = "".join(parts).split("lagctl wait")[0]
    told = play(folder, [by_hand()[0], begun, "echo AGAIN\n", *parts, "echo AGAIN\n", *parts, "echo LOSSES\n", LOSSES])
    _, first, again = told.split("AGAIN\n")
    again, losses = again.split("LOSSES\n")
    for words in ("After a lag of 20 steps", "And God said", "gpt-tuned", "tokenizer.json", "model.safetensors"):
        assert words in first and words in again, (words, again[-4000:])
    ended, began = map(float, losses.split())
    assert abs(ended - began) < 0.02, (ended, began)
    with open(os.path.join(folder, "gpt-hf", "tokenizer.json"), encoding="utf-8") as f:
        size = len(json.load(f)["model"]["vocab"])
    with open(os.path.join(folder, "gpt-hf", "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    assert (config["vocab_size"], config["n_layer"], config["eos_token_id"]) == (size, 6, 0) and size > 300, config
    with open(os.path.join(folder, "gpt.gguf"), "rb") as f:
        assert f.read(4) == b"GGUF"


def demo(folder):
    """The other way to begin; it takes the first port that is free."""
    text = os.path.join(folder, "demo.txt")
    with open(text, "w") as f:
        f.write(lagd.text(50000))
    smaller = {"BUILD": lagd.LAGD, "TEXT": text, "STEPS": "45", "GROW_AT": "4", "LAG": "4"}
    run = subprocess.run(["sh", os.path.join(os.path.dirname(README), "cli", "demo.sh")], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, env={**os.environ, **smaller})
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    base = re.search(r"^lagd .* at (http://127\.0\.0\.1:\d+)/api/v1", run.stdout, re.M).group(1)
    assert f"\ndashboard {base}/ " in run.stdout or "\ndashboard none in this build" in run.stdout, run.stdout[:1000]
    if f"\ndashboard {base}/ " in run.stdout:
        assert re.search(rf"^look at   {base}/#/growths/gr_\w+\?near=true$", run.stdout, re.M), run.stdout[-2000:]
    assert re.search(r"^the point Step 0 (would have taken|could not choose)", run.stdout, re.M), run.stdout[-3000:]


if __name__ == "__main__":
    lagd.main(tour, lagctl_by_itself, gpt2_of_ones_own, demo)
