"""Cursors of events that are gone: pruned ones, and those of another database, for streams and for who polls."""
import json
import os
import sqlite3
import sys
from contextlib import closing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem
from test_events import Stream, make_events


def polls(daemon):
    """Events 6 to 8 are there. Without a stream a cursor that is gone is told, too, with where to begin."""
    def poll(query):
        status, headers, data = daemon.request("GET", "/api/v1/events" + query)
        return status, headers.get("X-Next-After"), data
    for query in ("", "?after=0", "?after=5"):
        status, after, data = poll(query)
        assert status == 200 and after == "8", (query, status, after)
        assert [json.loads(line)["seq"] for line in data.splitlines()] == [6, 7, 8], (query, data)
    for query in ("?after=1", "?after=4", "?after=4&topics=growth", "?after=9", "?after=900&wait=5"):
        status, after, data = poll(query)
        problem = json.loads(data)
        assert status == 410 and after == "5" and problem["seq"] == 5, (query, status, after, data)
        assert problem["type"].endswith("/cursor-gone") and "after=5" in problem["detail"], problem
    # what is passed over by a filter does not come again; a full page goes on behind its last line
    assert poll("?after=5&topics=growth") == (200, "8", b"")
    assert poll("?after=5&limit=2")[:2] == (200, "7")
    assert poll("?after=8") == (200, "8", b"")


def pruning_overtakes_a_follower(folder):
    """It reads pages of the past; what goes before it comes there is told by another reset."""
    daemon = Daemon(folder)
    daemon.start()
    daemon.terminate()
    path = os.path.join(daemon.state_dir, "lagd.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO events "
                   "(seq, ts_ms, type, step) SELECT i, 4102444800000, 'system.warning', -1 FROM n")
    daemon.start("hub.page=sleep:3000@2")
    stream = Stream(daemon, "?after=10").read_until(lambda s: s.stored())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM events WHERE seq <= 300")
    stream.until_type("caught-up")
    resets = [e["cursor"] for e in stream.events if e["type"] == "reset"]
    assert resets == [300], resets
    seen = [seq for seq in stream.stored() if seq <= 400]
    assert seen == list(range(11, 139)) + list(range(301, 401)), seen
    daemon.terminate()


def cursors_that_are_gone(folder):
    daemon = Daemon(folder)
    daemon.start()
    make_events(daemon, 8, 0)
    Stream(daemon, "?after=7").until_type("dataset.added")  # the last one may still be on its way
    fresh = Stream(daemon).until_type("caught-up")
    assert [e["type"] for e in fresh.events] == ["hello", "caught-up"] and fresh.last_id == 8, fresh.events
    beyond = Stream(daemon, "?after=900").until_type("caught-up")
    assert beyond.events[0]["type"] == "reset" and beyond.stored() == list(range(1, 9)), beyond.events
    daemon.terminate()
    with closing(sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db"))) as db, db:
        db.execute("DELETE FROM events WHERE seq <= 5")
    daemon.start()
    for query, last_id, first in (("?after=3", None, "reset"), ("", 3, "reset"), ("", 0, "reset"),
                                  ("?after=5", None, None),
                                  ("?after=1", 7, None)):
        stream = Stream(daemon, query, last_id=last_id).until_type("caught-up")
        assert (stream.events[0]["type"] == "reset") == (first == "reset"), stream.events
        assert stream.stored() == ([6, 7, 8] if last_id != 7 else [8]), stream.events
        assert stream.last_id == 8
        if first:
            assert stream.events[0]["cursor"] == 5
    polls(daemon)
    for header, slug in (("x", "invalid-cursor"), ("-1", "invalid-cursor")):
        answer = Stream(daemon, "", last_id=header)
        answer.read_until(lambda s: s.head)
        assert " 400 " in answer.head and slug in (answer.body + answer.raw).decode(), answer.head
    try:
        daemon.get("/events?follow=true&topics=run,nonsense")
        raise AssertionError("a topic that is none was accepted")
    except Problem as problem:
        assert problem.status == 400, problem
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(cursors_that_are_gone, pruning_overtakes_a_follower)
