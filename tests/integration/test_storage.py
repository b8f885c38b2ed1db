"""A disk that is full or refuses: lagd lives, tells so, and goes on with the same numbers when it works again.

The disk is made full by a limit on the size of files: neither the database's log nor a checkpoint fits any more.
"""
import os
import random
import resource
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body, same_points

GROWTH = {"target": {"n_layer": 3}, "when": {"at_step": 30}, "probe": {"steps": 12, "eval_every": 4},
          "pool": ["stack", "midas", "llama_pro"]}
SMALL = "[storage]\nmin_free_bytes = 0\n"


def started(folder, name, **flags):
    place = os.path.join(folder, name)
    os.mkdir(place)
    daemon = Daemon(place, **flags)
    daemon.start()
    daemon.upload("words", lagd.text())
    return daemon


def limit(daemon, n_bytes):
    """-1: none."""
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (n_bytes, -1))


def harvest(daemon):
    assert not [e for e in daemon.events() if e["type"] == "determinism.mismatch"]
    run = daemon.get("/runs/r")
    return (daemon.final_weights("r"), run["step"], run["tokens"], run["flops"],
            run["model"]["n_layer"]), daemon.points("r")


def train(daemon):
    daemon.post("/runs", run_body("r", "words", start=False))
    growth = daemon.post("/runs/r/growths", GROWTH)["id"]
    daemon.post("/runs/r/resume")
    return growth


def ended(daemon):
    return daemon.get("/runs/r")["state"] == "completed"


def progress(daemon):
    growth = daemon.get("/growths")["items"][0]
    return daemon.get("/runs/r")["step"], growth["state"], growth["progress"]["done_steps"]


def the_disk_fills_up_and_drains(folder):
    """Again and again, also while probing, deciding and applying; in the end nothing differs."""
    daemon = started(folder, "good")
    train(daemon)
    daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
    expected = harvest(daemon)
    daemon.terminate()
    for seed in range(2):
        rng = random.Random(seed)
        daemon = started(folder, str(seed), config=SMALL)
        train(daemon)
        n_times = 0
        while not ended(daemon):
            limit(daemon, rng.choice([4096, 60000, 200000]))
            time.sleep(rng.uniform(0.05, 0.4))
            assert daemon.alive(), daemon.log()
            limit(daemon, -1)
            before, deadline = progress(daemon), time.monotonic() + 3
            while progress(daemon) == before and time.monotonic() < deadline and not ended(daemon):
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.03))
            n_times += 1
            assert n_times < 50
        result = harvest(daemon)
        assert result[0] == expected[0], (result[0], expected[0])
        same_points(result[1], expected[1], "after a full disk")
        daemon.terminate()


def what_a_person_sees_meanwhile(folder):
    daemon = started(folder, "full", config=SMALL)
    endless = run_body("r", "words", schedule={"max_steps": 1000000}, checkpoint={"every_steps": 20})
    daemon.post("/runs", endless)
    daemon.wait_for("/runs/r", lambda r: r["step"] > 40)
    assert daemon.request("GET", "/readyz")[0] == 200
    limit(daemon, 4096)
    deadline = time.monotonic() + 20
    while daemon.request("GET", "/readyz")[0] != 503:
        assert time.monotonic() < deadline, "a full disk is not told"
        time.sleep(0.05)
    assert b"full" in daemon.request("GET", "/readyz")[2]
    try:
        daemon.post("/runs", dict(endless, name="another"))
        raise AssertionError("a run was created on a full disk")
    except Problem as problem:
        assert problem.status == 507 and "full" in problem.body["detail"], problem
    # a cancellation is kept until it can be stored
    answers = []
    asking = threading.Thread(target=lambda: answers.append(daemon.post("/runs/r/cancel")))
    asking.start()
    time.sleep(0.7)
    assert not answers
    limit(daemon, -1)
    asking.join()
    assert answers[0]["state"] == "cancelled", answers
    assert daemon.request("GET", "/readyz")[0] == 200
    daemon.call("DELETE", "/runs/r")
    # SIGTERM does not wait for room
    daemon.post("/runs", endless)
    daemon.wait_for("/runs/r", lambda r: r["step"] > 40)
    limit(daemon, 4096)
    time.sleep(0.7)
    begin = time.monotonic()
    daemon.process.terminate()
    daemon.process.wait(20)
    assert time.monotonic() - begin < 5 and daemon.process.returncode in (0, 1)
    daemon.start()
    daemon.wait_for("/runs/r", lambda r: r["state"] == "running")
    daemon.terminate()


def keep_writing(daemon):
    """Until it ends by itself."""
    deadline = time.monotonic() + lagd.slow(60)
    while daemon.alive():
        assert time.monotonic() < deadline, daemon.log()
        try:
            daemon.call("PATCH", "/runs/r", {"note": str(time.monotonic())})
        except (Problem, OSError, lagd.http.client.HTTPException):
            time.sleep(0.01)
    daemon.process.wait()


def the_disk_refuses(folder):
    """After an error of the device nothing is trusted: lagd ends with a status, and a restart goes on."""
    daemon = started(folder, "good")
    train(daemon)
    daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
    expected = harvest(daemon)
    daemon.terminate()
    for n in (8, 25):
        daemon = started(folder, f"refuses{n}")
        daemon.terminate()
        daemon.start(failpoints=f"store.commit_io=fail@{n}")
        try:
            train(daemon)
        except (Problem, OSError, lagd.http.client.HTTPException):
            pass
        keep_writing(daemon)  # a run alone may make fewer commits
        assert daemon.process.returncode == 1 and "until lagd is restarted" in daemon.log(), daemon.log()
        daemon.start()
        if not daemon.get("/runs")["items"]:
            train(daemon)
        elif daemon.get("/runs/r")["state"] == "paused":
            if not daemon.get("/runs/r")["growth"]:
                daemon.post("/runs/r/growths", GROWTH)
            daemon.post("/runs/r/resume")
        daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
        result = harvest(daemon)
        assert result[0] == expected[0], (n, result[0], expected[0])
        same_points(result[1], expected[1], f"after refusal {n}")
        daemon.terminate()


if __name__ == "__main__":
    lagd.main(the_disk_fills_up_and_drains, what_a_person_sees_meanwhile, the_disk_refuses)
