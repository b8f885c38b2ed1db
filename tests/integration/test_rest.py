"""The larger answers of a real daemon: logs, lineage, comparisons, pages, reports, archives."""
import glob
import hashlib
import http.client
import io
import json
import os
import sqlite3
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import grown, run_body, started


def folders(daemon):
    """Of checkpoints on disk, relative to the state directory."""
    return sorted(os.path.relpath(p, daemon.state_dir) for p in glob.glob(daemon.state_dir + "/runs/*/ckpt-*"))


def delete_checkpoint(daemon, path):
    status, _, data = daemon.request("DELETE", "/api/v1" + path)
    return (status, json.loads(data)["type"].rpartition("/")[2], json.loads(data)["detail"]) if data else (status,)


def checkpoints_go_when_nothing_needs_them(folder):
    daemon = started(folder)
    growth = grown(daemon, mode="manual")
    daemon.call("PATCH", "/runs/one", {"checkpoint": {"keep_last": 50}})  # retention takes none
    every = daemon.get("/runs/one/checkpoints")["items"]
    parent = [c for c in every if c["kind"] == "pre_growth"][0]
    probed = [c for c in every if c["kind"] == "candidate"]
    assert len(probed) == 4 and every[-1]["kind"] == "pre_growth", every
    daemon.call("PATCH", f"/checkpoints/{parent['id']}", {"keep": False})
    for needed in [parent, *probed]:
        status, slug, detail = delete_checkpoint(daemon, f"/runs/one/checkpoints/{needed['id']}")
        assert status == 409 and slug == "in-use" and growth in detail, detail
    daemon.post(f"/growths/{growth}/decision", {"approve": True})
    daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == "applied")
    daemon.post("/runs", run_body("long", "words", schedule={"max_steps": 100000}))
    daemon.wait_for("/runs/long", lambda r: r["step"] > 45)
    daemon.post("/runs/long/pause")
    newest, older = daemon.get("/runs/long/checkpoints")["items"][:2]
    status, slug, detail = delete_checkpoint(daemon, f"/checkpoints/{newest['id']}")
    assert status == 409 and slug == "in-use" and "newest" in detail, detail
    assert delete_checkpoint(daemon, f"/checkpoints/{older['id']}") == (204,)
    daemon.post("/runs/long/cancel")
    assert delete_checkpoint(daemon, f"/checkpoints/{newest['id']}") == (204,)
    daemon.call("DELETE", "/runs/long")
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")

    # By its own address, by the run's, and with a crash between the row and the folder.
    by_run = {c["kind"]: c for c in daemon.get("/runs/one/checkpoints")["items"]}
    status, slug, detail = delete_checkpoint(daemon, f"/checkpoints/{by_run['growth']['id']}")
    assert status == 409 and "keep" in detail, detail
    assert delete_checkpoint(daemon, f"/runs/one/checkpoints/{parent['id']}") == (204,)
    assert delete_checkpoint(daemon, f"/runs/one/checkpoints/{parent['id']}")[0] == 404
    assert parent["id"] not in [c["id"] for c in daemon.get("/runs/one/checkpoints")["items"]]
    told = [e for e in daemon.events("one") if e["type"] == "checkpoint.deleted"]
    assert [e["message"] for e in told] == [parent["id"]] and told[0]["step"] == parent["step"], told
    daemon.post("/runs", run_body("two", "words", start=False))
    assert delete_checkpoint(daemon, f"/runs/two/checkpoints/{by_run['final']['id']}")[0] == 404
    n = len(daemon.get("/runs/one/checkpoints")["items"])
    assert len(folders(daemon)) == n
    daemon.kill()
    daemon.start("checkpoint.unlisted=kill")
    try:
        delete_checkpoint(daemon, f"/checkpoints/{by_run['final']['id']}")
        raise AssertionError("lagd lives on")
    except (OSError, http.client.HTTPException):
        daemon.process.wait()
    assert len(folders(daemon)) == n
    daemon.start()
    assert len(daemon.get("/runs/one/checkpoints")["items"]) == len(folders(daemon)) == n - 1
    assert delete_checkpoint(daemon, f"/checkpoints/{by_run['final']['id']}")[0] == 404


