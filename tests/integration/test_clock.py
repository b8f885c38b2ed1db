"""The clock is wrong: years ahead, a year back, 1970. Nothing is removed for it, and lists stay in order."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

DAY_MS = 86400000


def wrong_by(days):
    return {"LAGD_CLOCK_WRONG_BY_MS": str(int(days * DAY_MS))}


def restart(daemon, env=None):
    daemon.terminate()
    daemon.start(env=env)
    # pruning is part of the first turn of the main loop
    daemon.wait_for("/system", lambda s: True)


def names(daemon, path, ascending=False):
    items = daemon.get(path)["items"]
    return [item.get("name") or item["id"] for item in (reversed(items) if ascending else items)]


def nothing_is_removed_for_a_jump(folder):
    daemon = lagd.started(folder)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 20}))
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    before = daemon.events()
    key = {"Idempotency-Key": "made-once"}
    made = daemon.post("/runs", run_body("two", "words", start=False), headers=key)
    for days in (4000, -365, -20000, 120, 0):
        restart(daemon, wrong_by(days))
        again = daemon.post("/runs", run_body("two", "words", start=False), headers=key)
        assert again["id"] == made["id"], f"{days} days: a key was forgotten"
        time.sleep(0.3)
        assert daemon.events()[:len(before)] == before, f"{days} days: events are gone"
        told = re.findall("the clock says .* set the clock right", daemon.log())
        assert bool(told) == (days != 0) or days == 0, daemon.log()
    # a machine that was off for 40 days: what is old by now goes
    restart(daemon, wrong_by(40))
    assert lagd.until(lambda: len(daemon.events()) < len(before), 20), "nothing is pruned any more"
    daemon.terminate()


def order_is_that_of_creation(folder):
    daemon = Daemon(folder)
    order = []
    for number, days in enumerate((0, 4000, -365, -19000, 0)):
        daemon.start(env=wrong_by(days))
        daemon.call("POST", f"/datasets?name=d{number}", lagd.text(6000, number), {"Content-Type": "text/plain"})
        daemon.post("/runs", run_body(f"r{number}", f"d{number}", start=False, schedule={"max_steps": 500}))
        growth = {"target": {"n_layer": 4}, "when": {"at_step": 300}, "pool": ["stack", "midas"]}
        daemon.post(f"/runs/r{number}/growths", growth)
        order.append(number)
        assert names(daemon, "/runs") == [f"r{i}" for i in reversed(order)], names(daemon, "/runs")
        assert names(daemon, "/datasets") == [f"d{i}" for i in reversed(order)], names(daemon, "/datasets")
        runs = [growth["run"] for growth in daemon.get("/growths")["items"]]
        wanted = [daemon.get(f"/runs/r{i}")["id"] for i in order]
        assert runs in (wanted, [f"r{i}" for i in order]), (runs, wanted)
        # by pages
        seen, cursor = [], ""
        while cursor is not None:
            page = daemon.get("/runs?limit=2" + (f"&cursor={cursor}" if cursor else ""))
            seen += [run["name"] for run in page["items"]]
            cursor = page["next_cursor"]
        assert seen == [f"r{i}" for i in reversed(order)], seen
        seqs = [event["seq"] for event in daemon.events()]
        assert seqs == sorted(seqs)
        daemon.terminate()


def the_newest_checkpoint_is_the_one_written_last(folder):
    """Two of one step, the later one written under a clock that went back a year."""
    daemon = lagd.started(folder)
    daemon.post("/runs", run_body("one", "words", checkpoint={"every_steps": 1000, "keep_last": 5},
                                  schedule={"max_steps": 100000}))
    daemon.wait_for("/runs/one", lambda r: r["step"] > 5)
    daemon.post("/runs/one/pause")
    daemon.wait_for("/runs/one", lambda r: r["state"] == "paused")
    restart(daemon, wrong_by(-365))
    daemon.post("/runs/one/resume")
    step = daemon.get("/runs/one")["step"]
    daemon.wait_for("/runs/one", lambda r: r["state"] == "running" and r["step"] > step)
    daemon.post("/runs/one/pause")
    daemon.wait_for("/runs/one", lambda r: r["state"] == "paused")
    run, newest = daemon.get("/runs/one"), daemon.get("/runs/one/checkpoints")["items"]
    assert newest[0]["step"] == run["step"] and newest[0]["step"] > newest[1]["step"], newest
    assert daemon.get("/checkpoints")["items"][0]["id"] == newest[0]["id"]
    daemon.terminate()


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as f:
        if b"LAGD_FAILPOINTS" in f.read():
            lagd.main(nothing_is_removed_for_a_jump, order_is_that_of_creation,
                      the_newest_checkpoint_is_the_one_written_last)
