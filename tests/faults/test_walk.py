"""A short walk over single faults, and the proof that a walk notices: what is broken on purpose has to be found.

usage: test_walk.py LAGD [CASE…]; FAULTS_LIBRARIES names the folder of the libraries that are preloaded.
./dev faults walks further.
"""
import errno
import glob
import os
import random
import shutil
import signal
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cycle
import ledger
import plan
import power
import walk
from cycle import Cycle, lagd

LIBRARIES = os.path.abspath(os.environ.get("FAULTS_LIBRARIES", "."))
FAULTS, RECORD = (os.path.join(LIBRARIES, name) for name in ("libfaults.so", "librecord.so"))


def change(text, *values):
    """Breaks a row of the database while no daemon runs."""
    def do(one):
        db = sqlite3.connect(f"{one.daemon.state_dir}/lagd.db")
        assert db.execute(text, values).rowcount > 0, text
        db.commit()
        db.close()
    return do


def remove_folders(one):
    for path in glob.glob(f"{one.daemon.state_dir}/runs/*"):
        shutil.rmtree(path)


def leave_a_file(one):
    with open(f"{one.daemon.state_dir}/.someone", "w", encoding="utf-8") as file:
        file.write("left")


def train_with_another_rate(one):
    one.daemon.start()
    one.daemon.call("DELETE", "/runs/grows")
    body = lagd.run_body("grows", "words", **cycle.GROWS)
    body["optim"]["lr"] *= 1.0001
    one.daemon.post("/runs", body)
    one.daemon.call("PATCH", "/runs/grows", {"note": cycle.NOTE})
    one.daemon.post("/runs/grows/growths", cycle.GROWTH)
    one.daemon.post("/runs/grows/resume")
    one.daemon.wait_for("/runs/grows", lambda r: r["state"] == "completed")
    one.daemon.terminate()


# What is broken between a good cycle and the look at it, and the classes of which one has to be found.
BROKEN = [
    ({"lost"}, change("DELETE FROM datasets WHERE name = 'verses'")),
    ({"lost"}, change("UPDATE runs SET config = replace(config, 'note=kept', 'note=')")),
    ({"wrong bits", "cannot go on"}, remove_folders),
    ({"left over"}, leave_a_file),
    ({"wrong bits"}, train_with_another_rate),
]


def the_judge_notices(folder):
    """Each kind of loss is found, and nothing where nothing is lost."""
    whole = Cycle(os.path.join(folder, "whole"), None, 60)
    whole.live()
    expected = whole.judge(None)
    assert not whole.faults and not whole.told, whole.faults + whole.told
    for i, (wanted, break_it) in enumerate(BROKEN):
        one = Cycle(os.path.join(folder, str(i)), None, 60)
        one.live()
        break_it(one)
        one.judge(expected)
        assert wanted & {fault.kind for fault in one.faults}, (i, wanted, one.faults)


def broken_from_outside(folder, name, number, limit):
    """The classes that are found when the daemon gets this signal in the middle of a cycle."""
    one = Cycle(os.path.join(folder, name), None, limit)

    def strike():
        while not one.acked.get("start") and not one.faults:
            time.sleep(0.005)
        one.daemon.process.send_signal(number)
    thread = threading.Thread(target=strike)
    thread.start()
    one.live()
    thread.join()
    return {fault.kind for fault in one.faults}


def deaths_and_standstills_are_noticed(folder):
    assert broken_from_outside(folder, "dies", signal.SIGABRT, 60) == {"crash"}  # a sanitizer takes SIGSEGV for its own
    assert broken_from_outside(folder, "stands", signal.SIGSTOP, 2) == {"hang"}


def single_calls_fail(folder):
    """A walk of one fault a kind: no crash, no wrong bit, nothing lost, no run that cannot go on."""
    walker = walk.Walk(FAULTS, 2, folder)
    _, calls = walker.undisturbed()
    few = {"thread": 10, "map": 3, "rename": 5}
    assert all(calls[kind] >= few.get(kind, 10) for kind in walk.ERRORS), calls
    walker.summary(walker.walk_all(walker.choose(len(walk.ERRORS), list(walk.ERRORS), random.Random(2))))
    assert not walker.found, dict(walker.found)
    assert sum(walker.missed.values()) <= 4, walker.missed


