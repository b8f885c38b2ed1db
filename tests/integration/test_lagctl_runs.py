"""lagctl finds runs, changes how they are called, and says what they wait for.

usage: test_lagctl_runs.py LAGD [CASE…]; LAGCTL names the lagctl to try.
"""
import json
import os
import re
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
    assert "dashboard        http://127.0.0.1:" in ctl("status") or not daemon.get("/system")["dashboard"]
    lines_of_events(ctl, growth)
    sides(daemon, ctl)
    daemon.terminate()


def lines_of_events(ctl, growth):
    """No ids, and no number without its name."""
    lines = ctl("logs", "alpha")
    assert not any(part in lines for part in (growth, "cand_", "ckpt_", "run_")), lines
    assert re.search(r"candidate.state  completed  step \d+  loss \d.\d+  stack\n", lines), lines
    assert re.search(r"growth.decision  step \d+  margin \d", lines), lines
    lines = ctl("events")
    assert "  alpha  completed" in lines and "run_" not in lines, lines
    assert growth in ctl("events", "-o", "jsonl")


def sides(daemon, ctl):
    """compare, lineage, and points as rows."""
    daemon.post("/runs", lagd.run_body("other", "words", schedule={"max_steps": 40}))
    daemon.wait_for("/runs/other", lambda r: r["state"] == "completed")
    text = ctl("compare", "alpha", "other")
    assert "schedule/max_steps  60" in text and "DIFFERENT" in text, text
    answer = json.loads(ctl("compare", "alpha,other", "--at", "20", "-o", "json"))
    losses = [run["metrics"]["train/loss"]["at"] for run in answer["runs"]]
    lines = ctl("compare", "alpha,other", "--at", "20").splitlines()
    assert all(f"{loss:.4f}" in line for loss, line in zip(losses, lines[1:])), (losses, lines)
    assert "alpha" not in ctl("compare", "--tag", "default,grown") and "beta" in ctl("compare", "--tag", "grown")
    assert "name runs" in ctl("compare", status=2) and "does not exist" in ctl("compare", "nobody", status=3)
    text = ctl("lineage", "alpha")
    assert "CHECKPOINTS" in text and "AT LAG" in text and "applied" in text, text
    rows = ctl("export", "other", "--csv").splitlines()
    assert rows[0].startswith("step,") and len(rows) == 42, rows[:3]
    assert rows == ctl("export", "other", "--format", "csv").splitlines()
    assert rows == ctl("export", "other", "--format", "csv", "--csv").splitlines()
    for words in (("--csv", "--format", "jsonl"), ("--format", "jsonl", "--csv")):
        said = ctl("export", "other", *words, status=2)
        assert "--csv" in said and "--format" in said and "leave one of them out" in said, said
    # where a growth is planned
    daemon.post("/runs", lagd.run_body("later", "words", start=False, schedule={"max_steps": 100}))
    daemon.post("/runs/later/growths", {**GROWTH, "when": {"at_step": 47}})
    head, *rows = ctl("grow", "list", "later").splitlines()
    at = head.index("PLANNED")
    assert rows[0][:at + len("PLANNED")].rstrip().endswith("47") and "queued" in rows[0], (head, rows)
    for group in ("run", "ckpt", "grow"):
        assert f"  {group} list" in ctl(group, "--help")


if __name__ == "__main__":
    lagd.main(the_words_of_a_person)
