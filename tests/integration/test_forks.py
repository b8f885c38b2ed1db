"""A run forked from a checkpoint of another one: the same to the last bit where nothing differs, on its own feet from
the beginning, and whole or not there at all wherever lagd is killed."""
import glob
import io
import json
import os
import sys
import tarfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, grown, run_body, same_points, started, until


def completed(daemon, name):
    return daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")


def at_step(daemon, run, step, kind=None):
    items = daemon.get(f"/runs/{run}/checkpoints")["items"]
    return [c for c in items if c["step"] == step and (kind is None or c["kind"] == kind)][0]


def refused(daemon, run, body, headers=None):
    status, _, data = daemon.request("POST", f"/api/v1/runs/{run}/fork", body, headers)
    problem = json.loads(data)
    pointers = [e["pointer"] for e in problem.get("errors", [])]
    return status, pointers[0] if pointers else None, problem.get("detail")


def folders(daemon):
    return sorted(os.path.basename(p) for p in glob.glob(daemon.state_dir + "/runs/*"))


def a_fork_goes_on_as_its_origin_did(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", checkpoint={"keep_last": 9}, schedule={"max_steps": 100}))
    completed(daemon, "one")
    assert "fork" in daemon.get("/runs/one")["allowed_actions"]
    source = at_step(daemon, "one", 40)
    status, headers, data = daemon.request("POST", "/api/v1/runs/one/fork",
                                           {"checkpoint": source["id"], "name": "same", "start": False})
    fork = json.loads(data)
    one = daemon.get("/runs/one")
    assert status == 201 and headers["Location"].endswith(fork["id"]), (status, headers)
    assert fork["origin"] == {"run": one["id"], "run_name": "one", "exists": True, "checkpoint": source["id"],
                              "step": 40}, fork["origin"]
    assert one["origin"] is None and (fork["state"], fork["step"]) == ("paused", 40), fork
    assert fork["tokens"] == 40 * 4 * 32 and fork["flops"] == 0 and fork["seed"] == 11, fork
    own = daemon.get("/runs/same/checkpoints")["items"]
    assert [(c["kind"], c["step"], c["keep"]) for c in own] == [("fork", 40, True)], own
    here, there = ({f["name"]: f["sha256"] for f in daemon.get(f"/checkpoints/{i}")["files"]}
                   for i in (own[0]["id"], source["id"]))
    assert all(here[n] == there[n] for n in here if n != "manifest.json") and here != there
    daemon.post("/runs/same/resume")
    daemon.post("/runs/one/fork", {"checkpoint": source["id"], "name": "other", "seed": 12})
    daemon.post("/runs/one/fork", {"checkpoint": source["id"], "name": "longer", "schedule": {"max_steps": 160}})
    for name in ("same", "other", "longer"):
        completed(daemon, name)
    rest = {step: row for step, row in daemon.points("one").items() if step > 40}
    same_points(rest, daemon.points("same"), "the fork and its origin")
    assert daemon.final_weights("same") == daemon.final_weights("one")
    assert daemon.points("other")[41]["train/loss"] != rest[41]["train/loss"]
    assert daemon.final_weights("other") != daemon.final_weights("one")
    longer = daemon.get("/runs/longer")
    assert (longer["step"], longer["schedule"]["max_steps"], longer["schedule"]["kind"]) == (160, 160, "wsd"), longer
    assert daemon.points("longer")[70] == rest[70], "the stable phase is the same"
    spent = daemon.get("/runs/same")["flops_training"]
    assert 0 < spent < one["flops_training"], "a fork has spent what it trained itself"

    # Who goes on from it is told: in the lineage, in each manifest, in the origin's events.
    lineage = daemon.get("/runs/same/lineage")
    assert lineage["origin"]["run"] == one["id"] and lineage["stages"][0]["from_step"] == 40, lineage
    for checkpoint in daemon.get("/runs/same/checkpoints")["items"]:
        data = daemon.request("GET", f"/api/v1/checkpoints/{checkpoint['id']}/archive.tar")[2]
        archive = tarfile.open(fileobj=io.BytesIO(data))
        name = [n for n in archive.getnames() if n.endswith("manifest.json")][0]
        meta = json.load(archive.extractfile(name))["meta"]
        assert (meta["origin_run"], meta["origin_checkpoint"], meta["origin_step"]) == (one["id"], source["id"], 40)
        assert meta["run_id"] == fork["id"], meta
    assert any("same was forked from" in (e.get("message") or "") for e in daemon.events("one"))

    # The origin goes, the fork stays, also in the next process.
    daemon.call("DELETE", "/runs/one")
    origin = daemon.get("/runs/same")["origin"]
    assert origin == {**fork["origin"], "exists": False}, origin
    daemon.kill()
    daemon.start()
    assert daemon.get("/runs/same")["origin"] == origin and len(daemon.get("/runs/same/checkpoints")["items"]) > 1
    again = daemon.post("/runs/same/fork", {"name": "grandchild", "schedule": {"max_steps": 120}})
    assert again["origin"]["run"] == fork["id"] and again["origin"]["step"] == 100
    completed(daemon, "grandchild")
    daemon.terminate()


def any_checkpoint_can_be_gone_on_from(folder):
    daemon = started(folder)
    growth = grown(daemon)
    completed(daemon, "one")
    before, after = at_step(daemon, "one", 20, "pre_growth"), at_step(daemon, "one", 28, "growth")
    small = daemon.post("/runs/one/fork", {"checkpoint": before["id"], "name": "small"})
    large = daemon.post("/runs/one/fork", {"checkpoint": after["id"], "name": "large"})
    assert (small["model"]["n_layer"], large["model"]["n_layer"]) == (2, 4)
    for name in ("small", "large"):
        completed(daemon, name)
    assert daemon.final_weights("large") == daemon.final_weights("one")
    again = daemon.post("/runs/small/fork", {"checkpoint": at_step(daemon, "small", 20)["id"], "name": "again",
                                             "start": False})
    daemon.post("/runs/again/growths", {"target": {"n_layer": 4}, "when": {"at_step": 20}, "pool": [
        "stack", "midas", "interleave"], "probe": {"steps": 8, "eval_every": 4}, "reason": "deeper | *better*"})
    daemon.post("/runs/again/resume")
    completed(daemon, "again")
    assert daemon.final_weights("again") == daemon.final_weights("one"), "it grows as its origin did"
    assert again["origin"]["run_name"] == "small" and daemon.get(f"/growths/{growth}")["state"] == "applied"

    # Of a run that was ended, of one that trains, and of one that waits for a decision: a candidate's state, too.
    daemon.post("/runs", run_body("long", "words", schedule={"max_steps": 100000}))
    daemon.wait_for("/runs/long", lambda r: r["step"] > 80)
    assert daemon.post("/runs/long/fork", {"name": "beside", "schedule": {"max_steps": 200}})["origin"]["step"] >= 40
    daemon.post("/runs/long/cancel")
    assert daemon.post("/runs/long/fork", {"start": False})["name"].startswith("run-")
    daemon.call("DELETE", "/runs/one")
    grown(daemon, mode="manual")
    loser = [c for c in daemon.get("/runs/one/checkpoints")["items"] if c["kind"] == "candidate" and
             c["n_layer"] == 4][0]
    fork = daemon.post("/runs/one/fork", {"checkpoint": loser["id"], "name": "loser"})
    assert (fork["step"], fork["model"]["n_layer"]) == (28, 4), fork
    for name in ("beside", "loser"):
        completed(daemon, name)
    daemon.terminate()


GROWTH = {"target": {"n_layer": 4}, "pool": ["stack", "midas", "interleave"],
          "probe": {"steps": 8, "eval_every": 4}, "reason": "deeper"}


def a_completed_run_grows_as_a_fork_in_one_request(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", checkpoint={"keep_last": 9}, schedule={"max_steps": 80}))
    completed(daemon, "one")
    source = at_step(daemon, "one", 40)
    fork = daemon.post("/runs/one/fork", {"checkpoint": source["id"], "name": "two", "growth": GROWTH})
    assert daemon.get(f"/growths/{fork['growth']}")["run"] == fork["id"] and fork["model"]["n_layer"] == 2, fork
    daemon.post("/runs/one/fork", {"checkpoint": source["id"], "name": "three", "start": False})
    daemon.post("/runs/three/growths", GROWTH)
    daemon.post("/runs/three/resume")
    for name in ("two", "three"):
        assert completed(daemon, name)["model"]["n_layer"] == 4
    assert daemon.final_weights("two") == daemon.final_weights("three"), "it grows as in two requests"
    growth = daemon.get("/runs/two/growths")["items"][0]
    assert (growth["state"], growth["start_step"], growth["n_layer_to"]) == ("applied", 40, 4), growth
    late = daemon.post("/runs/one/fork", {"name": "late", "schedule": {"max_steps": 120}, "start": False,
                                          "growth": {**GROWTH, "when": {"at_step": 90}}})
    assert late["growth"] is not None and late["step"] == 80, late

    n_runs = len(daemon.get("/runs")["items"])
    for growth, expected, words in (
            ("stack", (422, "#/growth"), "must be an object"),
            ({}, (422, "#/growth/target"), "says nothing that grows"),
            ({**GROWTH, "target": {"n_layer": 1}}, (422, "#/growth/target/n_layer"), ""),
            ({**GROWTH, "pool": ["stacked"]}, (422, "#/growth/pool/0/operator"), "stacked"),
            ({**GROWTH, "pool": [{"operator": "stack", "seed": -3}]}, (422, "#/growth/pool/0/seed"), ""),
            ({**GROWTH, "probes": {}}, (400, "#/growth/probes"), ""),
            ({**GROWTH, "when": {"at_step": 39}}, (422, "#/growth/when/at_step"), ""),
            ({**GROWTH, "probe": {"steps": 4000}}, (422, "#/growth/probe/steps"), ""),
            ({**GROWTH, "extend": {"max_steps": 200}}, (422, "#/growth/extend"), "schedule/max_steps")):
        status, pointer, detail = refused(daemon, "one", {"checkpoint": source["id"], "growth": growth})
        assert (status, pointer) == expected and words in detail, (growth, status, pointer, detail)
    assert len(daemon.get("/runs")["items"]) == n_runs == len(folders(daemon))
    daemon.terminate()


def bad_requests_say_what_to_change(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 80}))
    daemon.post("/runs", run_body("two", "words", schedule={"max_steps": 50}, start=False))
    completed(daemon, "one")
    newest = daemon.get("/runs/one/checkpoints")["items"][0]["id"]
    for run, body, expected, words in (
            ("nobody", {}, (404, None), "nobody"),
            ("two", {}, (409, None), "has no checkpoint"),
            ("two", {"checkpoint": newest}, (422, "#/checkpoint"), "run two has no checkpoint"),
            ("one", {"checkpoint": "ckpt_0"}, (422, "#/checkpoint"), "lists those"),
            ("one", {"name": "two"}, (409, "#/name"), "exists already"),
            ("one", {"name": "a/b"}, (422, "#/name"), ""),
            ("one", {"seed": -1}, (422, "#/seed"), ""),
            ("one", {"seed": 2**60}, (422, "#/seed"), ""),
            ("one", {"schedule": {"max_steps": 79}}, (422, "#/schedule/max_steps"), "the step of the checkpoint (80)"),
            ("one", {"schedule": {"max_steps": 0}}, (422, "#/schedule/max_steps"), ""),
            ("one", {"schedule": {"kind": "linear"}}, (422, "#/schedule/kind"), "cosine"),
            ("one", {"schedule": {"warmup_steps": 80}}, (422, "#/schedule/warmup_steps"), "below"),
            ("one", {"schedule": {"min_lr": 1}}, (422, "#/schedule/min_lr"), "optim/lr"),
            ("one", {"model": {"n_layer": 9}}, (400, "#/model"), ""),
            ("one", {"start": "no"}, (422, "#/start"), "")):
        status, pointer, detail = refused(daemon, run, body)
        assert (status, pointer) == expected and words in detail, (body, status, pointer, detail)
    assert len(daemon.get("/runs")["items"]) == 2 and len(folders(daemon)) == 1, folders(daemon)

    # A key makes one fork; the same key with another body is told.
    key = {"Idempotency-Key": "once"}
    first = daemon.post("/runs/one/fork", {"name": "three", "start": False}, headers=key)
    second = daemon.post("/runs/one/fork", {"name": "three", "start": False}, headers=key)
    assert first["id"] == second["id"] and len(daemon.get("/runs")["items"]) == 3
    assert refused(daemon, "one", {"name": "four"}, key)[0] == 422

    # Files that are away, and files that are damaged.
    path = [p for p in glob.glob(daemon.state_dir + "/runs/*/ckpt-00000080-*") if first["id"] not in p][0]
    os.rename(path, path + "x")
    status, _, detail = refused(daemon, "one", {"name": "four"})
    assert status == 409 and "put them back" in detail, detail
    os.rename(path + "x", path)
    with open(path + "/model.safetensors", "r+b") as f:
        f.seek(3000)
        f.write(b"\xff\xff")
    status, _, detail = refused(daemon, "one", {"name": "four"})
    assert status == 500 and "damaged" in detail, (status, detail)
    assert len(folders(daemon)) == 2, folders(daemon)

    # Without its dataset a fork is made, and tells what it lacks as soon as it is to train.
    dataset = glob.glob(daemon.state_dir + "/datasets/*/*")[0]
    os.rename(dataset, dataset + "x")
    daemon.post("/runs/one/fork", {"checkpoint": at_step(daemon, "one", 40)["id"], "name": "four"})
    told = daemon.wait_for("/runs/four", lambda r: r["state"] == "paused")
    assert "dataset" in told["reason"], told
    os.rename(dataset + "x", dataset)
    daemon.post("/runs/four/resume")
    completed(daemon, "four")
    daemon.terminate()


