"""A run that is completed or paused goes on to a later last step: to the same bits where nothing differs, with the
learning rate that the dry run told, and whole or as before wherever lagd is killed."""
import glob
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import run_body, same_points, started, until


def completed(daemon, name, step):
    return daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed" and r["step"] == step)


def body(name, steps, kind="wsd", **more):
    return run_body(name, "words", schedule={"kind": kind, "max_steps": steps}, checkpoint={"every_steps": 30}, **more)


def refused(daemon, run, wish, path="/extend"):
    status, _, data = daemon.request("POST" if path else "PATCH", f"/api/v1/runs/{run}{path}", wish)
    problem = json.loads(data)
    return status, (problem.get("errors") or [{}])[0].get("pointer"), problem.get("detail", "")


def rates(daemon, run):
    return {step: row["optim/lr"] for step, row in daemon.points(run).items() if "optim/lr" in row}


def no_mismatch(daemon):
    assert not [e for e in daemon.events() if e["type"] == "determinism.mismatch"]


def nothing_differs_where_the_rate_is_the_same(folder):
    daemon = started(folder)
    daemon.post("/runs", body("whole", 150, "constant"))
    daemon.post("/runs", body("one", 75, "constant"))
    completed(daemon, "one", 75)
    assert "extend" in daemon.get("/runs/one")["allowed_actions"]
    plan = daemon.post("/runs/one/extend?dry_run=true", {"max_steps": 150})
    assert (plan["from_step"], plan["max_steps"], plan["lr_now"], plan["lr_next"]) == (75, 150, 0.003, 0.003), plan
    assert plan["lr_changes"] is False and plan["checkpoint"] is None and "goes on at" in plan["note"], plan
    assert daemon.get("/runs/one")["state"] == "completed"
    key = {"Idempotency-Key": "once"}
    status, _, data = daemon.request("POST", "/api/v1/runs/one/extend", {"max_steps": 150}, key)
    assert status == 200 and json.loads(data)["max_steps"] == 150 and json.loads(data)["state"] == "queued", data
    assert daemon.post("/runs/one/extend", {"max_steps": 150}, headers=key)["id"] == json.loads(data)["id"]
    for name in ("one", "whole"):
        completed(daemon, name, 150)
    same_points(daemon.points("whole"), daemon.points("one"), "the extended run")
    assert daemon.final_weights("whole") == daemon.final_weights("one")
    assert daemon.get("/runs/one")["flops"] == daemon.get("/runs/whole")["flops"]
    assert any("extended from 75 to 150" in (e.get("message") or "") for e in daemon.events("one"))
    daemon.terminate()


def a_decay_is_undone(folder):
    daemon = started(folder)
    daemon.post("/runs", body("whole", 220))
    daemon.post("/runs", body("one", 110))
    completed(daemon, "one", 110)
    # 10 steps of warm-up and 80 of the other 100 at the peak: update number 91 is the first that is smaller.
    listed = {c["kind"]: c for c in daemon.get("/runs/one/checkpoints")["items"]}
    assert listed["pre_decay"]["step"] == 91 and listed["pre_decay"]["keep"], listed
    before = rates(daemon, "one")
    assert before[91] == 0.003 > before[92] > before[110]
    plan = daemon.post("/runs/one/extend?dry_run=true", {"max_steps": 220, "from": "before_decay"})
    assert (plan["from_step"], plan["n_dropped_steps"], plan["checkpoint"]) == (91, 19, listed["pre_decay"]["id"]), plan
    assert plan["lr_now"] == before[110] and plan["lr_next"] == 0.003 and plan["lr_changes"], plan
    assert "goes back to step 91" in plan["note"] and "rises at once" in plan["note"], plan
    daemon.call("PATCH", f"/checkpoints/{listed['final']['id']}", {"keep": True})
    status, _, detail = refused(daemon, "one", {"max_steps": 220, "from": "before_decay"})
    assert status == 409 and "is kept" in detail and len(rates(daemon, "one")) == 110, detail
    daemon.call("PATCH", f"/checkpoints/{listed['final']['id']}", {"keep": False})
    daemon.post("/runs/one/extend", {"max_steps": 220, "from": "before_decay"})
    for name in ("one", "whole"):
        completed(daemon, name, 220)
    same_points(daemon.points("whole"), daemon.points("one"), "the run whose decay was undone")
    assert daemon.final_weights("whole") == daemon.final_weights("one")
    folders = glob.glob(daemon.state_dir + "/runs/*/ckpt-*")
    assert len(folders) == len(daemon.get("/checkpoints")["items"]), folders

    # Without it the one before serves, where that is left.
    pre = [c for c in daemon.get("/runs/one/checkpoints")["items"] if c["kind"] == "pre_decay"]
    assert [c["step"] for c in pre] == [179, 91], pre
    for one in pre:
        daemon.call("PATCH", f"/checkpoints/{one['id']}", {"keep": False})
        daemon.call("DELETE", f"/checkpoints/{one['id']}")
    for one in daemon.get("/runs/one/checkpoints")["items"]:
        if one["step"] <= 179:
            daemon.call("DELETE", f"/checkpoints/{one['id']}")
    status, _, detail = refused(daemon, "one", {"max_steps": 300, "from": "before_decay"})
    assert status == 409 and "no checkpoint left from before its decay, which began at step 179" in detail, detail
    no_mismatch(daemon)
    daemon.terminate()


