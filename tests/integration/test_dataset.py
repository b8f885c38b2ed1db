"""A dataset that changes under a run is noticed, whatever changes it: what was trained on other bytes is never kept,
and with the file restored the run ends with the same numbers as one that nobody disturbed."""
import os
import sqlite3
import sys
import time
from contextlib import closing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body, same_points

STEPS = 1200
GROWTH = {"target": {"n_layer": 3}, "when": {"at_step": 40}, "probe": {"steps": 160, "eval_every": 40},
          "pool": ["stack", "midas", "random"]}


def body(name, dataset="words", **more):
    return run_body(name, dataset, **{"schedule": {"max_steps": STEPS}, "eval": {"every_steps": 100},
                                      "checkpoint": {"every_steps": 200}, **more})


def opened(folder):
    """A daemon with a registered and an uploaded text; where their files lie."""
    data = os.path.join(folder, "data")
    os.makedirs(data)
    path = os.path.join(data, "words.txt")
    write(path, lagd.text().encode())
    daemon = Daemon(folder, config=f"[storage]\ndataset_roots = {data}\n")
    daemon.start()
    daemon.post("/datasets", {"name": "words", "path": "words.txt"})
    id = daemon.upload("sent", lagd.text())["id"]
    return daemon, path, os.path.join(daemon.state_dir, "datasets", id, "upload.txt")


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


def write_in_place(path, content):
    """Over the old bytes, and as old as before."""
    before = os.stat(path)
    with open(path, "r+b") as f:
        f.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path, content):
    write(path + ".new", content)
    os.rename(path + ".new", path)


def other(content):
    return content.replace(b"e", b"o")


# How the file changes, and whether the run has to stop for it.
CHANGES = {
    "in-place": (lambda path, text: write_in_place(path, other(text)), True),
    "appended": (lambda path, text: write(path, text + b"and more"), True),
    "cut": (lambda path, text: os.truncate(path, 3000), True),
    "replaced": (lambda path, text: replace(path, other(text)), True),
    "removed": (lambda path, text: os.unlink(path), True),
    "touched": (lambda path, text: os.utime(path), False),
    "copied-back": (lambda path, text: replace(path, text), False),
    "written-again": (write_in_place, False),
}


def ends(daemon, name):
    daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    assert not [e for e in daemon.events(name) if e["type"] == "determinism.mismatch"], name
    return daemon.final_weights(name), daemon.points(name)


def check_paused(daemon, name, seen_step):
    run = daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "paused")
    assert "resume the run once the dataset is back" in run["reason"], run
    assert run["step"] <= seen_step + 400, (run["step"], seen_step)
    newest = max((c["step"] for c in daemon.get(f"/runs/{name}/checkpoints")["items"]), default=0)
    points = daemon.points(name)
    assert run["step"] == newest and max(points, default=0) == newest, (run["step"], newest, max(points, default=0))
    return run


def each_change_is_noticed(folder):
    daemon, registered, sent = opened(folder)
    text = lagd.text().encode()
    daemon.post("/runs", body("good"))
    good = ends(daemon, "good")
    for name, (change, stops) in CHANGES.items():
        dataset, path = ("sent", sent) if name in ("in-place", "touched") else ("words", registered)
        daemon.post("/runs", body(name, dataset))
        at = daemon.wait_for(f"/runs/{name}", lambda r: r["step"] > 250, pace=0.005)["step"]
        change(path, text)
        if stops:
            check_paused(daemon, name, at)
            daemon.post(f"/runs/{name}/resume")  # not yet
            daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "paused")
            replace(path, text)
            daemon.post(f"/runs/{name}/resume")
        result = ends(daemon, name)
        states = [e["state"] for e in daemon.events(name) if e["type"] == "run.state"]
        assert states.count("paused") == (2 if stops else 0), (name, states)
        assert result[0] == good[0], name
        same_points(result[1], good[1], name)
    daemon.terminate()


def a_file_that_was_another_for_a_while(folder):
    """Changed and restored between two looks: steps that saw the other bytes are not kept either."""
    daemon, path, _ = opened(folder)
    text = lagd.text().encode()
    daemon.post("/runs", body("good"))
    good = ends(daemon, "good")
    daemon.post("/runs", body("flickers"))
    for at in range(100, STEPS, 150):
        run = daemon.wait_for("/runs/flickers", lambda r: r["step"] > at or r["state"] != "running")
        with open(path, "r+b") as f:
            f.write(other(text))
            f.seek(0)
            time.sleep(0.005)
            f.write(text)
        if run["state"] == "paused":
            daemon.post("/runs/flickers/resume")
    daemon.wait_for("/runs/flickers", lambda r: r["state"] in ("paused", "completed"))
    if daemon.get("/runs/flickers")["state"] == "paused":
        daemon.post("/runs/flickers/resume")
    result = ends(daemon, "flickers")
    assert result[0] == good[0]
    same_points(result[1], good[1], "after other bytes for a while")
    daemon.terminate()