def what_is_being_deleted_is_not_forked(folder):
    if not lagd.has_failpoints():
        return
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 80}))
    completed(daemon, "one")
    source = at_step(daemon, "one", 40)
    path = glob.glob(daemon.state_dir + "/runs/*/ckpt-00000040-*")[0]
    open(path + "/.unlisted", "w").close()  # as a deletion does first
    status, _, detail = refused(daemon, "one", {"checkpoint": source["id"]})
    assert status == 409 and "is being deleted" in detail, detail
    os.remove(path + "/.unlisted")
    daemon.terminate()

    # Its row and its folder go while it is copied.
    daemon.start(failpoints="checkpoint.copied_file=sleep:2000@1")
    answer = []
    thread = threading.Thread(target=lambda: answer.append(refused(daemon, "one", {"checkpoint": source["id"]})))
    thread.start()
    assert until(lambda: len(folders(daemon)) == 2, 10)
    time.sleep(0.3)
    daemon.call("DELETE", f"/checkpoints/{source['id']}")
    daemon.get("/runs/one")
    thread.join()
    assert answer[0][0] == 409 and "deleted meanwhile" in answer[0][2], answer
    assert len(folders(daemon)) == 1 and len(daemon.get("/runs")["items"]) == 1
    daemon.terminate()