def the_rate_is_told_before(folder):
    daemon = started(folder)
    for kind, wish, check in (
            ("wsd", {}, lambda lr: lr[61] == 0.003 and abs(lr[60] - 0.0004) < 1e-3 and lr[120] < 0.001),
            ("cosine", {}, lambda lr: lr[60] < 0.0002 and lr[61] > 0.001),
            ("wsd", {"after": "minimum"}, lambda lr: {lr[s] for s in range(61, 121)} == {0.0001}),
            ("cosine", {"after": "minimum"}, lambda lr: {lr[s] for s in range(61, 121)} == {0.0001}),
            ("wsd", {"after": "rewarm", "warmup_steps": 20}, lambda lr: lr[61] == 0.003 / 20 and lr[80] == 0.003),
            ("constant", {"after": "rewarm"}, lambda lr: lr[61] == 0.003 / 30 and lr[90] == 0.003 == lr[120]),
            ("cosine", {"kind": "constant"}, lambda lr: lr[61] == 0.003 == lr[120])):
        name = "-".join([kind, *map(str, wish.values())]).replace("_", "-")
        daemon.post("/runs", body(name, 60, kind))
        completed(daemon, name, 60)
        asked = {"max_steps": 120, "schedule": wish}
        plan = daemon.post(f"/runs/{name}/extend?dry_run=true", asked)
        daemon.post(f"/runs/{name}/extend", asked)
        completed(daemon, name, 120)
        lr = rates(daemon, name)
        assert plan["lr_now"] == lr[60] and plan["lr_next"] == lr[61], (name, plan, lr)
        assert len(plan["lr"]) > 10 and plan["lr"][-1]["step"] == 119, plan
        for point in plan["lr"]:  # the update behind so many
            assert point["lr"] == lr[point["step"] + 1], (name, point, lr)
        assert check(lr), (name, lr)

    # It may be done again; a fork goes through the same schedules, and one with a schedule of its own does not.
    daemon.post("/runs/wsd-minimum/extend", {"max_steps": 150, "schedule": {"after": "rewarm", "warmup_steps": 5}})
    completed(daemon, "wsd-minimum", 150)
    lr = rates(daemon, "wsd-minimum")
    assert lr[120] == 0.0001 and lr[121] == 0.003 / 5 and lr[125] == 0.003
    source = [c for c in daemon.get("/runs/wsd-minimum/checkpoints")["items"] if c["kind"] == "pre_decay"]
    daemon.post("/runs/wsd-minimum/fork", {"checkpoint": source[-1]["id"], "name": "fork"})
    completed(daemon, "fork", 150)
    ahead = {step: row for step, row in daemon.points("wsd-minimum").items() if step > source[-1]["step"]}
    here = daemon.points("fork")
    assert {s: r["train/loss"] for s, r in here.items()} == {s: r["train/loss"] for s, r in ahead.items()}
    assert daemon.final_weights("fork") == daemon.final_weights("wsd-minimum")
    daemon.post("/runs/wsd-minimum/fork", {"checkpoint": source[-1]["id"], "name": "own",
                                           "schedule": {"kind": "constant", "max_steps": 100}})
    completed(daemon, "own", 100)
    assert set(rates(daemon, "own").values()) == {0.003}
    no_mismatch(daemon)
    daemon.terminate()


