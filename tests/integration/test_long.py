"""What would be one long transaction is many short ones: nobody waits for it, and a kill in between loses nothing and
leaves nothing behind."""
import os
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body, until

N_POINTS = 150000


def database(daemon):
    return sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db"))


def prepared(folder):
    """Two runs that have ended; the first has many points."""
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    for name in ("long", "other"):
        daemon.post("/runs", run_body(name, "words", schedule={"max_steps": 20}))
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    daemon.terminate()
    db = database(daemon)
    with db:
        db.execute("INSERT INTO series (owner, key, exact, n_points, first_step, last_step) "
                   "SELECT id, 'made/up', 0, ?, 1, ? FROM runs WHERE name = 'long'", (N_POINTS, N_POINTS))
        db.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO points "
                   "SELECT (SELECT id FROM series WHERE key = 'made/up'), i, 0.5 FROM n", (N_POINTS,))
        db.execute("UPDATE sqlite_sequence SET seq = (SELECT max(id) FROM series) WHERE name = 'series'")
    db.close()
    return daemon


def count(daemon, what):
    db = sqlite3.connect(f"file:{daemon.state_dir}/lagd.db?mode=ro", uri=True)
    try:
        return db.execute(f"SELECT count(*) FROM {what}").fetchone()[0]
    finally:
        db.close()


def a_kill_while_a_run_goes(folder):
    """Between the small transactions: the run is gone for readers, its name is free, and the next start finishes."""
    daemon = prepared(folder)
    daemon.start("sweep.committed=kill@5")
    try:
        daemon.call("DELETE", "/runs/long")
    except (OSError, lagd.http.client.HTTPException):
        pass
    daemon.process.wait(lagd.slow(60))
    assert count(daemon, "runs WHERE name = 'long'") == 0
    assert 0 < count(daemon, "points WHERE value = 0.5") < N_POINTS
    daemon.start("sweep.committed=kill@3")
    daemon.process.wait(lagd.slow(60))
    n_left = count(daemon, "points WHERE value = 0.5")
    daemon.start()
    try:
        daemon.get("/runs/long")
        raise AssertionError("a deleted run is there again")
    except Problem as problem:
        assert problem.status == 404, problem
    assert len(daemon.points("other")) == 21  # with the one before the first step
    daemon.post("/runs", run_body("long", "words", schedule={"max_steps": 20}))
    assert until(lambda: count(daemon, "points WHERE value = 0.5") == 0, 60), "points stay for ever"
    assert n_left > 0
    assert until(lambda: count(daemon, "deleted") == 0, 60)
    daemon.wait_for("/runs/long", lambda r: r["state"] == "completed")
    assert os.listdir(os.path.join(daemon.state_dir, "runs")) and len(daemon.points("long")) == 21
    assert until(lambda: b"lagd_db_sweeping 0" in daemon.request("GET", "/metrics")[2], 60)
    daemon.terminate()


def the_supervisor_does_not_wait_for_a_folder(folder):
    """Files may be many and large: who deletes waits for them, nobody else does."""
    daemon = prepared(folder)
    daemon.start("run.folder=sleep:3000")
    path = os.path.join(daemon.state_dir, "runs", daemon.get("/runs/long")["id"])
    assert os.path.isdir(path)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(daemon.request("DELETE", "/api/v1/runs/long")[0]))
    asking.start()
    assert until(lambda: count(daemon, "runs") == 1, 20)
    daemon.call("PATCH", "/runs/other", {"note": "meanwhile"})
    assert not answers, "the folder had gone before the supervisor answered another command"
    asking.join()
    assert answers == [204] and not os.path.exists(path)
    daemon.terminate()


def old_events_go_a_few_at_a_time(folder):
    daemon = prepared(folder)
    db = database(daemon)
    with db:
        db.execute("UPDATE events SET ts_ms = ts_ms - 86400000 * 31 WHERE seq < 5")
        db.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
                   "INSERT INTO events (seq, ts_ms, type, step) SELECT -i, 1, 'system.warning', -1 FROM n")
    db.close()
    daemon.start()
    assert until(lambda: count(daemon, "events WHERE seq < 5") == 0, 60)
    assert daemon.events()[0]["seq"] == 5
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_kill_while_a_run_goes, the_supervisor_does_not_wait_for_a_folder, old_events_go_a_few_at_a_time)