def pages(daemon, path, limit):
    """All items, the number of pages, and that each page is full but the last."""
    items, n, cursor = [], 0, ""
    while cursor is not None:
        page = daemon.get(f"{path}{'&' if '?' in path else '?'}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        cursor = page["next_cursor"]
        n += 1
        assert len(page["items"]) == limit or cursor is None and len(page["items"]) < limit, (path, page)
        items += page["items"]
    return [item["id"] for item in items], n


def every_list_has_pages(folder):
    daemon = started(folder)
    for i in range(6):
        daemon.upload(f"more-{i}", lagd.text(2000, i))
        daemon.post("/runs", run_body(f"run-{i}", "words", schedule={"max_steps": 6, "warmup_steps": 1}, start=i == 0,
                                      checkpoint={"every_steps": 1, "keep_last": 50}))
    body = {"target": {"n_layer": 4}, "when": {"at_step": 2}, "probe": {"steps": 2, "eval_every": 1}, "pool": ["stack"]}
    for _ in range(7):
        growth = daemon.post("/runs/run-1/growths", body)["id"]
        daemon.post(f"/growths/{growth}/cancel")
    daemon.wait_for("/runs/run-0", lambda r: r["state"] == "completed")
    for path, prefix, least in (("/runs", "run", 6), ("/datasets", "ds", 7), ("/growths", "gr", 7),
                                ("/checkpoints", "ckpt", 6),
                                ("/runs/run-1/growths", "gr", 7), ("/growths?run=run-1", "gr", 7),
                                ("/runs/run-0/checkpoints", "ckpt", 6)):
        whole, n = pages(daemon, path, 1000)
        assert n == 1 and len(whole) >= least and len(set(whole)) == len(whole), (path, whole)
        for limit in (1, 2, 3, len(whole)):
            found, n = pages(daemon, path, limit)
            assert found == whole, (path, limit, found, whole)
            assert n == -(-len(whole) // limit) > (2 if limit < 3 else 0), (path, limit, n)
        other = "1700000000000." + ("ds_" if prefix != "ds" else "run_") + "0" * 26
        for wrong in ("x", other, whole[0]):
            status, _, data = daemon.request("GET", f"/api/v1{path}{'&' if '?' in path else '?'}cursor={wrong}")
            assert status == 400 and b"invalid-cursor" in data, (path, wrong, data)
    # What goes away between two pages takes nothing else with it.
    page = daemon.get("/datasets?limit=3")
    daemon.call("DELETE", f"/datasets/{page['items'][-1]['id']}")
    rest = daemon.get(f"/datasets?limit=3&cursor={page['next_cursor']}")
    assert [d["name"] for d in page["items"] + rest["items"]] == [f"more-{i}" for i in (5, 4, 3, 2, 1, 0)]


def a_run_has_a_lineage(folder):
    daemon = started(folder)
    growth = grown(daemon)
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    now, told = daemon.get("/runs/one"), daemon.get("/runs/one/lineage")
    first, second = told["stages"]
    plan = daemon.post("/runs?dry_run=true", run_body("x", "words"))
    stretch = ("n_layer", "n_params", "from_step", "to_step")
    assert [first[key] for key in stretch] == [2, plan["n_params"], 0, 20], first
    assert first["operator"] is None and first["growth"] is None
    applied = daemon.get(f"/growths/{growth}")
    winner = [c for c in applied["candidates"] if c["id"] == applied["decision"]["candidate"]][0]
    assert [second[key] for key in stretch] == [4, now["n_params"], 20, 80], second
    assert (second["growth"], second["operator"], second["recipe"]) == (growth, winner["operator"], winner["recipe"])
    assert second["verdict"] == applied["decision"]["verdict"] and second["decided_by"] == "lag"
    # Every checkpoint of the run is in exactly one stage, oldest first.
    listed = [c for c in daemon.get("/runs/one/checkpoints")["items"] if c["candidate"] is None]
    assert [c["id"] for s in told["stages"] for c in s["checkpoints"]] == [c["id"] for c in reversed(listed)]
    assert [c["kind"] for c in first["checkpoints"]][-1] == "pre_growth", first
    assert [c["kind"] for c in second["checkpoints"]][0] == "growth", second
    one, = told["growths"]
    assert one["state"] == "applied" and one["step"] == 20 and one["n_candidates"] == 4 and one["lag_steps"] == 8, one
    assert one["loss_at_lag"] == winner["loss_at_lag"] and one["parent_loss"] == applied["parent_loss"], one
    daemon.post("/runs", run_body("plain", "words", start=False))
    body = {"target": {"n_layer": 6}, "when": {"at_step": 70}, "probe": {"steps": 1, "eval_every": 1},
            "pool": ["stack"]}
    other = daemon.post("/runs/plain/growths", body)["id"]
    daemon.post(f"/growths/{other}/cancel", {"reason": "not yet"})
    plain = daemon.get("/runs/plain/lineage")
    assert len(plain["stages"]) == 1 and plain["stages"][0]["checkpoints"] == [], plain
    one, = plain["growths"]
    assert [one[key] for key in ("id", "state", "step", "reason", "verdict")] == [
        other, "cancelled", 70, "not yet", None]
    assert daemon.request("GET", "/api/v1/runs/none/lineage")[0] == 404


def origin_of(daemon, checkpoint):
    """What a checkpoint's model says of the growth that it came from."""
    data = daemon.request("GET", f"/api/v1/checkpoints/{checkpoint['id']}/files/model.safetensors")[2]
    told = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    return told["lagd.growth"], told["lagd.parent_sha256"]


def paused_after(daemon, name, growth, **changes):
    """A new run that is paused once a growth is applied; the growth's id."""
    daemon.post("/runs", run_body(name, "words", start=False, **changes))
    growth = daemon.post(f"/runs/{name}/growths", growth)["id"]
    daemon.post(f"/runs/{name}/resume")
    daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == "applied")
    daemon.post(f"/runs/{name}/pause")
    daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "paused")
    return growth


