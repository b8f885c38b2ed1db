"""The factor that rollbacks leave of a learning rate goes with the checkpoints: whatever a run goes on from, it goes on
with the rate that belongs there."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import run_body, same_points, started

STEPS, EVERY = 200, 40


def body(name, **changes):
    return run_body(name, "words", **{"checkpoint": {"every_steps": EVERY, "keep_last": 9},
                                      "schedule": {"max_steps": STEPS}, "start": False, **changes})


def lost(*steps):
    """Steps that are not finite, counted from the start of the daemon, of all runs."""
    return ",".join(f"train.nonfinite=fail@{n}" for n in steps)


def completed(daemon, name):
    return daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")


def scales(daemon, name):
    return [e["value"] for e in daemon.events(name) if e["type"] == "run.rollback"]


def an_older_database_is_put_back(folder):
    """From before the rollbacks, beside the checkpoints from behind them. Also killed on the way."""
    daemon = started(folder)
    daemon.post("/runs", body("r", on_crash="pause"))
    daemon.terminate()
    old = os.path.join(folder, "old.db")
    shutil.copy(daemon.state_dir + "/lagd.db", old)
    daemon.start(failpoints=lost(53, 66) + ",run.after_step=sleep:200@110")
    daemon.post("/runs/r/resume")
    daemon.wait_for("/runs/r", lambda r: r["step"] >= 85, pace=0.002)
    daemon.post("/runs/r/pause")
    before = daemon.get("/runs/r")
    assert (before["state"], before["lr_scale"], scales(daemon, "r")) == ("paused", 0.5, [1, 0.5]), before
    daemon.terminate()
    copy = os.path.join(folder, "copy")
    shutil.copytree(daemon.state_dir, copy)
    daemon.start()
    daemon.post("/runs/r/resume")
    completed(daemon, "r")
    weights, points = daemon.final_weights("r"), daemon.points("r")
    assert points[before["step"] + 1]["optim/lr"] < points[EVERY]["optim/lr"] * 0.6, points[before["step"] + 1]
    daemon.terminate()
    shutil.rmtree(daemon.state_dir)
    shutil.move(copy, daemon.state_dir)
    for end in ("-wal", "-shm"):
        if os.path.exists(daemon.state_dir + "/lagd.db" + end):
            os.unlink(daemon.state_dir + "/lagd.db" + end)
    shutil.copy(old, daemon.state_dir + "/lagd.db")
    assert not daemon.start(failpoints="checkpoint.adopting=kill@2")
    daemon.start()
    run = daemon.get("/runs/r")
    assert run["lr_scale"] == 0.5 and daemon.get("/runs/r/checkpoints")["items"][0]["step"] == before["step"], run
    daemon.post("/runs/r/resume")
    completed(daemon, "r")
    assert daemon.final_weights("r") == weights
    same_points({s: v for s, v in daemon.points("r").items() if s > before["step"]},
                {s: v for s, v in points.items() if s > before["step"]}, "with the rate of the newer database")
    daemon.terminate()


def a_rollback_keeps_its_rate(folder):
    """Over kills between the rollback and the next checkpoint, where the one that the run goes on from tells another;
    and where the newest is damaged."""
    daemon = started(folder)
    daemon.post("/runs", body("r"))
    daemon.terminate()
    daemon.start(failpoints=lost(53, 66) + ",run.before_step=kill@75")
    daemon.post("/runs/r/resume")
    assert lagd.until(lambda: not daemon.alive(), 30)
    daemon.start()
    assert daemon.get("/runs/r")["lr_scale"] == 0.5
    run = completed(daemon, "r")
    assert run["lr_scale"] == 0.5 and scales(daemon, "r") == [1, 0.5], run
    points, weights = daemon.points("r"), daemon.final_weights("r")
    daemon.post("/runs", body("whole"))
    daemon.terminate()
    daemon.start(failpoints=lost(53, 66))
    daemon.post("/runs/whole/resume")
    assert completed(daemon, "whole")["lr_scale"] == 0.5
    assert daemon.final_weights("whole") == weights
    same_points(daemon.points("whole"), points, "killed after a rollback")
    daemon.terminate()


def forks_take_that_of_their_checkpoint(folder):
    daemon = started(folder)
    daemon.post("/runs", body("r"))
    daemon.terminate()
    daemon.start(failpoints=lost(93, 106))
    daemon.post("/runs/r/resume")
    assert completed(daemon, "r")["lr_scale"] == 0.5
    at = {c["step"]: c["id"] for c in daemon.get("/runs/r/checkpoints")["items"]}
    for step, scale in ((40, 1), (80, 1), (120, 0.5), (200, 0.5)):
        name = f"from-{step}"
        fork = daemon.post("/runs/r/fork", {"checkpoint": at[step], "name": name, "start": False})
        assert fork["lr_scale"] == scale and daemon.get(f"/runs/{name}")["lr_scale"] == scale, (step, fork)
    daemon.kill()
    daemon.start()
    daemon.post("/runs/from-120/resume")
    completed(daemon, "from-120")
    assert daemon.final_weights("from-120") == daemon.final_weights("r")
    again = daemon.get("/runs/from-120/checkpoints")["items"][0]["id"]
    assert daemon.post("/runs/from-120/fork", {"checkpoint": again, "start": False})["lr_scale"] == 0.5
    daemon.terminate()


def what_another_file_did_is_forgotten(folder):
    """Rollbacks on a file that had changed: taken back behind the change, the run has the rate from before it, and
    its next rollback is a first one."""
    daemon = started(folder)
    dataset = daemon.get("/datasets/words")["id"]
    path = os.path.join(daemon.state_dir, "datasets", dataset, "upload.txt")
    text = lagd.text().encode()
    daemon.post("/runs", body("whole"))
    daemon.post("/runs/whole/resume")
    completed(daemon, "whole")
    daemon.post("/runs", body("r"))
    daemon.terminate()
    daemon.start(failpoints=lost(53, 66, 119) + ",run.before_step=sleep:3000@72")
    daemon.post("/runs/r/resume")
    daemon.wait_for("/runs/r", lambda r: r["n_rollbacks"] == 2)
    with open(path, "r+b") as f:
        f.write(text.replace(b"e", b"o"))
    run = daemon.wait_for("/runs/r", lambda r: r["state"] == "paused")
    assert (run["step"], run["lr_scale"]) == (EVERY, 1), run
    with open(path, "r+b") as f:
        f.write(text)
    daemon.post("/runs/r/resume")
    run = completed(daemon, "r")
    assert scales(daemon, "r") == [1, 0.5, 1] and run["lr_scale"] == 1, (run, scales(daemon, "r"))
    assert daemon.final_weights("r") == daemon.final_weights("whole")
    daemon.terminate()


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as program:
        if b"LAGD_FAILPOINTS" not in program.read():
            sys.exit(77)
    lagd.main(an_older_database_is_put_back, a_rollback_keeps_its_rate, forks_take_that_of_their_checkpoint,
              what_another_file_did_is_forgotten)
