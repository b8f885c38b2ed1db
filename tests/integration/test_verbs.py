"""What was answered has happened: verbs, kills and each other in any order."""
import glob
import os
import random
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body, same_points

GROWTH = {"target": {"n_layer": 3}, "when": {"at_step": 30}, "probe": {"steps": 12, "eval_every": 4},
          "pool": [{"operator": "stack", "lr": "restart"}, {"operator": "stack", "lr": "rewarm"},
                   {"operator": "random", "lr": "rewarm_new"}, {"operator": "midas", "optimizer": "reset"}]}
LONG = dict(GROWTH, probe={"steps": 150, "eval_every": 4})
BROKEN = (OSError, lagd.http.client.HTTPException)


def started(folder, name, **flags):
    place = os.path.join(folder, name)
    os.mkdir(place)
    daemon = Daemon(place, **flags)
    daemon.start()
    daemon.upload("words", lagd.text())
    return daemon


def patience(seconds, kills):
    """How long the next kill is waited for at most: more each time, so that any machine gets on."""
    return lagd.slow(seconds) * 1.08 ** kills


def prepare(daemon, growth, **changes):
    daemon.post("/runs", run_body("r", "words", start=False, **changes))
    id = daemon.post("/runs/r/growths", growth)["id"]
    daemon.post("/runs/r/resume")
    return id


def harvest(daemon):
    run = daemon.get("/runs/r")
    events = daemon.events()
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1)), "events have gaps"
    assert not [e for e in events if e["type"] == "determinism.mismatch"]
    return (daemon.final_weights("r"), run["step"], run["tokens"], run["flops"],
            run["model"]["n_layer"]), daemon.points("r")


def undisturbed(folder, growth, answer=None):
    daemon = started(folder, "undisturbed")
    id = prepare(daemon, growth)
    if answer:
        daemon.wait_for(f"/growths/{id}", lambda g: g["state"] == "awaiting_approval")
        daemon.post(f"/growths/{id}/decision", answer)
    daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
    result = harvest(daemon)
    daemon.terminate()
    return result


def check(daemon, expected):
    result = harvest(daemon)
    assert result[0] == expected[0], (result[0], expected[0])
    same_points(result[1], expected[1], "disturbed")


def answers_survive_a_kill(folder):
    daemon = started(folder, "acknowledged")
    daemon.post("/runs", run_body("a", "words", schedule={"max_steps": 100000}))
    daemon.wait_for("/runs/a", lambda r: r["step"] > 0)
    assert daemon.post("/runs/a/pause")["state"] == "paused"
    daemon.kill()
    daemon.start()
    assert daemon.get("/runs/a")["state"] == "paused"
    daemon.post("/runs/a/resume")
    daemon.kill()
    daemon.start()
    daemon.wait_for("/runs/a", lambda r: r["state"] == "running")
    assert daemon.post("/runs/a/cancel")["state"] == "cancelled"
    daemon.kill()
    daemon.start()
    assert daemon.get("/runs/a")["state"] == "cancelled"
    growth = prepare(daemon, LONG, schedule={"max_steps": 400})
    daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == "probing")
    assert daemon.post("/runs/r/cancel")["state"] == "cancelled"
    daemon.kill()
    daemon.start()
    assert daemon.get("/runs/r")["state"] == "cancelled" and daemon.get(f"/growths/{growth}")["state"] == "cancelled"
    assert {c["state"] for c in daemon.get(f"/growths/{growth}")["candidates"]} <= {"cancelled", "completed"}
    for name in "ar":
        daemon.call("DELETE", f"/runs/{name}")
    assert not glob.glob(daemon.state_dir + "/runs/*")
    database = sqlite3.connect(f"file:{daemon.state_dir}/lagd.db?mode=ro", uri=True)
    for table in ("runs", "growths", "candidates", "probe_losses", "decisions", "checkpoints", "checkpoint_files",
                  "series",
                  "points"):
        # what belonged to them is swept soon after the answer
        assert lagd.until(lambda: database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), 20), table
    database.close()
    daemon.terminate()


def verbs_in_a_storm(folder):
    """Pauses, resumes, checkpoints and kills at random change nothing."""
    expected = undisturbed(folder, GROWTH)
    rng = random.Random(int(os.environ.get("LAGD_SEED", "3")))
    kills = 0
    for i in range(2):
        daemon = started(folder, str(i))
        prepare(daemon, GROWTH)
        while True:
            end = time.monotonic() + rng.uniform(0, patience(0.3, kills))
            while time.monotonic() < end:
                try:
                    daemon.post("/runs/r/" + rng.choice(["pause", "resume", "checkpoint", "resume"]))
                except Problem as problem:
                    assert problem.status == 409, problem
                except BROKEN:
                    break
                time.sleep(0.005)
            daemon.kill()
            kills += 1
            daemon.start()
            if daemon.get("/runs/r")["state"] == "completed":
                break
        check(daemon, expected)
        daemon.terminate()
    print(f"        {kills} kills survived")


def a_person_decides_in_a_storm(folder):
    expected = undisturbed(folder, dict(GROWTH, mode="manual"), {"approve": True})
    rng = random.Random(int(os.environ.get("LAGD_SEED", "3")))
    daemon = started(folder, "killed")
    growth = prepare(daemon, dict(GROWTH, mode="manual"))
    kills = 0
    while daemon.get("/runs/r")["state"] != "completed":
        if daemon.get(f"/growths/{growth}")["state"] == "awaiting_approval" and rng.random() < 0.5:
            daemon.post(f"/growths/{growth}/decision", {"approve": True})
        time.sleep(rng.uniform(0, patience(0.12, kills)))
        daemon.kill()
        kills += 1
        daemon.start()
    check(daemon, expected)
    daemon.terminate()
    print(f"        {kills} kills survived")


def at_the_first_and_the_last_step(folder):
    """A growth at step 0, and one whose probe ends at max_steps."""
    for at in (0, 188):
        growth = dict(GROWTH, when={"at_step": at})
        place = os.path.join(folder, f"at{at}")
        os.mkdir(place)
        expected = undisturbed(place, growth)
        assert sorted(s for s in expected[1] if "train/loss" in expected[1][s]) == list(range(1, 201))
        assert "val/loss" in expected[1][0] and "val/loss" in expected[1][200]
        daemon = started(place, "killed")
        prepare(daemon, growth)
        rng = random.Random(at)
        kills = 0
        while daemon.get("/runs/r")["state"] != "completed":
            time.sleep(rng.uniform(0, patience(0.1, kills)))
            daemon.kill()
            daemon.start()
            kills += 1
        check(daemon, expected)
        daemon.terminate()


if __name__ == "__main__":
    lagd.main(answers_survive_a_kill, verbs_in_a_storm, a_person_decides_in_a_storm, at_the_first_and_the_last_step)