def a_paused_run_gets_more_steps(folder):
    daemon = started(folder)
    daemon.post("/runs", body("whole", 400))
    daemon.post("/runs", body("one", 100000))
    daemon.wait_for("/runs/one", lambda r: r["step"] > 20)
    status, pointer, detail = refused(daemon, "one", {"schedule": {"max_steps": 200000}}, "")
    assert (status, pointer) == (422, "#/schedule/max_steps") and "while the run is paused" in detail, detail
    status, _, detail = refused(daemon, "one", {"max_steps": 200000})
    assert status == 409 and "pause it first" in detail, detail
    daemon.post("/runs/one/pause")
    paused = daemon.get("/runs/one")
    changed = daemon.call("PATCH", "/runs/one", {"schedule": {"max_steps": 200000}, "note": "longer"})
    assert (changed["state"], changed["max_steps"], changed["note"]) == ("paused", 200000, "longer"), changed
    assert changed["schedule"]["max_steps"] == 200000 and changed["step"] == paused["step"]
    status, pointer, detail = refused(daemon, "one", {"schedule": {"max_steps": 150}}, "")
    assert (status, pointer) == (422, "#/schedule/max_steps") and "not below" in detail, detail
    status, headers, _ = daemon.request("PATCH", "/api/v1/runs/one", {"schedule": {"max_steps": 300000}},
                                        {"If-Match": '"1"'})
    assert status == 412 and daemon.get("/runs/one")["max_steps"] == 200000, status
    assert daemon.post("/runs/one/extend", {"max_steps": 300000})["state"] == "queued"
    daemon.wait_for("/runs/one", lambda r: r["step"] > changed["step"])
    daemon.post("/runs/one/cancel")

    # Paused before it began, and in its stable phase: nothing of what follows differs from a longer run.
    daemon.post("/runs", body("two", 100, start=False))
    daemon.call("PATCH", "/runs/two", {"schedule": {"max_steps": 300}})
    daemon.post("/runs/two/extend", {"max_steps": 400})
    for name in ("two", "whole"):
        completed(daemon, name, 400)
    same_points(daemon.points("whole"), daemon.points("two"), "the lengthened run")
    assert daemon.final_weights("whole") == daemon.final_weights("two")
    daemon.terminate()


def bad_requests_say_what_to_change(folder):
    daemon = started(folder)
    daemon.post("/runs", body("one", 60))
    daemon.post("/runs", body("flat", 60, "constant"))
    daemon.post("/runs", body("grown", 60, start=False))
    for name in ("one", "flat"):
        completed(daemon, name, 60)
    for run, wish, expected, words in (
            ("nobody", {"max_steps": 90}, (404, None), "nobody"),
            ("one", {}, (422, "#/max_steps"), ""),
            ("one", {"max_steps": 60}, (422, "#/max_steps"), "above the step that the run goes on from (60)"),
            ("one", {"max_steps": 59}, (422, "#/max_steps"), "not below"),
            ("one", {"max_steps": 0}, (422, "#/max_steps"), ""),
            ("one", {"max_steps": 90, "from": "start"}, (422, "#/from"), "before_decay"),
            ("flat", {"max_steps": 90, "from": "before_decay"}, (422, "#/from"), "nothing is to be undone"),
            ("one", {"max_steps": 90, "schedule": {"after": "x"}}, (422, "#/schedule/after"), "rewarm"),
            ("one", {"max_steps": 90, "schedule": {"after": "minimum", "kind": "cosine"}}, (422, "#/schedule/after"),
             "leaves the schedule as it is"),
            ("one", {"max_steps": 90, "schedule": {"after": "rewarm", "warmup_steps": 30}},
             (422, "#/schedule/warmup_steps"), "to come (30)"),
            ("one", {"max_steps": 90, "schedule": {"warmup_steps": 90}}, (422, "#/schedule/warmup_steps"), "below"),
            ("one", {"max_steps": 90, "schedule": {"min_lr": 1}}, (422, "#/schedule/min_lr"), "optim/lr"),
            ("one", {"max_steps": 90, "schedule": {"max_steps": 90}}, (400, "#/schedule/max_steps"), "")):
        for path in ("/extend", "/extend?dry_run=true"):
            status, pointer, detail = refused(daemon, run, wish, path)
            assert (status, pointer) == expected and words in detail, (wish, path, status, pointer, detail)
    assert daemon.get("/runs/one")["state"] == "completed" and daemon.get("/runs/one")["max_steps"] == 60
    for i in range(15):
        daemon.post("/runs/flat/extend", {"max_steps": 61 + i})
        completed(daemon, "flat", 61 + i)
    status, _, detail = refused(daemon, "flat", {"max_steps": 90})
    assert status == 409 and "fork it" in detail, detail
    daemon.terminate()