def a_crash_leaves_a_fork_whole_or_not_there(folder):
    if not lagd.has_failpoints():
        return
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 80}))
    completed(daemon, "one")
    daemon.terminate()
    for point, made in (("fork.marked", False), ("checkpoint.copied_file@2", False), ("fork.copied", False),
                        ("key.written", True), ("fork.written", True), ("fork.settling", True)):
        name, _, n = point.partition("@")
        body = {"name": name.replace(".", "-"), "schedule": {"max_steps": 120}, "start": False, "growth": GROWTH}
        daemon.start(failpoints=f"{name}=kill@{n or 1}")
        try:
            daemon.post("/runs/one/fork", body, headers={"Idempotency-Key": name})
        except (OSError, lagd.http.client.HTTPException):
            pass
        assert until(lambda: not daemon.alive(), 10), point
        daemon.start()
        names = {r["name"]: r for r in daemon.get("/runs")["items"]}
        assert (name.replace(".", "-") in names) == made, (point, sorted(names))
        assert folders(daemon) == sorted(r["id"] for r in names.values()), (point, folders(daemon))
        assert not glob.glob(daemon.state_dir + "/runs/*/.unlisted"), point
        fork = daemon.post("/runs/one/fork", body, headers={"Idempotency-Key": name})
        assert len(daemon.get(f"/runs/{fork['id']}/checkpoints")["items"]) == 1
        assert [g["state"] for g in daemon.get(f"/runs/{fork['id']}/growths")["items"]] == ["queued"], point
        daemon.call("DELETE", f"/runs/{fork['id']}")
        daemon.terminate()


def a_fork_without_a_checkpoint_does_not_begin_anew(folder):
    daemon = started(folder)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 80}))
    completed(daemon, "one")
    fork = daemon.post("/runs/one/fork", {"name": "two", "schedule": {"max_steps": 120}, "start": False})
    path = glob.glob(f"{daemon.state_dir}/runs/{fork['id']}/ckpt-*/model.safetensors")[0]
    with open(path, "r+b") as f:
        f.seek(3000)
        f.write(b"\xff\xff")
    daemon.post("/runs/two/resume")
    told = daemon.wait_for("/runs/two", lambda r: r["state"] == "paused")
    assert "fork one again" in told["reason"] and told["step"] == 80, told
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_fork_goes_on_as_its_origin_did, any_checkpoint_can_be_gone_on_from,
              a_completed_run_grows_as_a_fork_in_one_request, bad_requests_say_what_to_change,
              what_is_being_deleted_is_not_forked, a_crash_leaves_a_fork_whole_or_not_there,
              a_fork_without_a_checkpoint_does_not_begin_anew)