def a_growth_is_not_decided_on_it(folder):
    daemon, path, _ = opened(folder)
    text = lagd.text().encode()
    verdicts = []
    for name in ("good", "changed"):
        daemon.post("/runs", body(name, start=False))
        id = daemon.post(f"/runs/{name}/growths", GROWTH)["id"]
        daemon.post(f"/runs/{name}/resume")
        if name == "changed":
            daemon.wait_for(f"/growths/{id}", lambda g: g["progress"]["done_steps"] > 10, pace=0.002)
            write_in_place(path, other(text))
            run = daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "paused")
            growth = daemon.get(f"/growths/{id}")
            assert growth["state"] == "probing" and growth["decision"] is None, growth
            assert run["growth"] is not None and run["step"] == 40, run
            write_in_place(path, text)
            daemon.post(f"/runs/{name}/resume")
        ended = ends(daemon, name)
        growth = daemon.get(f"/growths/{id}")
        assert growth["state"] == "applied", growth
        verdicts.append((ended, growth["decision"]["verdict"],
                         [(c["operator"], c["loss_at_0"], c["loss_at_lag"]) for c in growth["candidates"]]))
    assert verdicts[0] == verdicts[1]
    daemon.terminate()


def stamps(daemon):
    with closing(sqlite3.connect(f"file:{daemon.state_dir}/lagd.db?mode=ro", uri=True)) as db:
        return dict((row[0], row[1:]) for row in
                    db.execute("SELECT name, device, inode, mtime_ns, ctime_ns FROM datasets"))


def a_database_without_stamps(folder):
    """As an older lagd left it: the file is hashed at the next opening, and its stamp is stored."""
    daemon, path, _ = opened(folder)
    daemon.terminate()
    with closing(sqlite3.connect(f"{daemon.state_dir}/lagd.db")) as db:
        db.execute("UPDATE datasets SET device = 0, inode = 0, mtime_ns = 0, ctime_ns = 0")
        db.commit()
    daemon.start()
    lagd.until(lambda: time.time() > os.stat(path).st_ctime + 2.1, 10)  # until then a stamp may miss a write
    daemon.post("/runs", run_body("r", "words"))
    ends(daemon, "r")
    there = os.stat(path)
    assert stamps(daemon)["words"] == (there.st_dev, there.st_ino, there.st_mtime_ns, there.st_ctime_ns)
    daemon.terminate()


def a_large_file(folder):
    """Above 256 MiB only the stamp is compared as long as it is the same; another one has the file hashed, which a
    pause cuts short and which holds no other run up."""
    if any(name in lagd.BEFORE for name in lagd.SANITIZERS):
        return  # they make hashing slow, and nothing else of it
    daemon, path, _ = opened(folder)
    large = os.path.join(folder, "data", "large.txt")
    write(large, lagd.text().encode())
    os.truncate(large, 257 << 20)  # a hole that is read as zeros
    daemon.post("/datasets", {"name": "large", "path": "large.txt"})
    made = daemon.wait_for("/datasets/large", lambda d: d["n_tokens"] == 257 << 20)
    assert made["n_bytes"] == 257 << 20
    daemon.post("/runs", body("r", "large", schedule={"max_steps": 100000}))
    daemon.wait_for("/runs/r", lambda r: r["step"] > 100)
    with open(large, "r+b") as f:
        f.seek(200 << 20)
        f.write(b"x")
    run = daemon.wait_for("/runs/r", lambda r: r["state"] == "paused")
    assert "SHA-256" in run["reason"], run
    with open(large, "r+b") as f:
        f.seek(200 << 20)
        f.write(b"\0")
    if lagd.has_failpoints():
        daemon.terminate()
        daemon.start(failpoints="dataset.hash=sleep:3000@20")
    daemon.post("/runs/r/resume")
    time.sleep(0.2)
    asked = time.monotonic()
    daemon.post("/runs/r/pause")
    assert time.monotonic() - asked < lagd.slow(10)
    daemon.wait_for("/runs/r", lambda r: r["state"] == "paused")
    daemon.post("/runs/r/resume")
    at = daemon.get("/runs/r")["step"]
    daemon.wait_for("/runs/r", lambda r: r["state"] == "running" and r["step"] > at + 50)
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(each_change_is_noticed, a_file_that_was_another_for_a_while, a_growth_is_not_decided_on_it,
              a_database_without_stamps, a_large_file)
