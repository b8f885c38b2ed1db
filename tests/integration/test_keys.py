"""Idempotency-Key: what is asked again under the same key happens once, over refusals, restarts and kill -9."""
import http.client
import json
import os
import random
import socket
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

REPLAYED = "Idempotency-Replayed"


def started(folder, *flags):
    daemon = Daemon(folder, *flags)
    daemon.start()
    daemon.upload("words", lagd.text())
    return daemon


def ask(daemon, path, key, body=None, method="POST"):
    """(status, headers, bytes) of a request with this key."""
    return daemon.request(method, "/api/v1" + path, body, {"Idempotency-Key": key})


def slug(answer):
    return json.loads(answer[2])["type"].rpartition("/")[2]


def nameless(**changes):
    body = run_body("x", "words", start=False, **changes)
    del body["name"]  # a name is made up, so nothing but the key prevents a second run
    return body


def n_runs(daemon):
    return len(daemon.get("/runs?limit=1000")["items"])


def stored(daemon, sql="SELECT count(*) FROM idempotency"):
    db = sqlite3.connect(f"file:{daemon.state_dir}/lagd.db?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchone()[0]
    finally:
        db.close()


def same(first, again):
    assert again[0] == first[0] and again[2] == first[2], (first, again)
    for name in ("Location", "ETag", "Retry-After", "Content-Type"):
        assert first[1].get(name) == again[1].get(name), (name, first[1], again[1])
    assert REPLAYED not in first[1] and again[1][REPLAYED] == "true", (first[1], again[1])


def same_request_happens_once(folder):
    daemon = started(folder)
    first = ask(daemon, "/runs", "a", nameless())
    assert first[0] == 201 and first[1]["Location"] and first[1]["ETag"], first
    same(first, ask(daemon, "/runs", "a", nameless()))
    run = json.loads(first[2])["id"]
    daemon.call("PATCH", f"/runs/{run}", {"note": "changed since"})
    same(first, ask(daemon, "/runs", "a", nameless()))  # the answer of then
    assert n_runs(daemon) == 1 and stored(daemon) == 1

    for answer in (ask(daemon, "/runs", "a", nameless(seed=12)), ask(daemon, "/runs?pretty", "a", nameless()),
                   ask(daemon, f"/runs/{run}/resume", "a")):
        assert answer[0] == 422 and slug(answer) == "idempotency-mismatch", answer
        assert "24 hours" in json.loads(answer[2])["detail"], answer
    assert n_runs(daemon) == 1 and daemon.get(f"/runs/{run}")["state"] == "paused"
    assert ask(daemon, "/runs", "b", nameless())[0] == 201 and n_runs(daemon) == 2


def every_verb_takes_a_key(folder):
    daemon = started(folder)
    headers = {"Content-Type": "text/plain", "Idempotency-Key": "d"}
    path = "/api/v1/datasets?name=others"
    first = daemon.request("POST", path, lagd.text(seed=8), headers)
    assert first[0] == 201, first
    same(first, daemon.request("POST", path, lagd.text(seed=8), headers))
    assert slug(daemon.request("POST", path, lagd.text(seed=9), headers)) == "idempotency-mismatch"
    assert len(daemon.get("/datasets")["items"]) == 2

    run = json.loads(ask(daemon, "/runs", "r", nameless(schedule={"max_steps": 100000}))[2])["id"]
    growth = {"target": {"n_layer": 4}, "when": {"at_step": 90000}, "probe": {"steps": 8, "eval_every": 4},
              "pool": ["stack"]}
    first = ask(daemon, f"/runs/{run}/growths", "g", growth)
    assert first[0] == 202, first
    same(first, ask(daemon, f"/runs/{run}/growths", "g", growth))
    assert len(daemon.get(f"/runs/{run}/growths")["items"]) == 1
    id = json.loads(first[2])["id"]
    first = ask(daemon, f"/growths/{id}/cancel", "c")
    assert first[0] == 200, first
    same(first, ask(daemon, f"/growths/{id}/cancel", "c"))

    first = ask(daemon, f"/runs/{run}/resume", "again")
    assert first[0] == 200, first
    daemon.wait_for(f"/runs/{run}", lambda r: r["step"] > 3)
    first_pause = ask(daemon, f"/runs/{run}/pause", "p", {"reason": "tea"})
    assert first_pause[0] == 200 and json.loads(first_pause[2])["state"] == "paused", first_pause
    # A late copy of the resume does not undo the pause that came after it.
    same(first, ask(daemon, f"/runs/{run}/resume", "again"))
    assert daemon.get(f"/runs/{run}")["state"] == "paused"
    same(first_pause, ask(daemon, f"/runs/{run}/pause", "p", {"reason": "tea"}))
    # Where nothing is changed, a key means nothing.
    n = stored(daemon)
    assert ask(daemon, "/runs?dry_run=true", "dry", nameless())[0] == 200
    assert ask(daemon, "/runs", "get", method="GET")[0] == 200
    assert stored(daemon) == n


def refusals_are_not_kept(folder):
    daemon = started(folder)
    body = {**nameless(), "dataset": "later"}
    assert ask(daemon, "/runs", "k", body)[0] == 422
    daemon.upload("later", lagd.text())
    assert ask(daemon, "/runs", "k", body)[0] == 201
    assert ask(daemon, "/runs", "k", body)[1][REPLAYED] == "true" and n_runs(daemon) == 1


def keys_have_limits(folder):
    daemon = started(folder)
    for key in ("", "two words", "k" * 256, "k\x7f", "ü"):
        answer = ask(daemon, "/runs/x/pause", key.encode())
        assert answer[0] == 400 and slug(answer) == "malformed", (key, answer)
    twice = (f"POST /api/v1/runs/x/pause HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: a\r\nIdempotency-Key: a\r\n"
             "Content-Length: 0\r\n\r\n")
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(lagd.slow(20))
        s.connect(daemon.socket)
        s.sendall(twice.encode())
        assert b" 400 " in s.recv(4096).splitlines()[0]
    assert n_runs(daemon) == 0
    assert ask(daemon, "/runs", '"' + "k" * 253 + '"', nameless())[0] == 201  # a structured string is as good as any


def second_waits_its_turn(folder):
    daemon = Daemon(folder)
    daemon.start("dataset.scan=sleep:2500")
    headers = {"Content-Type": "text/plain", "Idempotency-Key": "slow"}
    answers = []
    first = threading.Thread(target=lambda: answers.append(
        daemon.request("POST", "/api/v1/datasets?name=words", lagd.text(500), headers)))
    first.start()
    refused = []
    while first.is_alive() and not any(a[0] == 409 for a in refused):
        time.sleep(0.3)
        refused.append(daemon.request("POST", "/api/v1/datasets?name=words", lagd.text(500), headers))
    other = daemon.request("POST", "/api/v1/datasets?name=words", lagd.text(500, 4), headers)
    first.join()
    assert answers[0][0] == 201, answers
    assert refused[-1][0] == 409 and slug(refused[-1]) == "idempotency-in-flight", refused
    assert other[0] == 422 and slug(other) == "idempotency-mismatch", other
    same(answers[0], daemon.request("POST", "/api/v1/datasets?name=words", lagd.text(500), headers))


def killed_between_effect_and_answer(folder):
    for point in ("key.written", "key.answered"):
        below = os.path.join(folder, point)
        os.mkdir(below)
        daemon = started(below)
        daemon.kill()
        daemon.start(f"{point}=kill")
        try:
            ask(daemon, "/runs", "k", nameless())
            raise AssertionError("lagd lives on")
        except (OSError, http.client.HTTPException):
            pass
        daemon.process.wait()
        assert stored(daemon, "SELECT status FROM idempotency") == (0 if point == "key.written" else 201)
        daemon.start()
        assert n_runs(daemon) == 1
        second = ask(daemon, "/runs", "k", nameless())
        assert second[0] == 201 and second[1][REPLAYED] == "true", second
        assert second[1]["Location"].endswith(json.loads(second[2])["id"]), second
        assert ask(daemon, "/runs", "k", nameless())[2] == second[2] and n_runs(daemon) == 1
        daemon.terminate()
        daemon.start()
        assert ask(daemon, "/runs", "k", nameless())[2] == second[2]
        daemon.kill()


def killed_at_any_moment(folder):
    daemon = started(folder)
    rng = random.Random(5)
    told = 0
    for i in range(25):
        answers = []

        def create():
            try:
                answers.append(ask(daemon, "/runs", f"key-{i}", nameless(seed=i)))
            except (OSError, http.client.HTTPException):
                pass
        thread = threading.Thread(target=create)
        thread.start()
        time.sleep(rng.random() * 0.02)
        daemon.kill()
        thread.join()
        daemon.start()
        again = ask(daemon, "/runs", f"key-{i}", nameless(seed=i))
        assert again[0] == 201, again
        if answers:
            told += 1
            assert again[2] == answers[0][2], (answers[0], again)
        assert n_runs(daemon) == i + 1, f"{n_runs(daemon)} runs after {i + 1} keys"
    print(f"        {told} of 25 were answered before the kill")


def kept_for_a_day(folder):
    daemon = started(folder)
    ask(daemon, "/runs", "old", nameless())
    ask(daemon, "/runs", "young", nameless())
    daemon.terminate()
    db = sqlite3.connect(f"{daemon.state_dir}/lagd.db")
    db.execute("UPDATE idempotency SET created_ms = created_ms - 86400000 WHERE key = 'old'")
    db.execute("UPDATE idempotency SET created_ms = created_ms - 80000000 WHERE key = 'young'")
    db.commit()
    db.close()
    daemon.start()
    assert lagd.until(lambda: stored(daemon) == 1, 10), "the old key was not removed"
    assert REPLAYED not in ask(daemon, "/runs", "old", nameless())[1]
    assert ask(daemon, "/runs", "young", nameless())[1][REPLAYED] == "true"
    assert n_runs(daemon) == 3


if __name__ == "__main__":
    lagd.main(same_request_happens_once, every_verb_takes_a_key, refusals_are_not_kept, keys_have_limits,
              second_waits_its_turn, killed_between_effect_and_answer, killed_at_any_moment, kept_for_a_day)
