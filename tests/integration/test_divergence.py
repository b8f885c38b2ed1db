"""A run whose numbers are lost: what is told of it agrees at every moment, wherever it is asked."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

TOKENS = 4 * 32  # of a step of run_body


def told(daemon, run, what):
    """The run; asserts that its step, its tokens, its points and its latest values are of one moment."""
    row = daemon.get(f"/runs/{run}")
    points = daemon.points(run)
    last = max(points) if points else 0
    assert row["step"] == last, f"{what}: step {row['step']}, last point {last}"
    assert row["tokens"] == last * TOKENS, f"{what}: {row['tokens']} tokens at step {last}"
    for key, value in row["latest"].items():
        if not key.startswith("perf/"):
            step = max((step for step in points if key in points[step]), default=None)
            assert points.get(step, {}).get(key) == value, f"{what}: latest {key} {value} is not of step {step}"
    series = daemon.get(f"/runs/{run}/series?key=train/loss")
    assert not series["step"] or series["step"][-1] == last, f"{what}: {series['step'][-1]}"
    client = os.environ.get("LAGCTL") or os.path.join(os.path.dirname(lagd.LAGD), "cli", "lagctl")
    said = subprocess.run([client, "--socket", daemon.socket, "run", "show", run, "-o", "json"], capture_output=True,
                          timeout=lagd.slow(20), check=True).stdout
    assert json.loads(said)["step"] == last, f"{what}: lagctl {said}"
    return row


def diverging(name, **changes):
    body = {"optim": {"lr": 10, "grad_clip": 0, "weight_decay": 10},
            "schedule": {"warmup_steps": 0, "kind": "constant", "max_steps": 200, "min_lr": 0}, **changes}
    return run_body(name, "words", **body)


def a_run_that_is_given_up(folder):
    daemon = lagd.started(folder)
    for name, changes in (("plain", {}), ("often", {"checkpoint": {"every_steps": 3}}),
                          ("never", {"checkpoint": {"every_steps": 100}}), ("wide", {"eval": {"every_steps": 2}})):
        daemon.post("/runs", diverging(name, **changes))
        assert lagd.until(lambda: daemon.get(f"/runs/{name}")["state"] == "failed", 60), daemon.get(f"/runs/{name}")
        run = told(daemon, name, name)
        assert "not finite" in run["reason"] and run["n_rollbacks"] >= 1, run
        failed = [e for e in daemon.events(name) if e["type"] == "run.state" and e.get("state") == "failed"]
        assert failed and failed[-1]["step"] == run["step"], (failed, run["step"])
    daemon.kill()  # and the next start changes nothing about it
    daemon.start()
    for name in ("plain", "often", "never", "wide"):
        told(daemon, name, name + " after a restart")
    daemon.terminate()


def a_run_that_goes_back(folder):
    """Looked at between its return and its next step."""
    daemon = Daemon(folder)
    # step 13 is lost once; 14 is the first after the return to 10, or to the start
    daemon.start("train.nonfinite=fail@13,run.before_step=sleep:2500@14,"
                 "train.nonfinite=fail@76,run.before_step=sleep:2500@77")
    daemon.upload("words", lagd.text())
    for name, every, back in (("near", 10, 10), ("far", 100, 0)):
        daemon.post("/runs", run_body(name, "words", checkpoint={"every_steps": every}, eval={"every_steps": 5},
                                      schedule={"max_steps": 60, "warmup_steps": 10}))
        run = daemon.wait_for(f"/runs/{name}", lambda r: r["n_rollbacks"] == 1)
        assert run["step"] == back, run
        assert told(daemon, name, name)["step"] == back
        assert any(e["type"] == "run.rollback" for e in daemon.events(name))
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
        assert told(daemon, name, name + " at its end")["step"] == 60
    daemon.terminate()


def a_follower_is_told_in_order(folder):
    """No point from beyond is told behind the rollback that took it back."""
    daemon = Daemon(folder)
    daemon.start("train.nonfinite=fail@13,run.before_step=sleep:1500@14,hub.turn=sleep:300@20,hub.turn=sleep:300@30")
    daemon.upload("words", lagd.text())
    run = daemon.post("/runs", run_body("back", "words", checkpoint={"every_steps": 10}, start=False,
                                        schedule={"max_steps": 40, "warmup_steps": 10}))["id"]
    connection = lagd.UnixConnection(daemon.socket, lagd.slow(60))
    connection.request("GET", f"/api/v1/events?run={run}&topics=run,metric&follow=true",
                       headers={"Accept": "application/x-ndjson"})
    lines = connection.getresponse()
    daemon.post("/runs/back/resume")
    last, back, ended = -1, None, False
    deadline = time.monotonic() + lagd.slow(60)
    while time.monotonic() < deadline:
        event = json.loads(lines.readline() or "{}")
        if event.get("type") == "run.rollback":
            back = last = 10
        for step in event.get("step", []) if event.get("type") == "run.metric" else []:
            assert step > last, (step, last, event)
            last = step
        ended = ended or event.get("state") == "completed"
        if ended and back and last > back:
            break
    assert ended and back == 10 and last > 10, (ended, back, last)
    connection.close()
    daemon.terminate()


def losses_that_explode(folder):
    """A rate that rises until training is lost: told once for each explosion, over kill -9 too; and not of a growth."""
    daemon = lagd.started(folder)
    blown = {"optim": {"lr": 1.0, "grad_clip": 1.0, "weight_decay": 0}, "eval": {"every_steps": 10},
             "schedule": {"kind": "constant", "warmup_steps": 150, "max_steps": 200, "min_lr": 0}}
    daemon.post("/runs", run_body("blown", "words", **blown))
    daemon.wait_for("/runs/blown", lambda r: r["health"] == "diverged")
    assert daemon.get("/compare?runs=blown&series=")["runs"][0]["health"] == "diverged"
    told_first = [e for e in daemon.events("blown") if e["type"] == "run.diverged"]
    daemon.kill()  # what came after the last checkpoint is computed again
    daemon.start()
    run = daemon.wait_for("/runs/blown", lambda r: r["state"] == "completed")
    losses = [v["val/loss"] for _, v in sorted(daemon.points("blown").items()) if v.get("val/loss") is not None]
    assert run["health"] == "diverged" and losses[-1] > min(losses) + 0.5, (run["health"], losses)
    events = [e for e in daemon.events("blown") if e["type"] == "run.diverged"]
    assert events[:1] == told_first[:1] and events[0]["rule"] == "diverged", (told_first, events)
    assert len({e["step"] for e in events}) == len(events), events
    assert "above its lowest" in events[0]["message"] and events[0]["value"] > min(losses) + 0.5, events
    marks = daemon.get("/runs/blown/series?key=val/loss")["marks"]
    assert [m["step"] for m in marks] == [e["step"] for e in events][::-1], marks
    lagd.grown(daemon, pool=("random",))
    run = daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    assert run["health"] in ("good", "above_best"), run
    assert not [e for e in daemon.events("one") if e["type"] == "run.diverged"]
    daemon.post("/runs", run_body("fresh", "words", start=False))
    assert daemon.get("/runs/fresh")["health"] is None
    daemon.terminate()


if __name__ == "__main__":
    cases = [a_run_that_is_given_up]
    with open(sys.argv[1], "rb") as f:
        if b"LAGD_FAILPOINTS" in f.read():
            cases += [a_run_that_goes_back, a_follower_is_told_in_order]
    lagd.main(*cases, losses_that_explode)
