"""Runs are found among many: by words, tag, state and what they wait for, in every order, page by page."""
import os
import re
import sys
from urllib.parse import quote

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem

GROWTH = {"target": {"n_layer": 4}, "mode": "manual", "pool": ["stack", "interleave"],
          "probe": {"steps": 40, "eval_every": 20, "eval_batches": 2}}


def names(daemon, query):
    return [run["name"] for run in daemon.get("/runs" + query)["items"]]


def pages(daemon, query):
    """The names that following the Link of each page gives."""
    path, found = "/api/v1/runs" + query, []
    while path:
        status, headers, data = daemon.request("GET", path)
        assert status == 200, (status, data)
        found += [run["name"] for run in lagd.json.loads(data)["items"]]
        link = re.fullmatch("<([^>]*)>; rel=\"next\"", headers.get("Link", ""))
        path = link and link.group(1)
    return found


def train(daemon):
    daemon.upload("words", lagd.text())
    for i, (name, tags, note) in enumerate([("alpha", ["seeds", "b"], "The first one"), ("beta", ["seeds"], ""),
                                            ("gamma", [], "100% of seeds, tags=b"), ("Delta", ["B"], "")]):
        body = lagd.run_body(name, "words", schedule={"max_steps": 20 + 10 * (i % 3)}, tags=tags, note=note, seed=i + 1,
                             eval={"every_steps": 5, "batches": 2}, model={"n_layer": 2 + i % 2})
        daemon.post("/runs", body)
    for name in ("alpha", "beta", "gamma", "Delta"):
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    daemon.post("/runs", lagd.run_body("later", "words", start=False))


def runs_are_found(folder):
    daemon = Daemon(folder)
    daemon.start()
    train(daemon)
    for _ in range(2):
        assert names(daemon, "") == ["later", "Delta", "gamma", "beta", "alpha"]
        assert names(daemon, "?q=SEEDS") == ["gamma", "beta", "alpha"]
        assert names(daemon, "?q=" + quote("seeds first")) == ["alpha"]
        assert names(daemon, "?q=100%25") == ["gamma"] and names(daemon, "?q=") == names(daemon, "")
        assert names(daemon, "?q=" + daemon.get("/runs/beta")["id"][-9:]) == ["beta"]
        assert names(daemon, "?tag=seeds") == ["beta", "alpha"] and names(daemon, "?tag=b") == ["alpha"]
        assert names(daemon, "?state=paused") == ["later"] and names(daemon, "?arch=gpt2&tag=B") == ["Delta"]
        assert names(daemon, "?sort=name") == ["Delta", "alpha", "beta", "gamma", "later"]
        assert names(daemon, "?sort=step&order=asc")[:3] == ["later", "Delta", "alpha"]
        assert names(daemon, "?sort=params&state=completed") == ["Delta", "beta", "gamma", "alpha"]
        runs = {run["name"]: run for run in daemon.get("/runs")["items"]}
        for key, value in (("best", lambda r: r["best"]["value"]), ("latest", lambda r: r["latest"]["val/loss"])):
            rising = sorted((n for n in runs if n != "later"), key=lambda n: value(runs[n]))
            assert names(daemon, f"?sort={key}") == rising + ["later"], key
            assert names(daemon, f"?sort={key}&order=desc") == rising[::-1] + ["later"], key
        for sort in ("created", "name", "step", "tokens", "flops", "params", "best", "latest"):
            for order in ("asc", "desc"):
                whole = f"?sort={sort}&order={order}"
                assert pages(daemon, whole + "&limit=2") == names(daemon, whole), whole
        assert pages(daemon, "?q=" + quote("seeds %") + "&limit=1") == ["gamma"]
        for name, run in runs.items():
            points = {step: one["val/loss"] for step, one in daemon.points(name).items() if "val/loss" in one}
            low = min(points.values(), default=None)
            assert run["best"] == (low and {"value": low, "step": min(s for s in points if points[s] == low)}), run
        daemon.kill()
        daemon.start()
    daemon.call("PATCH", "/runs/beta", {"name": "other", "tags": ["x"], "note": "Found"})
    assert names(daemon, "?tag=x") == names(daemon, "?q=found") == ["other"] and names(daemon, "?q=beta") == []
    daemon.terminate()


def what_cannot_be_asked(folder):
    daemon = Daemon(folder)
    daemon.start()
    cursor = "0d.run_01hf7yat00000000000000000a."
    for query, part in (("?sort=loss", "created, name, step, tokens, flops, params, best, latest"),
                        ("?order=up", "asc, desc"), ("?state=done", "there are queued, running"),
                        ("?waiting_for=me", "approval, shortage, turn"), ("?arch=bert", "gpt2"),
                        ("?q=" + "+".join("abcdefghi"), "at most 8 words"), ("?tags=x", "tag"),
                        ("?cursor=1." + cursor[3:-1], "begin again"), ("?sort=name&cursor=" + cursor, "begin again")):
        try:
            daemon.get("/runs" + query)
        except Problem as problem:
            assert problem.status in (400, 422) and part in problem.body["detail"], (query, problem)
        else:
            raise AssertionError(query)
    assert names(daemon, "?cursor=" + cursor) == []
    daemon.terminate()