def what_was_trained_before_is_trained_alike_again(folder):
    """The newest checkpoints are damaged: the run goes back behind its extension, through the schedule of then."""
    daemon = started(folder)
    daemon.post("/runs", body("one", 60))
    completed(daemon, "one", 60)
    daemon.post("/runs/one/extend", {"max_steps": 90, "schedule": {"after": "rewarm", "warmup_steps": 10}})
    completed(daemon, "one", 90)
    before, weights = daemon.points("one"), daemon.final_weights("one")
    daemon.post("/runs/one/extend", {"max_steps": 120})
    completed(daemon, "one", 120)
    daemon.call("PATCH", "/runs/one", {"checkpoint": {"keep_last": 9}})
    for path in glob.glob(daemon.state_dir + "/runs/*/ckpt-*/optimizer.safetensors"):
        if int(os.path.basename(os.path.dirname(path)).split("-")[1]) > 51:
            with open(path, "r+b") as f:
                f.seek(3000)
                f.write(b"\xff\xff")
    daemon.post("/runs/one/extend", {"max_steps": 121})
    completed(daemon, "one", 121)
    after = daemon.points("one")
    assert all(after[s].get("train/loss") == r.get("train/loss") for s, r in before.items())
    assert weights[0] == 90
    no_mismatch(daemon)
    daemon.terminate()


def a_crash_leaves_it_extended_or_as_it_was(folder):
    if not lagd.has_failpoints():
        return
    daemon = started(folder)
    daemon.post("/runs", body("one", 110))
    completed(daemon, "one", 110)
    daemon.terminate()
    steps = 110
    for point, made in (("extension.marked", False), ("key.written", True), ("extension.written", True)):
        daemon.start(failpoints=f"{point}=kill@1")
        wish = {"max_steps": steps + 110, "from": "before_decay"}
        try:
            daemon.post("/runs/one/extend", wish, headers={"Idempotency-Key": point})
        except (OSError, lagd.http.client.HTTPException):
            pass
        assert until(lambda: not daemon.alive(), 10), point
        daemon.start()
        run = daemon.get("/runs/one")
        assert run["max_steps"] == (wish["max_steps"] if made else steps), (point, run)
        if not made:
            assert (run["state"], run["step"]) == ("completed", steps), run
        daemon.post("/runs/one/extend", wish, headers={"Idempotency-Key": point})
        steps = wish["max_steps"]
        completed(daemon, "one", steps)
        folders = glob.glob(daemon.state_dir + "/runs/*/ckpt-*")
        assert len(folders) == len(daemon.get("/checkpoints")["items"]), (point, folders)
        assert sorted(daemon.points("one"))[-1] == steps
        daemon.terminate()
    daemon.start()
    daemon.post("/runs", body("whole", steps))
    completed(daemon, "whole", steps)
    same_points(daemon.points("whole"), daemon.points("one"), "the run that was killed while it was extended")
    assert daemon.final_weights("whole") == daemon.final_weights("one")
    no_mismatch(daemon)
    daemon.terminate()


def candidates_keep_their_schedule(folder):
    """While a growth is under way the run's schedule is that of all its candidates, those to come included."""
    daemon = started(folder)
    daemon.post("/runs", body("one", 3000))
    made = daemon.post("/runs/one/growths", {"target": {"n_layer": 4}, "probe": {"steps": 1500},
                                             "pool": ["stack", "midas"]})
    daemon.wait_for(f"/growths/{made['id']}", lambda g: g["state"] == "probing")
    daemon.post("/runs/one/pause")
    daemon.wait_for("/runs/one", lambda r: r["state"] == "paused")
    before = daemon.get("/runs/one")
    for method, path, asked in (("POST", "/runs/one/extend", {"max_steps": 9000}),
                                ("PATCH", "/runs/one", {"schedule": {"max_steps": 9000}})):
        status, _, data = daemon.request(method, "/api/v1" + path, asked)
        assert status == 409 and "is probing" in json.loads(data)["detail"], data
    assert daemon.get("/runs/one")["max_steps"] == before["max_steps"]
    daemon.post(f"/growths/{made['id']}/cancel")
    daemon.wait_for("/runs/one", lambda r: r["growth"] is None)
    assert daemon.post("/runs/one/extend", {"max_steps": 9000})["max_steps"] == 9000
    daemon.terminate()