def a_walk_goes_on(folder):
    """What was walked without harm is not walked again by the same programs; what broke something is."""
    path = os.path.join(folder, "walked")
    names = [f"read:{site:x}:1:EIO" for site in (10, 11, 12)]
    one = ledger.Ledger(path, [FAULTS])
    one.add(names[0], False)
    one.add(names[1], True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(names[2])  # the power went
    again = ledger.Ledger(path, [FAULTS])
    assert [again.has(name) for name in names] == [True, True, False] and again.missed == 1
    assert again.has("read:a:2:EIO") and not again.has("write:a:1:EIO")
    walker = walk.Walk(FAULTS, 1, folder)
    walker.undisturbed()
    faults = walker.go_on(walker.choose(2, ["rename", "sync"], random.Random(1)), path)
    assert len(faults) == 2  # the ledger of other programs counts for nothing
    walker.walk_all(faults)
    assert not walker.found and not walker.go_on(faults, path), walker.found
    broken = walk.Walk(FAULTS, 1, folder)
    broken.expected, broken.kinds, broken.limit = {**walker.expected, "points": {}}, walker.kinds, walker.limit
    broken.ledger = ledger.Ledger(path + "2", [FAULTS])
    assert broken.walk(faults[0]) and not broken.ledger.sites


def a_fault_that_lasts(folder):
    """The disk refuses every write for a while, and then no more; or the daemon is stopped meanwhile."""
    walker = walk.Walk(FAULTS, 2, folder)
    _, calls = walker.undisturbed()
    walker.walk_all([walk.Single("write", 0, calls["write"] // 6, "ENOSPC", (0.3, stop)) for stop in (False, True)])
    assert not walker.found and not sum(walker.missed.values()), (walker.found, walker.missed)


def locks_are_refused_at_a_stop(folder):
    """The system refuses every lock from some moment on, and SQLite is patient. The stop is not, however many runs."""
    daemon = lagd.Daemon(folder, "--threads", "1")
    faults = plan.Plan(folder + "/faults.map")
    daemon.start(env=plan.environment(FAULTS, faults.path, daemon.state_dir))
    daemon.upload("words", lagd.text())
    names = [f"r{i}" for i in range(4)]
    for name in names:
        daemon.post("/runs", lagd.run_body(name, "words", schedule={"max_steps": 100000}))
    for name in names:
        daemon.wait_for(f"/runs/{name}", lambda r: r["step"] >= 5)
    before = {name: daemon.get(f"/runs/{name}")["step"] for name in names}
    faults.arm(faults.kinds().index("lock"), 0, 0, plan.ALL, errno.ENOLCK)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.wait(lagd.slow(45))
    assert daemon.process.returncode in (0, 1) and faults.failed()[0], (daemon.process.returncode, daemon.log())
    daemon.start()
    for name in names:
        run = daemon.wait_for(f"/runs/{name}", lambda r: r["step"] > before[r["name"]] + 5)
        assert run["state"] == "running", run
    assert not [e for e in daemon.events() if e["type"] == "determinism.mismatch"]
    daemon.terminate()


def disks_keep_what_fsync_covers(folder):
    """Of a file that is written aside and renamed into a new folder: without each fsync something may be lost."""
    assert folder
    data = bytes(range(256)) * 16
    made = [("MKDIR", "/r/a"), ("CREATE", "/r/a/.x"), ("WRITE", "/r/a/.x"), ("SYNC", "/r/a/.x"),
            ("MKDIR", "/r/b"), ("RENAME", "/r/a/.x", "/r/b/x"), ("SYNC", "/r/b"), ("SYNC", "/r")]

    def disks(left_out):
        changes = []
        for i, (name, path, *to) in enumerate(made):
            change, file = getattr(power, name), 1 if "x" in path else None
            if i != left_out:
                changes.append(power.Change(i, change, file, path, to[0] if to else "", 0,
                                            data if name == "WRITE" else b""))
        return {power.make_disk("/r", changes, len(changes), seed)[0].get("/r/b/x") for seed in range(100)}
    assert disks(None) == {data}
    for i, (name, *_) in enumerate(made):
        if name == "SYNC":
            assert disks(i) > {data}, made[i]


def power_is_lost(folder):
    """Some moments of one cycle; and a disk that ignores every fsync is noticed."""
    losses = power.Losses(RECORD, folder, 60)
    expected = losses.record()
    moments = losses.moments(10, random.Random(3))
    for i, moment in enumerate(moments):
        one, text = losses.lose(moment, i, expected)
        assert not one.faults, (text, one.faults)
    losses.changes = [one._replace(change=power.WRITE, file=None) if one.change == power.SYNC else one
                      for one in losses.changes]
    found = set()
    for i in range(20):
        found |= {fault.kind for fault in losses.lose(len(losses.changes), i, expected)[0].faults}
        if "lost" in found:
            return
    raise AssertionError(f"on a disk that ignores fsync only this was found: {found}")


if __name__ == "__main__":
    if "TSAN_OPTIONS" in os.environ:
        print("what is preloaded does not go with ThreadSanitizer")
        sys.exit(77)
    lagd.main(the_judge_notices, deaths_and_standstills_are_noticed, single_calls_fail, a_walk_goes_on,
              a_fault_that_lasts, locks_are_refused_at_a_stop, disks_keep_what_fsync_covers, power_is_lost)