def until_it_waits(daemon):
    """As a client that keeps its answer for as long as its ETag holds."""
    kept = {"run": None, "tag": ""}

    def look():
        status, headers, data = daemon.request("GET", "/api/v1/runs/r", headers={"If-None-Match": kept["tag"]})
        if status == 200:
            kept.update(run=lagd.json.loads(data), tag=headers["ETag"])
        return kept["run"]["waiting_for"] == "approval"
    assert lagd.until(look, 60), kept
    return kept["run"]


def a_series_that_never_comes(folder):
    """One that is not there yet is empty; a name that no series has is refused, with what is meant or what there is."""
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", lagd.run_body("r", "words", start=False))
    for key in ("val/loss", "perf/step_ms"):
        assert daemon.get(f"/runs/r/series?key={key}")["series"][key]["last"] == []
    assert daemon.get("/compare?runs=r&series=val/loss")["series"] == {"val/loss": []}
    for path, part in (("/runs/r/series?key=val/los", "did you mean val/loss?"),
                       ("/runs/r/series?key=train/loss&key=speed", "there are train/loss, optim/lr"),
                       ("/compare?runs=r&series=trainloss", "did you mean train/loss?")):
        try:
            daemon.get(path)
        except Problem as problem:
            assert problem.status == 400 and part in problem.body["detail"], (path, problem)
        else:
            raise AssertionError(path)
    daemon.terminate()


def a_run_tells_what_it_waits_for(folder):
    """A growth that a person is to decide shows on its run, with another ETag; and goes again with the decision."""
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    for name in ("r", "later"):
        daemon.post("/runs", lagd.run_body(name, "words", start=False, schedule={"max_steps": 60}))
    growth = daemon.post("/runs/r/growths", GROWTH)["id"]
    daemon.post("/runs/r/resume")
    run = until_it_waits(daemon)
    assert growth in run["reason"] and run["state"] == "growing", run
    assert names(daemon, "?waiting_for=approval") == ["r"] and names(daemon, "?waiting_for=shortage") == []
    daemon.kill()
    daemon.start()
    daemon.wait_for("/runs/r", lambda r: r["waiting_for"] == "approval")
    daemon.post(f"/growths/{growth}/decision", {"approve": True})
    daemon.wait_for("/runs/r", lambda r: r["waiting_for"] is None)
    assert names(daemon, "?waiting_for=approval") == []
    assert daemon.get("/runs/later")["waiting_for"] is None
    daemon.terminate()


def many_at_once(folder):
    """Each run has an outcome of its own, that of the verb alone; a refusal keeps none of the others back."""
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    for name, more in (("bulk", {}), ("b", {}), ("c", {"start": False}), ("done", {"schedule": {"max_steps": 20}})):
        daemon.post("/runs", lagd.run_body(name, "words", **{"schedule": {"max_steps": 10**6}, **more}))
    daemon.wait_for("/runs/done", lambda r: r["state"] == "completed")
    ids = {name: daemon.get(f"/runs/{name}")["id"] for name in ("bulk", "b", "c", "done")}

    def bulk(verb, *runs, **more):
        items = daemon.post("/runs/bulk", {"runs": list(runs), "verb": verb, **more})["items"]
        assert [item["run"] for item in items] == list(runs)
        return [(item["status"], item["done"], item["state"], item["problem"]) for item in items]
    paused, gone = (200, True, "paused", None), (404, False, None, "not-found")
    assert bulk("pause", "bulk", "nobody", ids["b"], "c", "done", reason="room is needed") == [
        paused, gone, paused, paused, (409, False, "completed", "invalid-state")]
    assert [e for e in daemon.events() if e["type"] == "run.state" and "room is needed" in e.get("message", "")]
    resumed = bulk("resume", "bulk", "bulk")
    assert [one[:2] for one in resumed] == [(200, True)] * 2, resumed
    assert bulk("cancel", "b", "c", "done") == [(200, True, "cancelled", None)] * 2 + [
        (409, False, "completed", "invalid-state")]
    assert bulk("delete", "b", ids["c"], "b", "bulk")[:3] == [(204, True, None, None)] * 2 + [gone]
    assert names(daemon, "") == ["done", "bulk"] and daemon.get("/runs/bulk")["id"] == ids["bulk"]
    for body, part in (({"runs": [], "verb": "pause"}, "1 to 1000"), ({"verb": "pause"}, "1 to 1000"),
                       ({"runs": ["a", 7], "verb": "pause"}, "runs/1"), ({"runs": ["bulk"]}, "verb is required"),
                       ({"runs": ["bulk"], "verb": "stop"}, "pause, resume, cancel, checkpoint, delete"),
                       ({"runs": ["bulk"], "verb": "pause", "why": "x"}, "why")):
        try:
            daemon.post("/runs/bulk", body)
        except Problem as problem:
            assert problem.status in (400, 422) and part in problem.body["detail"], (body, problem)
        else:
            raise AssertionError(body)
    assert bulk("checkpoint", "bulk")[0][:2] == (200, True)
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(many_at_once, a_series_that_never_comes, runs_are_found, what_cannot_be_asked,
              a_run_tells_what_it_waits_for)