def not_growing_claims_no_growth(folder):
    """A person or the rule takes the candidate that does not grow: nothing says the model had the target's size."""
    daemon = started(folder)
    deeper = {"target": {"n_layer": 4}, "when": {"at_step": 20}, "probe": {"steps": 8}, "pool": ["stack"]}
    slow = {"operator": "random", "optimizer": "reset", "lr": "rewarm", "rewarm_steps": 900}
    real = paused_after(daemon, "one", deeper, schedule={"max_steps": 100000})
    deepest = {**deeper, "target": {"n_layer": 6}, "when": {"at_step": daemon.get("/runs/one")["step"]}}
    growths = {"one": daemon.post("/runs/one/growths", {**deepest, "mode": "manual"})["id"]}
    daemon.post("/runs/one/resume")
    waiting = daemon.wait_for(f"/growths/{growths['one']}", lambda g: g["state"] == "awaiting_approval")
    assert waiting["grew"] is None
    none = next(c["id"] for c in waiting["candidates"] if c["operator"] == "none")
    daemon.post(f"/growths/{growths['one']}/decision", {"candidate": none, "reason": "small is fine"})
    daemon.wait_for(f"/growths/{growths['one']}", lambda g: g["state"] == "applied")
    daemon.post("/runs/one/pause")
    growths["two"] = paused_after(daemon, "two", {**deeper, "allow_none": True, "pool": [slow]},
                                  schedule={"max_steps": 100000})
    for name, sizes, marked in [("one", [2, 4], [real]), ("two", [2], [])]:
        run = daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "paused")
        growth, told = daemon.get(f"/growths/{growths[name]}"), daemon.get(f"/runs/{name}/lineage")
        assert growth["state"] == "applied" and growth["grew"] is False, growth
        assert "keeps its shape" in growth["reason"] and run["reason"] is None, (growth["reason"], run["reason"])
        assert run["model"]["n_layer"] == sizes[-1], run["model"]
        assert [s["n_layer"] for s in told["stages"]] == sizes, told["stages"]
        assert told["stages"][-1]["to_step"] == run["step"], told["stages"]
        assert [g["grew"] for g in told["growths"]] == [True] * len(marked) + [False], told["growths"]
        listed = [c for c in daemon.get(f"/runs/{name}/checkpoints")["items"] if c["candidate"] is None]
        assert sorted(c["id"] for s in told["stages"] for c in s["checkpoints"]) == sorted(c["id"] for c in listed)
        assert [c["kind"] for c in listed].count("growth") == len(marked), listed
        origins = {origin_of(daemon, c) for c in listed if c["step"] > growth["start_step"]}
        assert len(origins) == 1 and not any("none" in text for text, _ in origins), origins
        assert (origins == {("", "")}) == (name == "two"), origins
        series = daemon.get(f"/runs/{name}/series?key=train/loss")
        assert [note["id"] for note in series["annotations"]] == marked, series["annotations"]
        report = daemon.request("GET", f"/api/v1/growths/{growths[name]}/report?format=md")[2].decode()
        assert "**No growth was chosen" in report.split("\n## ")[0], report[:500]
        ended = [e for e in daemon.events(name) if e["type"] == "growth.state" and e["state"] == "applied"]
        assert "keeps its shape" in ended[-1]["message"], ended
    assert daemon.get(f"/growths/{real}")["grew"] is True
    daemon.terminate()


