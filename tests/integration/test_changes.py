"""Changes of runs by a real daemon: patches, conditional requests, revisions."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import grown, run_body, started


def problem(daemon, method, path, body=None, **headers):
    """(status, problem) of a refused request; header If_Match is If-Match."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    status, _, data = daemon.request(method, "/api/v1" + path, body, sent)
    return status, json.loads(data) if data else None


def runs_are_patched(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", start=False, tags=["a"], note="first"))
    daemon.post("/runs", run_body("two", "words", start=False))
    before = daemon.get("/runs/one")
    changes = {"name": "uno", "note": "better", "tags": ["b", "c"], "checkpoint": {"keep_best": 2}, "on_crash": "pause"}
    status, headers, data = daemon.request("PATCH", "/api/v1/runs/one", changes)
    after = json.loads(data)
    assert status == 200 and after["id"] == before["id"], data
    assert [after[key] for key in ("name", "note", "tags", "on_crash")] == [
        "uno", "better", ["b", "c"], "pause"], after
    assert after["checkpoint"] == {**before["checkpoint"], "keep_best": 2}, after["checkpoint"]
    assert after["revision"] == before["revision"] + 1 and headers["ETag"] == f'"r{after["revision"]}"', headers
    for key in ("model", "optim", "schedule", "seed", "state", "created_at"):
        assert after[key] == before[key], key
    assert daemon.request("GET", "/api/v1/runs/one")[0] == 404  # the old name is free
    assert [e["message"] for e in daemon.events("uno") if e["type"] == "run.changed"] == ["uno"]
    # each refusal names the field, and changes nothing
    refusals = [
        ({"optim": {"lr": 1}}, 422, "#/optim/lr"), ({"optim": {"betas": [0.1, 0.2]}}, 422, "#/optim/betas/0"),
        ({"dataset": "x"}, 422, "#/dataset"), ({"checkpoint": {"every_steps": 5}}, 422, "#/checkpoint/every_steps"),
        ({"nate": "x"}, 400, "#/nate"), ({"checkpoint": {"keep_lost": 1}}, 400, "#/checkpoint/keep_lost"),
        ({"note": 5}, 422, "#/note"), ({"checkpoint": {"keep_last": -1}}, 422, "#/checkpoint/keep_last"),
        ({"name": "two"}, 409, "#/name"), ({"name": "a b"}, 422, "#/name"), ({"name": "../x"}, 422, "#/name"),
        ({"note": "kept?", "name": "two"}, 409, "#/name"),
        ({"name": daemon.get("/runs/two")["id"]}, 422, "#/name"),
        ({"name": daemon.get("/datasets/words")["id"]}, 422, "#/name"),
    ]
    for body, code, pointer in refusals:
        status, told = problem(daemon, "PATCH", "/runs/uno", body)
        assert status == code and told["errors"][0]["pointer"] == pointer, (body, status, told)
    assert problem(daemon, "PATCH", "/runs/nobody", {"note": "x"})[0] == 404
    assert daemon.get("/runs/uno") == after
    # acknowledged is durable
    daemon.kill()
    daemon.start()
    assert {**daemon.get("/runs/uno"), "links": None} == {**after, "links": None}
    daemon.terminate()


def retention_changes_while_it_trains(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 100000},
                                  checkpoint={"every_steps": 20, "keep_last": 2}))
    daemon.wait_for("/runs/one/checkpoints", lambda page: len(page["items"]) == 2)
    daemon.call("PATCH", "/runs/one", {"checkpoint": {"keep_last": 5}})
    daemon.wait_for("/runs/one/checkpoints", lambda page: len(page["items"]) == 5)
    daemon.call("PATCH", "/runs/one", {"checkpoint": {"keep_last": 1}})
    daemon.wait_for("/runs/one/checkpoints", lambda page: len(page["items"]) == 1)
    daemon.post("/runs/one/cancel")
    daemon.terminate()


def requests_are_conditional(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", start=False))
    tag = daemon.request("GET", "/api/v1/runs/one")[1]["ETag"]
    for header, code in [(tag, 304), ("*", 304), (f'"r9", W/{tag}', 304), (tag.replace("r", "r1"), 200),
                         (tag[:-1], 200),
                         (tag[1:-1], 200)]:
        status, headers, data = daemon.request("GET", "/api/v1/runs/one", headers={"If-None-Match": header})
        assert status == code and headers["ETag"] == tag and (code == 200 or not data), (header, status)
    number = int(tag[2:-1])
    for header in ('"r999"', f"W/{tag}", tag[1:-1], '"x"', '""', ", ".join(['"r77"'] * 100)):
        status, told = problem(daemon, "PATCH", "/runs/one", {"note": "x"}, If_Match=header)
        assert status == 412 and told["type"].endswith("/revision-mismatch"), (header, told)
        assert told["revision"] == number, (header, told)
    assert problem(daemon, "DELETE", "/runs/one", If_Match='"r999"')[0] in (409, 412)
    for header in (tag, "*", f'"r999", "r{number + 2}"'):
        assert problem(daemon, "PATCH", "/runs/one", {"note": header}, If_Match=header)[0] == 200, header
    daemon.post("/runs/one/cancel")
    status, told = problem(daemon, "DELETE", "/runs/one", If_Match=tag)
    assert status == 412 and told["revision"] == daemon.get("/runs/one")["revision"], told
    assert problem(daemon, "DELETE", "/runs/one", If_Match=f'"r{told["revision"]}"')[0] == 204
    # two people look at the same growth; the second decides on what is no longer there
    growth = grown(daemon, mode="manual")
    tag = daemon.request("GET", f"/api/v1/growths/{growth}")[1]["ETag"]
    assert daemon.request("GET", f"/api/v1/growths/{growth}", headers={"If-None-Match": tag})[0] == 304
    decide = f"/growths/{growth}/decision"
    status, told = problem(daemon, "POST", decide, {"approve": True}, If_Match='"r1"')
    assert status == 412 and f'"r{told["revision"]}"' == tag, (told, tag)
    assert daemon.get(f"/growths/{growth}")["state"] == "awaiting_approval"
    assert problem(daemon, "POST", decide, {"approve": True}, If_Match=tag)[0] == 200
    status, told = problem(daemon, "POST", decide, {"reject": True}, If_Match=tag)
    assert status == 412 and told["revision"] > int(tag[2:-1]), told
    daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == "applied")
    daemon.terminate()


def a_growth_s_revision_follows_its_candidates(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 400}, start=False))
    body = {"target": {"n_layer": 4}, "when": {"at_step": 20}, "probe": {"steps": 60, "eval_every": 5}}
    growth = daemon.post("/runs/one/growths", body)["id"]
    daemon.post("/runs/one/resume")
    seen = {}
    while True:
        value = daemon.get(f"/growths/{growth}")
        shown = json.dumps({key: value[key] for key in ("state", "candidates", "decision", "progress")})
        assert seen.setdefault(value["revision"], shown) == shown, value["revision"]
        if value["state"] == "applied":
            break
    assert len(seen) > 4
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(runs_are_patched, retention_changes_while_it_trains, requests_are_conditional,
              a_growth_s_revision_follows_its_candidates)
