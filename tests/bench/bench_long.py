#!/usr/bin/python3
"""What others wait while much is removed: a run with millions of points is deleted, and old events are pruned.

usage: bench_long.py LAGD [--points N] [--events N]

Asks for a run (GET) and changes its note (PATCH) all the while, first at rest, then meanwhile. Prints one JSON line.
Compare two programs by running both in one sitting: other programs on the machine make every figure worse.
"""
import argparse
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import lagd

REST_S = 5


def fill(daemon, n_points, n_events):
    db = sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db"))
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
    with db:
        for i in range(4 if n_points else 0):
            db.execute("INSERT INTO series (owner, key, exact, n_points, first_step, last_step) "
                       "SELECT id, ?, 0, ?, 1, ? FROM runs WHERE name = 'long'",
                       (f"made/{i}", n_points // 4, n_points // 4))
            db.execute(numbers + "INSERT INTO points SELECT (SELECT id FROM series WHERE key = ?), i, 1.0 / i FROM n",
                       (n_points // 4, f"made/{i}"))
        if n_events:  # older than those that are there, and so before them
            db.execute("UPDATE events SET seq = -seq")
            db.execute(numbers + "INSERT INTO events (seq, ts_ms, type, run_id, step, message) SELECT i, 1, "
                       "'system.warning', 'run_none', i, 'a message of some length, as events have' FROM n",
                       (n_events,))
            db.execute("UPDATE events SET seq = ? - seq WHERE seq < 0", (n_events,))
            db.execute("UPDATE sqlite_sequence SET seq = (SELECT max(seq) FROM events) WHERE name = 'events'")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


class Asking:
    """Asks one after another, pausing in between, until it is ended."""

    def __init__(self, ask, pause):
        self.ask, self.pause, self.took, self.ends = ask, pause, [], False
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.ends:
            begin = time.monotonic()
            self.ask()
            self.took.append(time.monotonic() - begin)
            time.sleep(self.pause)

    def end(self):
        self.ends = True
        self.thread.join()
        took = sorted(self.took)
        return {"n": len(took), "p50_ms": round(took[len(took) // 2] * 1e3, 2),
                "p99_ms": round(took[min(len(took) - 1, int(0.99 * len(took)))] * 1e3, 2),
                "max_ms": round(took[-1] * 1e3, 2)}


def memory_mb(daemon, key):
    with open(f"/proc/{daemon.process.pid}/status") as f:
        return round(next(int(line.split()[1]) for line in f if line.startswith(key)) * 1024 / 1e6, 1)


def left(daemon, table):
    db = sqlite3.connect(f"file:{daemon.state_dir}/lagd.db?mode=ro", uri=True)
    try:
        return db.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]
    finally:
        db.close()


def measure(daemon, work):
    """Both kinds of requests while work() runs."""
    get = Asking(lambda: daemon.get("/runs/other"), 0.005)
    patch = Asking(lambda: daemon.call("PATCH", "/runs/other", {"note": str(time.monotonic())}, timeout=600), 0.02)
    begin = time.monotonic()
    work()
    seconds = round(time.monotonic() - begin, 2)
    return {"seconds": seconds, "get": get.end(), "patch": patch.end()}


def until_gone(daemon, what):
    while left(daemon, what):
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("lagd")
    parser.add_argument("--points", type=int, default=3000000)
    parser.add_argument("--events", type=int, default=1000000)
    asked = parser.parse_args()
    lagd.LAGD = os.path.abspath(asked.lagd)
    folder = tempfile.mkdtemp(prefix="lagd-bench-")
    result = {"points": asked.points, "events": asked.events}
    try:
        daemon = lagd.started(folder)
        for name in ("long", "other"):
            daemon.post("/runs", lagd.run_body(name, "words", schedule={"max_steps": 20}))
            daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
        daemon.terminate()
        fill(daemon, asked.points, 0)
        daemon.start()
        result["rest"] = measure(daemon, lambda: time.sleep(REST_S))
        result["rss_mb_before"] = memory_mb(daemon, "VmRSS")
        answered = []

        def delete():
            begin = time.monotonic()
            daemon.call("DELETE", "/runs/long", timeout=3600)
            answered.append(round(time.monotonic() - begin, 3))
            until_gone(daemon, "points WHERE value = 1.0")
        result["delete"] = measure(daemon, delete)
        result["delete"]["answer_s"] = answered[0]
        result["rss_mb_peak"] = memory_mb(daemon, "VmHWM")
        daemon.terminate()
        fill(daemon, 0, asked.events)
        daemon.start()
        result["prune"] = measure(daemon, lambda: until_gone(daemon, "events WHERE ts_ms = 1"))
        result["prune"]["rss_mb_peak"] = memory_mb(daemon, "VmHWM")
        daemon.terminate()
        print(json.dumps(result))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
