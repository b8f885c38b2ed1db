"""The points of a long probe become the run's in short transactions: killed between them nothing is missing, and
nothing is left where the growth is given up there."""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import run_body, same_points, started

AT, LAG, STEPS = 20, 1300, 1500
GROWTH = {"target": {"n_layer": 2}, "when": {"at_step": AT}, "probe": {"steps": LAG, "eval_every": 100},
          "pool": ["stack"]}


def body(name, **changes):
    model = {"n_layer": 1, "n_head": 1, "n_embd": 8, "n_positions": 8}
    return run_body(name, "words", **{"model": model, "schedule": {"max_steps": STEPS}, "start": False,
                                      "batch": {"sequences": 1, "tokens_per_sequence": 8},
                                      "eval": {"every_steps": 100}, "checkpoint": {"every_steps": 700}, **changes})


def begin(folder, **changes):
    daemon = started(folder)
    daemon.post("/runs", body("r", **changes))
    growth = daemon.post("/runs/r/growths", GROWTH)["id"]
    daemon.terminate()
    return daemon, growth


def completed(daemon):
    return daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")


def dies(daemon, failpoints):
    daemon.start(failpoints=failpoints)
    try:
        if daemon.get("/runs/r")["state"] == "paused":
            daemon.post("/runs/r/resume")
    except (OSError, lagd.http.client.HTTPException):
        pass
    assert lagd.until(lambda: not daemon.alive(), 60), failpoints


def last_point(daemon):
    """As the database has it."""
    with sqlite3.connect(f"file:{daemon.state_dir}/lagd.db?mode=ro", uri=True) as database:
        last = database.execute("SELECT max(points.step) FROM points JOIN series ON series.id = points.series "
                                "JOIN runs ON runs.id = series.owner").fetchone()[0]
    database.close()
    return last


def killed_on_the_way(folder):
    os.makedirs(folder + "/whole")
    whole, _ = begin(folder + "/whole")
    whole.start()
    whole.post("/runs/r/resume")
    completed(whole)
    os.makedirs(folder + "/killed")
    daemon, growth = begin(folder + "/killed")
    for n in (1, 2, 1):
        dies(daemon, f"growth.adopted=kill@{n}")
        assert AT < last_point(daemon) < AT + LAG, last_point(daemon)
    dies(daemon, "growth.after_apply=kill@1")
    daemon.start()
    run = completed(daemon)
    assert daemon.get(f"/growths/{growth}")["state"] == "applied" and run["model"]["n_layer"] == 2
    same_points(daemon.points("r"), whole.points("r"), "killed while its points were taken over")
    assert daemon.final_weights("r") == whole.final_weights("r")
    series = {s["key"]: s for s in daemon.get("/runs/r/metrics")["items"]}
    for s in whole.get("/runs/r/metrics")["items"]:
        assert {k: v for k, v in series[s["key"]].items() if not s["key"].startswith("perf/")} == \
               {k: v for k, v in s.items() if not s["key"].startswith("perf/")}, (s, series[s["key"]])
    assert not [e for e in daemon.events() if e["type"] == "determinism.mismatch"]
    daemon.terminate()
    whole.terminate()


def given_up_on_the_way(folder):
    """A person cancels the run that a crash left in the middle: what it had taken over of the probe goes."""
    daemon, growth = begin(folder, on_crash="pause")
    dies(daemon, "growth.adopted=kill@2")
    daemon.start()
    run = daemon.get("/runs/r")
    assert run["state"] == "paused" and daemon.get(f"/growths/{growth}")["state"] == "applying", run
    assert max(daemon.points("r")) > AT
    daemon.post("/runs/r/cancel")
    run = daemon.get("/runs/r")
    assert daemon.get(f"/growths/{growth}")["state"] == "cancelled", run
    assert max(daemon.points("r")) == AT == run["step"], (max(daemon.points("r")), run["step"])
    daemon.terminate()


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as program:
        if b"LAGD_FAILPOINTS" not in program.read():
            sys.exit(77)
    lagd.main(killed_on_the_way, given_up_on_the_way)