def runs_are_compared(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("a", "words", schedule={"max_steps": 30}))
    daemon.post("/runs", run_body("b", "words", schedule={"max_steps": 60}, optim={"lr": 1e-3}, batch={"sequences": 8}))
    for name in "ab":
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    exact = {name: daemon.points(name) for name in "ab"}
    told = daemon.get("/compare?runs=a,b")
    assert [r["name"] for r in told["runs"]] == ["a", "b"] and told["x"] == "step"
    assert {d["key"]: d["values"] for d in told["differences"]} == {
        "optim/lr": ["0.003", "0.001"], "batch/sequences": ["4", "8"],
        "schedule/max_steps": ["30", "60"]}, told["differences"]
    rows = told["series"]["train/loss"]
    assert [row[0] for row in rows] == list(range(1, 61)), rows
    for step, a, b in rows:
        assert a == (exact["a"][step]["train/loss"] if step <= 30 else None), step
        assert b == exact["b"][step]["train/loss"], step
    for step, a, b in told["series"]["val/loss"]:
        assert a == exact["a"].get(step, {}).get("val/loss") and b == exact["b"].get(step, {}).get("val/loss"), step
    assert told["series"]["val/loss"]
    for run in told["runs"]:
        last = run["metrics"]["train/loss"]
        assert last["last"] == exact[run["name"]][last["last_step"]]["train/loss"], run

    told = daemon.get("/compare?runs=b,a&series=train/loss&x=tokens&at=2600")
    rows = told["series"]["train/loss"]
    assert [row[0] for row in rows] == sorted({128 * s for s in range(1, 31)} | {256 * s for s in range(1, 61)}), rows
    for tokens, b, a in rows:
        assert b == (exact["b"][tokens // 256]["train/loss"] if tokens % 256 == 0 else None), (tokens, b)
        assert a == (exact["a"][tokens // 128]["train/loss"] if tokens <= 30 * 128 else None), (tokens, a)
    at = [(r["metrics"]["train/loss"]["at_step"], r["metrics"]["train/loss"]["at"]) for r in told["runs"]]
    assert at == [(10, exact["b"][10]["train/loss"]), (20, exact["a"][20]["train/loss"])], at
    thinned = daemon.get("/compare?runs=a,b&series=train/loss&max_points=10")["series"]["train/loss"]
    assert 5 <= len(thinned) <= 20, thinned
    for query, status in (("runs=a,none", 404), ("runs=a,a", 400), ("", 400), ("runs=,", 400), ("runs=a&x=time", 400),
                          ("runs=a&series=no/such", 400), ("runs=a&series=a,b,c,d,e", 400),
                          ("runs=" + ",".join("abcdefghi"), 404), ("tags=none", 400), ("runs=a&tags=x", 400)):
        assert daemon.request("GET", f"/api/v1/compare?{query}")[0] == status, query
    groups_are_compared(daemon)


def groups_are_compared(daemon):
    """Runs of a tag beside others: each once, the newest sixteen of a group, and how good each was at its best."""
    daemon.call("PATCH", "/runs/a", {"tags": ["seeds"]})
    daemon.call("PATCH", "/runs/b", {"tags": ["seeds", "wide"]})
    told = daemon.get("/compare?runs=b&tags=seeds,wide&series=")
    ids = {run["name"]: run["id"] for run in told["runs"]}
    assert list(ids) == ["b", "a"] and told["series"] == {} and told["runs"][0]["metrics"] == {}, told
    assert told["groups"] == [{"tag": "seeds", "runs": [ids["b"], ids["a"]], "more": False},
                              {"tag": "wide", "runs": [ids["b"]], "more": False}], told["groups"]
    status, _, data = daemon.request("GET", "/api/v1/compare?tags=seeds,seeds")
    assert status == 400 and "named twice" in json.loads(data)["detail"], data
    for run in told["runs"]:
        best = daemon.get(f"/runs/{run['name']}")["best"]
        assert [run["best_loss"], run["best_step"]] == [best["value"], best["step"]], (run, best)
    for i in range(17):
        daemon.post("/runs", run_body(f"many{i}", "words", tags=["many"], start=False))
    many = daemon.get("/compare?tags=many")
    assert [run["name"] for run in many["runs"]] == [f"many{i}" for i in range(16, 0, -1)], many["runs"]
    assert many["groups"][0]["more"] and many["runs"][0]["best_loss"] is None, many["groups"]
    four = "train/loss,val/loss,optim/lr,perf/step_ms"
    status, _, data = daemon.request("GET", f"/api/v1/compare?tags=many&max_points=5000&series={four}")
    assert status == 400 and "at most 2500 points each: lower max_points" in json.loads(data)["detail"], data


class Lines:
    """Lines of a stream as they come."""

    def __init__(self, daemon, path, **headers):
        self.connection = lagd.UnixConnection(daemon.socket, lagd.slow(30))
        self.connection.request("GET", "/api/v1" + path, headers=headers)
        self.answer = self.connection.getresponse()
        self.seen = []

    def until(self, found):
        while not (self.seen and found(self.seen[-1])):
            line = self.answer.readline()
            assert line, self.seen
            self.seen.append(line.decode().rstrip("\n"))
        return self.seen

    def close(self):
        self.connection.close()


def a_run_has_logs(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("other", "words", start=False))
    daemon.post("/runs", run_body("one", "words", start=False, schedule={"max_steps": 100}))
    path = "/runs/one/logs"
    rows = Lines(daemon, path + "?follow=1&tail=1")
    prose = Lines(daemon, path + "?follow&format=text")
    events = Lines(daemon, path, Accept="text/event-stream")
    kinds = [s.answer.getheader("Content-Type") for s in (rows, prose, events)]
    assert kinds == ["application/x-ndjson", "text/plain; charset=utf-8", "text/event-stream"], kinds
    daemon.post("/runs/other/resume")
    daemon.post("/runs/one/resume")
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    all_of_it = daemon.events(daemon.get("/runs/one")["id"])

    def last(line):
        return "completed" in line
    told = [json.loads(line) for line in rows.until(last)]
    assert [e for e in told if "seq" in e] == all_of_it[1:], (told, all_of_it)  # the last of then, and all since
    assert "caught-up" in [e["type"] for e in told]
    lines = [line for line in prose.until(last) if line]
    assert len(lines) == len(all_of_it), (lines, all_of_it)
    for line, event in zip(lines, all_of_it):
        assert line.startswith(f"{event['ts']} {event['type']} "), (line, event)
        message = event.get("message", "")
        assert line.endswith(message) or (message.startswith("ckpt_") and message not in line), (line, event)
        assert not any(event[key] in line for key in ("growth", "candidate") if key in event), (line, event)
        assert "step" not in event or f" step {event['step']}" in line, (line, event)
    numbers = [int(line[4:]) for line in events.until(lambda line: "data" in line and last(line))
               if line.startswith("id: ")]
    assert sorted(set(numbers) & {e["seq"] for e in all_of_it}) == [e["seq"] for e in all_of_it], numbers
    for stream in (rows, prose, events):
        stream.close()

    for tail in (0, 1, 3, 200):
        status, headers, data = daemon.request("GET", f"/api/v1{path}?tail={tail}")
        assert status == 200, tail
        assert [json.loads(line) for line in data.decode().splitlines()] == all_of_it[-tail:][:tail], tail
    text = daemon.request("GET", f"/api/v1{path}?format=text")[2].decode()
    assert text.splitlines() == lines
    assert daemon.request("GET", f"/api/v1{path}?tail=2",
                          headers={"Accept": "text/plain"})[2].decode().splitlines() == lines[-2:]
    assert daemon.request("GET", "/api/v1/runs/none/logs")[0] == 404
    assert daemon.request("GET", f"/api/v1{path}?format=xml")[0] == 400
    # Lines of text end with the daemon.
    prose = Lines(daemon, path + "?follow&format=text&tail=0")
    daemon.terminate()
    assert prose.answer.read() == b"", "nothing happened to the run"


def report_tells_what_was_tried(folder):
    daemon = started(folder)
    growth = grown(daemon)
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    report = daemon.get(f"/growths/{growth}/report")
    db = sqlite3.connect(f"file:{daemon.state_dir}/lagd.db?mode=ro", uri=True)
    rows = db.execute("SELECT c.id, c.position, c.eligible, p.t, avg(p.loss) FROM candidates c JOIN probe_losses p "
                      "ON p.candidate = c.number WHERE c.growth_id = ? GROUP BY c.id, p.t", (growth,)).fetchall()
    assert report["times"] == sorted({row[3] for row in rows}) and report["times"][0] == 0, report["times"]
    assert len(report["curves"]) == 4, report["curves"]  # none runs along
    means = {(row[0], row[3]): row[4] for row in rows}
    eligible = {row[0] for row in rows if row[2]}
    for k, t in enumerate(report["times"]):
        order = sorted(eligible, key=lambda c: means[c, t])
        for curve in report["curves"]:
            assert abs(curve["mean"][k] - means[curve["candidate"], t]) < 1e-12, (curve, t)
            expected = order.index(curve["candidate"]) + 1 if curve["candidate"] in eligible else None
            assert curve["rank"][k] == expected, (curve, t, order)
            assert len(curve["sparkline"]) == len(report["times"]), curve
    decision = report["growth"]["decision"]
    assert report["winner"] == decision["candidate"]
    assert report["winner"] == min(eligible, key=lambda c: means[c, report["times"][-1]])
    cost = db.execute("SELECT sum(flops) FROM candidates WHERE growth_id = ?", (growth,)).fetchone()[0]
    assert abs(report["probe_flops"] / cost - 1) < 1e-12
    origin = report["origin"]
    assert origin["seed"] == 11 and origin["parent_checkpoint"] == report["growth"]["parent_checkpoint"]
    assert origin["dataset_sha256"] == daemon.get("/datasets/words")["sha256"]
    stored = dict(db.execute("SELECT name, sha256 FROM checkpoint_files WHERE checkpoint_id = ?",
                             (origin["parent_checkpoint"],)))
    assert origin["parent_sha256"] == stored, origin

    status, headers, data = daemon.request("GET", f"/api/v1/growths/{growth}/report?format=md")
    assert status == 200 and headers["Content-Type"].startswith("text/markdown"), headers
    text = data.decode()
    assert text.startswith("# Growth of one from 2 to 4 layers\n"), text[:80]
    assert "deeper \\| \\*better\\*" in text, text  # people's words do not format
    for curve in report["curves"]:
        assert f"`{curve['strategy']}`" in text and curve["sparkline"] in text, curve
    for word in ["## Rule", "## Decision", "## Candidates", "## Rank at every evaluated step", "## Cost",
                 "seed of the run: 11",
                 origin["dataset_sha256"], *stored.values()]:
        assert word in text, word
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in table), table
    assert "nan" not in text.lower().replace("nano", ""), text
    assert daemon.request("GET", f"/api/v1/growths/{growth}/report?format=pdf")[0] == 400
    assert daemon.request("GET", "/api/v1/growths/gr_none/report")[0] == 404
    # a growth that has not begun has a report too
    daemon.post("/runs", run_body("two", "words", start=False))
    waiting = daemon.post("/runs/two/growths", {"target": {"n_layer": 3}, "pool": ["stack"]})["id"]
    empty = daemon.get(f"/growths/{waiting}/report")
    assert empty["times"] == [] and empty["winner"] is None and len(empty["curves"]) == 2
    assert b"Nothing was decided." in daemon.request("GET", f"/api/v1/growths/{waiting}/report?format=md")[2]
    daemon.terminate()


def a_checkpoint_is_one_archive(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 60}))
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    newest = daemon.get("/runs/one/checkpoints")["items"][0]
    status, headers, data = daemon.request("GET", f"/api/v1/checkpoints/{newest['id']}/archive.tar")
    assert status == 200 and headers["Content-Type"] == "application/x-tar", headers
    assert int(headers["Content-Length"]) == len(data) and len(data) % 512 == 0, headers
    hashes = {f["name"]: f["sha256"] for f in newest["files"]}
    assert "config.json" in hashes
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        assert all(m.isreg() and m.mode == 0o644 for m in members)
        got = {m.name.removeprefix(newest["id"] + "/"): hashlib.sha256(archive.extractfile(m).read()).hexdigest()
               for m in members}
    assert got == hashes, (got, hashes)
    path = os.path.join(folder, "archive.tar")
    with open(path, "wb") as f:
        f.write(data)
    told = subprocess.run(["tar", "xvf", path, "-C", folder], capture_output=True, text=True)
    assert told.returncode == 0 and not told.stderr, told
    assert sorted(os.listdir(os.path.join(folder, newest["id"]))) == sorted(hashes)
    status, headers, body = daemon.request("HEAD", f"/api/v1/checkpoints/{newest['id']}/archive.tar")
    assert status == 200 and int(headers["Content-Length"]) == len(data) and not body, headers
    assert daemon.request("GET", "/api/v1/checkpoints/ckpt_none/archive.tar")[0] == 404
    # a file that is not what it was is no archive
    found = [os.path.join(d, "config.json") for d, _, names in os.walk(daemon.state_dir) if "config.json" in names
             and f"{newest['step']:08d}" in d]
    with open(found[0], "a") as f:
        f.write(" ")
    assert daemon.request("GET", f"/api/v1/checkpoints/{newest['id']}/archive.tar")[0] == 500
    daemon.terminate()


def bf16_by_other_means_is_told(folder):
    """A CPU without the instructions trains in bf16 all the same; the dry run and an event say what that means."""
    daemon = started(folder)
    body = run_body("half", "words", precision="bf16", schedule={"max_steps": 20, "warmup_steps": 2})
    if not lagd.has_bf16():
        problem = daemon.request("POST", "/api/v1/runs", body)
        assert problem[0] == 422 and "set precision to fp32" in problem[2].decode(), problem
        return
    note = daemon.post("/runs?dry_run=true", body)["precision_note"]
    assert (note is None) == lagd.cpu_has("avx512_bf16"), note
    assert daemon.post("/runs?dry_run=true", run_body("full", "words"))["precision_note"] is None
    body["schedule"]["max_steps"] = 2000
    daemon.post("/runs", body)
    daemon.wait_for("/runs/half", lambda r: r["step"] >= 5)
    daemon.post("/runs/half/pause")
    daemon.wait_for("/runs/half", lambda r: r["state"] == "paused")
    daemon.terminate()
    daemon.start()
    daemon.post("/runs/half/resume")
    run = daemon.wait_for("/runs/half", lambda r: r["state"] == "completed")
    assert run["precision"] == "bf16" and run["recompute"] is False, run
    warnings = [e["message"] for e in daemon.events() if e["type"] == "system.warning" and e["run"] == run["id"]]
    assert warnings == ([note] if note else []), warnings
    fingerprint = daemon.get("/runs/half/checkpoints")["items"][0]["fingerprint"]
    assert fingerprint.startswith("matrix own bf16 by fp32;" if note else "matrix own bf16;"), fingerprint
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_run_has_logs, a_run_has_a_lineage, not_growing_claims_no_growth, runs_are_compared,
              every_list_has_pages, checkpoints_go_when_nothing_needs_them, report_tells_what_was_tried,
              a_checkpoint_is_one_archive, bf16_by_other_means_is_told)