def a_completed_run_grows(folder):
    daemon = started(folder)
    growth = {"target": {"n_layer": 4}, "probe": {"steps": 8, "eval_every": 4}, "pool": ["stack", "midas"],
              "when": {"at_step": 80}}
    daemon.post("/runs", body("whole", 140, start=False))
    daemon.post("/runs/whole/growths", growth)
    daemon.post("/runs/whole/resume")
    daemon.post("/runs", body("one", 60, "constant"))
    completed(daemon, "one", 60)
    status, _, data = daemon.request("POST", "/api/v1/runs/one/growths", growth)
    assert status == 409 and "extend/max_steps" in json.loads(data)["detail"], data
    # All or nothing: what is wrong with either refuses both.
    for more, pointer in (({"extend": {"max_steps": 60}}, "#/extend/max_steps"),
                          ({"extend": {"max_steps": 84}}, "#/probe/steps"),
                          ({"extend": {"max_steps": 140}, "target": {"n_layer": 2}}, "#/target/n_layer"),
                          ({"extend": {"max_steps": 140}, "pool": ["nothing"]}, "#/pool/0")):
        for path in ("growths", "growths?dry_run=true"):
            status, _, data = daemon.request("POST", "/api/v1/runs/one/" + path, {**growth, **more})
            assert status == 422 and json.loads(data)["errors"][0]["pointer"].startswith(pointer), (more, data)
    run = daemon.get("/runs/one")
    assert (run["state"], run["max_steps"], run["growth"]) == ("completed", 60, None), run
    asked = {**growth, "extend": {"max_steps": 140}}
    plan = daemon.post("/runs/one/growths?dry_run=true", asked)
    assert plan["to"]["n_layer"] == 4 and daemon.get("/runs/one")["state"] == "completed"
    made = daemon.post("/runs/one/growths", asked, headers={"Idempotency-Key": "grow"})
    assert daemon.post("/runs/one/growths", asked, headers={"Idempotency-Key": "grow"})["id"] == made["id"]
    run = completed(daemon, "one", 140)
    completed(daemon, "whole", 140)
    assert run["model"]["n_layer"] == 4 and daemon.get(f"/growths/{made['id']}")["state"] == "applied"
    # A paused one, too; as the rate is another one at the end only, this equals the run that was made so.
    daemon.post("/runs", body("two", 100, start=False))
    daemon.post("/runs/two/growths", asked)
    completed(daemon, "two", 140)
    assert daemon.final_weights("two") == daemon.final_weights("whole")
    if lagd.has_failpoints():
        daemon.post("/runs", body("three", 60))
        completed(daemon, "three", 60)
        daemon.terminate()
        daemon.start(failpoints="growth.created=kill@1")
        try:
            daemon.post("/runs/three/growths", asked)
        except (OSError, lagd.http.client.HTTPException):
            pass
        assert until(lambda: not daemon.alive(), 10)
        daemon.start()
        assert completed(daemon, "three", 140)["model"]["n_layer"] == 4
    no_mismatch(daemon)
    daemon.terminate()


def a_study_of_an_extended_run_has_its_own_decay(folder):
    """It ends with the horizon, whatever the parent went through; an audit has the parent's."""
    daemon = started(folder)
    daemon.post("/runs", body("one", 100))
    completed(daemon, "one", 100)
    daemon.post("/runs/one/extend", {"max_steps": 300, "from": "before_decay"})
    growth = {"target": {"n_layer": 4}, "pool": ["stack", "interleave"], "when": {"at_step": 150},
              "probe": {"steps": 8, "eval_every": 8}}
    growth = daemon.post("/runs/one/growths", growth)["id"]
    completed(daemon, "one", 300)
    parent = daemon.get(f"/growths/{growth}")["parent_checkpoint"]
    study = daemon.post("/studies", {"name": "s", "parent": {"run": "one", "checkpoint": parent}, "seeds": [1],
                                     "target": {"n_layer": 4}, "pool": ["stack", "interleave"], "horizon": 60,
                                     "eval": {"every": 20, "batches": 2}})
    study = daemon.wait_for(f"/studies/{study['id']}", lambda s: s["state"] == "completed")
    found = rates(daemon, "s.s1")
    assert found[190] == found[160] == 0.003 and found[210] < found[205] < 0.001 + found[190], found
    assert found[210] < 0.0006, found[210]
    audit = daemon.post(f"/growths/{growth}/audit")
    audit = daemon.wait_for(f"/studies/{audit['id']}", lambda s: s["state"] == "completed")
    whole, twin = rates(daemon, "one"), rates(daemon, audit["runs"][0]["run_name"])
    assert len(twin) > 140 and all(whole[step] == rate for step, rate in twin.items())
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(nothing_differs_where_the_rate_is_the_same, a_decay_is_undone, the_rate_is_told_before,
              a_paused_run_gets_more_steps, bad_requests_say_what_to_change, a_completed_run_grows,
              candidates_keep_their_schedule, a_study_of_an_extended_run_has_its_own_decay,
              what_was_trained_before_is_trained_alike_again, a_crash_leaves_it_extended_or_as_it_was)
