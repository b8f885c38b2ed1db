"""lagctl finds runs, changes how they are called, and says what they wait for.

usage: test_lagctl_runs.py LAGD [CASE…]; LAGCTL names the lagctl to try.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon
from test_found import GROWTH

LAGCTL = os.path.abspath(os.environ.get("LAGCTL", "lagctl"))


def the_words_of_a_person(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())

    def ctl(*words, status=0):
        done = subprocess.run([LAGCTL, "--socket", daemon.socket, *words], capture_output=True, text=True,
                              timeout=lagd.slow(60), check=False)
        assert done.returncode == status, (words, done)
        return done.stdout if status == 0 else done.stderr

    def listed(*options):
        return ctl("run", "list", "-o", "name", *options).split()
    for i, name in enumerate(("alpha", "beta", "gamma")):
        daemon.post("/runs", lagd.run_body(name, "words", start=False, schedule={"max_steps": 60}, seed=i))
    assert "beta: paused" in ctl("run", "edit", "beta", "--tag", "default,grown", "--note", "second try")
    assert daemon.get("/runs/beta")["tags"] == ["default", "grown"]
    ctl("run", "edit", "gamma", "--tag", "default", "--keep-best", "2", "--name", "delta")
    delta = daemon.get("/runs/delta")
    assert delta["tags"] == ["default"] and delta["checkpoint"]["keep_best"] == 2, delta
    assert listed("--tag", "default") == ["delta", "beta"] and listed("--search", "SECOND") == ["beta"]
    assert listed("--tag", "default", "--sort", "name") == ["beta", "delta"]
    assert listed("--sort", "name", "--order", "desc", "--limit", "2") == ["delta", "beta"]
    ctl("run", "edit", "delta", "--tag", "")
    assert daemon.get("/runs/delta")["tags"] == [] and listed("--tag", "default") == ["beta"]
    assert "--sort" in ctl("run", "list", "--sort", "loss", status=2)
    assert "exists already" in ctl("run", "edit", "delta", "--name", "alpha", status=4)

    growth = daemon.post("/runs/alpha/growths", GROWTH)["id"]
    ctl("run", "resume", "alpha")
    daemon.wait_for("/runs/alpha", lambda r: r["waiting_for"] == "approval")
    assert listed("--waiting-for", "approval") == ["alpha"]
    lines = ctl("ps").splitlines()
    assert "WAITS FOR" in lines[0] and "approval" in next(line for line in lines if line.startswith("alpha")), lines
    assert growth in ctl("run", "show", "alpha") and "to approve" in ctl("top")
    ctl("grow", "approve", growth)
    for condition, part in (("state=done", "no run is ever done; there are queued, running"),
                            ("state=completed,don", "no run is ever don;")):
        assert part in ctl("wait", "alpha", "--for", condition, status=2)
    assert "no growth is ever won" in ctl("wait", growth, "--for", "state=won", status=2)
    ctl("wait", growth, "--for", "state=applied,rejected")
    best = daemon.wait_for("/runs/alpha", lambda r: r["state"] == "completed")["best"]
    shown = json.loads(ctl("run", "show", "alpha", "-o", "json"))
    assert shown["best"] == best and f"{best['value']:.4f}" in ctl("run", "show", "alpha")
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(the_words_of_a_person)
