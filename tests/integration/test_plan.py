"""A run's growth plan: stages that begin by their triggers, one after the other, whatever happens in between."""
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Problem, run_body, started

MODEL = {"n_layer": 1, "n_head": 1, "n_embd": 8, "n_positions": 8}
PROBE = {"steps": 6, "eval_every": 3, "eval_batches": 2}
TOKENS = 16  # of a step


def body(name="r", steps=90, **changes):
    return run_body(name, "words", **{"model": MODEL, "schedule": {"max_steps": steps}, "start": False,
                                      "batch": {"sequences": 2, "tokens_per_sequence": 8},
                                      "eval": {"every_steps": 10, "batches": 2}, "checkpoint": {"every_steps": 25},
                                      **changes})


def stage(to, trigger=None, pool=("stack",), **changes):
    one = {"target": {"n_layer": to}, "probe": PROBE, "pool": list(pool), **changes}
    if isinstance(trigger, int):
        trigger = {"step": trigger}
    if trigger is not None:
        one["trigger"] = trigger
    return one


def put(daemon, *stages, run="r", query="", **more):
    return daemon.call("PUT", f"/runs/{run}/plan{query}", {"stages": list(stages), **more})


def refused(wanted, text, pointer, function, *args, **more):
    try:
        function(*args, **more)
    except Problem as problem:
        faults = problem.body.get("errors", [])
        said = [problem.body["detail"]] + [fault["detail"] for fault in faults]
        assert problem.status == wanted and any(text in one for one in said), (problem.status, problem.body)
        assert pointer is None or "#" + pointer in [fault["pointer"] for fault in faults], (pointer, problem.body)
        return
    raise AssertionError("it was not refused")


def paused(folder, **changes):
    daemon = started(folder)
    daemon.post("/runs", body(**changes))
    return daemon


def completed(daemon, run="r"):
    return daemon.wait_for(f"/runs/{run}", lambda r: r["state"] == "completed")


def stages(daemon, run="r"):
    return daemon.get(f"/runs/{run}/plan")["stages"]


def told(daemon, run="r"):
    return [(one["state"], one["step"]) for one in stages(daemon, run)]


def as_asked(plan):
    """What of a plan can be asked for again."""
    keep = ("trigger", "pool", "target", "probe", "mode", "allow_none", "reason")
    return [{key: value for key, value in one.items() if key in keep and value not in (None, "")}
            for one in plan["stages"]]


def stages_begin_in_turn(folder):
    daemon = paused(folder)
    empty = daemon.get("/runs/r/plan")
    assert empty["stages"] == [] and empty["revision"] == 0 and empty["lengths"] is None, empty
    plain = daemon.get("/runs/r")["flops_left"]
    asked = (stage(2, 20), stage(3, {"tokens": 40 * TOKENS - 3}, ["stack", {"operator": "random", "seed": 4}]),
             stage(4, 60, [{"operator": "midas", "params": {"block": 1}}], mode="auto", reason="the last one"))
    guess = put(daemon, *asked, query="?dry_run=true")
    assert [(one["begins"], one["is_exact"], one["growth"]["from"]["n_layer"], one["growth"]["to"]["n_layer"])
            for one in guess["stages"]] == [(20, True, 1, 2), (40, True, 2, 3), (60, True, 3, 4)], guess
    assert guess["flops_total"] == sum(one["growth"]["flops_total"] for one in guess["stages"])
    assert guess["memory_peak_bytes"] == max(one["growth"]["memory_peak_bytes"] for one in guess["stages"])
    assert stages(daemon) == []
    plan = put(daemon, *asked)
    assert told(daemon) == [("planned", None)] * 3 and plan["revision"] == 1, plan
    assert plan["stages"][1]["pool"] == {"operators": [{"operator": "stack"}, {"operator": "random", "seed": 4}]}
    assert plan["stages"][1]["trigger"] == {"tokens": 40 * TOKENS - 3}, plan
    assert daemon.get("/runs/r")["flops_left"] > plain
    assert as_asked(put(daemon, *as_asked(plan))) == as_asked(plan)
    assert as_asked(daemon.call("PUT", "/runs/r/plan", plan)) == as_asked(plan)  # as it was answered
    daemon.post("/runs/r/resume")
    run = completed(daemon)
    assert run["model"]["n_layer"] == 4 and run["growth"] is None, run
    assert told(daemon) == [("applied", 20), ("applied", 40), ("applied", 60)], stages(daemon)
    ends = stages(daemon)
    assert "step 20 was reached" in ends[0]["why"] and "tokens were trained on" in ends[1]["why"], ends
    growths = {g["id"]: g for g in daemon.get("/runs/r/growths")["items"]}
    for one, (before, after) in zip(ends, ((1, 2), (2, 3), (3, 4))):
        growth = growths[one["growth"]]
        assert (growth["from"]["n_layer"], growth["to"]["n_layer"], growth["start_step"]) == \
               (before, after, one["step"]), (one, growth)
        assert growth["when"]["at_step"] == one["step"] and growth["decision"], growth
    events = [e for e in daemon.events() if e["type"] == "run.stage"]
    assert [(e["state"], e["step"], e["growth"]) for e in events] == \
           [("begun", one["step"], one["growth"]) for one in ends], events
    daemon.kill()


def lengths_and_flops(folder):
    """MIDAS' Prop-alpha: T_i = T i^alpha / sum j^alpha, over all shapes."""
    daemon = paused(folder, steps=120)
    put(daemon, stage(2), stage(3), lengths={"prop_alpha": 1, "steps": 120})
    plan = daemon.get("/runs/r/plan")
    assert plan["lengths"] == {"prop_alpha": 1, "steps": 120}, plan
    assert [one["trigger"] for one in plan["stages"]] == [{"step": 20}, {"step": 60}], plan
    assert as_asked(daemon.call("PUT", "/runs/r/plan", plan)) == as_asked(plan)
    put(daemon, stage(2), stage(3), lengths={"prop_alpha": 0, "steps": 90})
    assert [one["trigger"]["step"] for one in stages(daemon)] == [30, 60]
    refused(422, "leave its trigger out", "/stages/1/trigger", put, daemon, stage(2), stage(3, 50),
            lengths={"steps": 90})
    refused(422, "end behind schedule/max_steps, 120", "/lengths/steps", put, daemon, stage(2), lengths={"steps": 200})
    refused(422, "lies behind step", None, put, daemon, *(stage(2 + i) for i in range(3)), lengths={"steps": 12})
    # FLOPs: as many as the run has spent when it is at step 30
    daemon.post("/runs", body("other", steps=30, start=True))
    spent = completed(daemon, "other")["flops_training"]
    put(daemon, stage(2, {"flops": spent}))
    guess = put(daemon, stage(2, {"flops": spent}), query="?dry_run=true")["stages"][0]
    assert not guess["is_exact"] and 28 <= guess["begins"] <= 33, guess
    daemon.post("/runs/r/resume")
    assert completed(daemon)["model"]["n_layer"] == 2
    [one] = stages(daemon)
    assert 28 <= one["step"] <= 31 and "FLOPs were spent on training" in one["why"], one
    daemon.kill()


def flat_enough(folder):
    """A slope trigger, checked against the losses that were stored, by a line through their means."""
    daemon = paused(folder, steps=600)
    window, hold, below, hysteresis, least = 64, 24, 4.0, 0.25, 100
    slope = {"below": below, "hysteresis": hysteresis, "window_steps": window, "hold_steps": hold, "least_steps": least}
    put(daemon, stage(2, {"slope": slope}), stage(3, {"slope": dict(slope, least_steps=130, most_steps=130)}))
    guess = put(daemon, *as_asked(daemon.get("/runs/r/plan")), query="?dry_run=true")
    assert [one["is_exact"] for one in guess["stages"]] == [False, False] and guess["stages"][0]["begins"] == least
    daemon.post("/runs/r/resume")
    completed(daemon)
    first, second = stages(daemon)
    assert first["state"] == second["state"] == "applied", (first, second)
    losses = {step: values["train/loss"] for step, values in daemon.points("r").items() if "train/loss" in values}
    stride, pieces, looks = window // 16, 16, -(-hold // (window // 16))

    def decline(at):
        means = [sum(losses[at - k * stride - i] for i in range(stride)) / stride for k in range(pieces)]
        xs = [(pieces - 1) / 2 - k for k in range(pieces)]
        return -1000 * sum(x * y for x, y in zip(xs, means)) / sum(x * x for x in xs) / stride

    def is_flat(at):
        for look in range(4 * looks + 1):
            if at - (look + pieces) * stride < 0 or not decline(at - look * stride) <= below * (1 + hysteresis):
                return False
            if look >= looks and decline(at - look * stride) < below:
                return True
        return False

    wanted = next(at for at in range(least, 600, stride) if is_flat(at))
    assert first["step"] == wanted and "less than 4" in first["why"], (first, wanted)
    assert second["step"] == wanted + 130 and "most_steps" in second["why"], second
    daemon.kill()


def bad_plans_say_why(folder):
    daemon = paused(folder)
    daemon.post("/runs", body("done", steps=20, start=True))
    refused(422, "must be a list of 1 to 16 stages", "/stages", put, daemon)
    refused(422, "stage 2: its target has 2 layers, and the stage before it leads to 3 already",
            "/stages/1/target/n_layer", put, daemon, stage(3, 20), stage(2, 40))
    refused(422, "stage 1: its target has 1 layers", "/stages/0/target/n_layer", put, daemon, stage(1, 20))
    refused(422, "exactly one of step, tokens, flops and slope", "/stages/0/trigger", put, daemon,
            stage(2, {"step": 20, "tokens": 5}))
    refused(422, "it needs a trigger", "/stages/0/trigger", put, daemon, stage(2))
    refused(400, "has a trigger in its place", "/stages/0/when", put, daemon, stage(2, 20, when={"at_step": 20}))
    refused(422, "stage 2: step 22 lies behind step 26", "/stages/1/trigger/step", put, daemon, stage(2, 20),
            stage(3, 22))
    refused(422, "tokens lie behind", "/stages/1/trigger/tokens", put, daemon, stage(2, 20),
            stage(3, {"tokens": 21 * TOKENS}))
    refused(422, "stage 2: it would begin at step 85 and be probed until step 91", "/stages/1/trigger/step", put,
            daemon, stage(2, 20), stage(3, 85))
    refused(422, "stage 2: a block of 3 layers", "/stages/1/pool/0/params/block", put, daemon, stage(2, 20),
            stage(4, 40, [{"operator": "range", "params": {"start": 0, "block": 3}}]))
    refused(422, "no_such", "/stages/0/pool/0/operator", put, daemon, stage(2, 20, ["no_such"]))
    refused(422, "is required", "/stages/0/trigger/slope/below", put, daemon, stage(2, {"slope": {}}))
    refused(422, "lies below least_steps", "/stages/0/trigger/slope/most_steps", put, daemon,
            stage(2, {"slope": {"below": 1, "least_steps": 50, "most_steps": 40}}))
    refused(422, "at the earliest", None, put, daemon, stage(2, {"slope": {"below": 1}}))
    refused(422, "says nothing that grows", "/stages/0/target", put, daemon, {"trigger": {"step": 20}})
    completed(daemon, "done")
    refused(409, "extend it first", None, put, daemon, stage(2, 20), run="done")
    refused(404, "", None, put, daemon, stage(2, 20), run="nobody")
    assert stages(daemon) == []
    # behind a growth that was asked for plainly
    daemon.post("/runs/r/growths", {"target": {"n_layer": 3}, "when": {"at_step": 30}, "probe": PROBE,
                                    "pool": ["stack"]})
    refused(422, "its target has 2 layers", None, put, daemon, stage(2, 50))
    refused(422, "lies behind step 36", None, put, daemon, stage(4, 20))
    put(daemon, stage(4, 50))
    daemon.post("/runs/r/resume")
    assert completed(daemon)["model"]["n_layer"] == 4 and told(daemon) == [("applied", 50)]
    daemon.kill()


def a_pool_of_blocks(folder):
    """A copy of each block of as many layers as the target has more: 2 → 4 has one, 4 → 6 two, 4 → 5 four."""
    daemon = paused(folder, model=dict(MODEL, n_layer=2))
    plan = put(daemon, *(dict(stage(to, at), pool="blocks") for to, at in ((4, 10), (6, 30))), query="?dry_run=true")
    recipes = [[c["recipe"] for c in one["growth"]["candidates"][:-1]] for one in plan["stages"]]
    assert recipes == [["0 1 0 1"], ["0 1 0 1 2 3", "0 1 2 3 2 3"]], recipes
    refused(422, "ask for 3 to 4 layers", "/stages/0/target/n_layer", put, daemon, dict(stage(5, 10), pool="blocks"))
    put(daemon, dict(stage(4, 10), pool="blocks"), dict(stage(5, 30), pool="blocks"))
    daemon.post("/runs/r/resume")
    assert completed(daemon)["model"]["n_layer"] == 5
    assert len(daemon.get("/runs/r/growths")["items"][1]["candidates"]) == 5
    daemon.kill()


def a_pool_of_pairs_is_told_as_asked(folder):
    """An operator beside another, and models that are fused, are part of what a stage was asked for."""
    daemon = paused(folder)
    daemon.post("/runs", body("other", steps=20, start=True))
    completed(daemon, "other")
    other = daemon.get("/runs/other/checkpoints")["items"][0]["id"]
    one = stage(2, 60, [{"operator": "stack", "with": "lemon", "with_params": {"split": 0.25}},
                        {"operator": "llama_pro", "with": "fuse", "parents": [other]}])
    two = stage(2, 60, ["stack with=lemon split=0.25 seed=3", f"stack with=fuse parents={other} seed=3"])
    one["target"]["n_embd"] = two["target"]["n_embd"] = 16
    for asked in (one, two):
        plan = put(daemon, asked)
        told_pool = plan["stages"][0]["pool"]["operators"]
        text = str(told_pool)
        assert "lemon" in text and "0.25" in text, told_pool
        assert other in text and "fuse" in text, told_pool
        assert put(daemon, *as_asked(plan))["stages"][0]["pool"] == plan["stages"][0]["pool"]
    daemon.kill()


def changed_while_it_runs(folder):
    daemon = paused(folder, steps=100)
    first = stage(2, 10, mode="manual")
    put(daemon, first, stage(3, 40), stage(5, 60))
    daemon.post("/runs/r/resume")
    [growth] = daemon.wait_for("/runs/r/growths", lambda g: g["items"] and
                               g["items"][0]["state"] == "awaiting_approval")["items"]
    assert told(daemon) == [("under_way", 10), ("planned", None), ("planned", None)]
    refused(409, "stage 1: it has begun at step 10", None, put, daemon, stage(3, 10, mode="manual"), stage(4, 40))
    refused(409, "stage 1: it has begun", None, put, daemon, stage(2, 11, mode="manual"))
    refused(422, "lies behind step 16", None, put, daemon, first, stage(3, 15))
    plan = put(daemon, first, stage(4, 50))
    assert told(daemon) == [("under_way", 10), ("planned", None)] and plan["start_step"] == 0, plan
    assert as_asked(put(daemon, *as_asked(plan))) == as_asked(plan)
    daemon.post(f"/growths/{growth['id']}/decision", {"approve": True})
    run = completed(daemon)
    assert run["model"]["n_layer"] == 4 and told(daemon) == [("applied", 10), ("applied", 50)], stages(daemon)
    # removed: what has begun is told on
    daemon.post("/runs", body("other"))
    put(daemon, stage(2, 10, mode="manual"), stage(3, 40), run="other")
    daemon.call("DELETE", "/runs/other/plan")
    assert stages(daemon, "other") == []
    put(daemon, stage(2, 10, mode="manual"), stage(3, 40), run="other")
    daemon.post("/runs/other/resume")
    daemon.wait_for("/runs/other/plan", lambda p: p["stages"][0]["state"] == "under_way")
    left = daemon.call("DELETE", "/runs/other/plan")
    assert [one["state"] for one in left["stages"]] == ["under_way"], left
    daemon.post("/runs/other/cancel")
    assert daemon.wait_for("/runs/other/plan", lambda p: p["stages"][0]["state"] == "cancelled")
    daemon.kill()


def changed_by_two(folder):
    """If-Match and Idempotency-Key, as with all other writes: nobody overwrites what another one changed."""
    daemon = paused(folder, steps=100)
    path = "/api/v1/runs/r/plan"

    def send(method, asked=None, code=200, **headers):
        body = None if asked is None else {"stages": asked}
        status, told_headers, data = daemon.request(method, path, body,
                                                    {name.replace("_", "-"): value for name, value in headers.items()})
        assert status == code, (status, data)
        return told_headers, json.loads(data)

    none = send("GET")[0]["ETag"]
    one = send("PUT", [stage(2, 10)], If_Match=none)[0]["ETag"]
    assert one != none and send("GET")[0]["ETag"] == one
    two = send("PUT", [stage(3, 10)], If_Match=f'"r0", {one}')[0]["ETag"]
    for method, asked in (("PUT", [stage(4, 10)]), ("DELETE", None)):
        answer = send(method, asked, 412, If_Match=one)[1]
        assert answer["type"].endswith("revision-mismatch") and answer["revision"] == 2, answer
        assert "plan has changed meanwhile" in answer["detail"], answer
    assert daemon.get("/runs/r/plan")["stages"][0]["target"]["n_layer"] == 3
    assert send("PUT", [stage(3, 10)], 200, If_Match="*")[0]["ETag"] != two
    gone = send("DELETE", None, 200, If_Match=send("GET")[0]["ETag"])[0]["ETag"]
    assert gone == none
    again = send("PUT", [stage(2, 10)])[0]["ETag"]
    assert again != one, "a plan that was removed is not the next one"
    # a key: the first answer again, whatever happened since
    first = send("PUT", [stage(2, 20)], Idempotency_Key="k1")
    send("PUT", [stage(2, 30)])
    replayed = send("PUT", [stage(2, 20)], Idempotency_Key="k1")
    assert replayed[0]["Idempotency-Replayed"] == "true" and replayed[1] == first[1], replayed
    assert daemon.get("/runs/r/plan")["stages"][0]["trigger"]["step"] == 30
    assert send("PUT", [stage(2, 40)], 422, Idempotency_Key="k1")[1]["type"].endswith("idempotency-mismatch")
    send("DELETE", None, Idempotency_Key="k2")
    send("PUT", [stage(2, 50)])
    assert send("DELETE", None, Idempotency_Key="k2")[0]["Idempotency-Replayed"] == "true"
    assert len(stages(daemon)) == 1
    daemon.kill()


def what_becomes_of_stages(folder):
    """Each end of a stage leaves the rest of the plan as it is; the run's own end leaves it unreached."""
    daemon = paused(folder, steps=60)
    put(daemon, stage(2, 10, mode="manual"), stage(3, 20, mode="manual"),
        stage(4, 30, [{"operator": "range", "params": {"start": 0, "block": 3}}]), stage(5, 40))
    daemon.post("/runs/r/resume")
    for n, end in ((1, "decision"), (2, "cancel")):
        growth = daemon.wait_for("/runs/r/growths", lambda g: len(g["items"]) == n and
                                 g["items"][-1]["state"] == "awaiting_approval")["items"][-1]
        daemon.post(f"/growths/{growth['id']}/{end}", {"reject": True} if end == "decision" else None)
    run = completed(daemon)
    assert told(daemon) == [("rejected", 10), ("cancelled", 20), ("skipped", 30), ("applied", 40)], stages(daemon)
    assert "does not fit a model of 1 layers" in stages(daemon)[2]["why"], stages(daemon)[2]
    assert run["model"]["n_layer"] == 5 and stages(daemon)[2]["growth"] is None
    # the run ends before a stage: it is unreached, and goes on with the run
    daemon.post("/runs", body("short", steps=60))
    falling = {"slope": {"below": 0, "window_steps": 24}}  # its loss falls as long as that
    put(daemon, stage(2, 10), stage(3, falling), run="short")
    daemon.post("/runs/short/resume")
    completed(daemon, "short")
    assert told(daemon, "short") == [("applied", 10), ("unreached", None)], stages(daemon, "short")
    daemon.post("/runs/short/extend", {"max_steps": 300})
    put(daemon, stage(2, 10), stage(3, 200), run="short")
    completed(daemon, "short")
    assert told(daemon, "short") == [("applied", 10), ("applied", 200)], stages(daemon, "short")
    # a fork goes its own way: it has no plan
    daemon.post("/runs/short/fork", {"name": "fork", "start": False})
    assert stages(daemon, "fork") == []
    daemon.kill()


def killed_anywhere(folder):
    """Killed around triggers and at the ends of stages, the run is the one that nothing happened to."""
    if not lagd.has_failpoints():
        return
    slope = {"slope": {"below": 4, "hysteresis": 1, "window_steps": 16, "hold_steps": 4, "most_steps": 45}}
    asked = (stage(2, {"tokens": 20 * TOKENS}, ["stack", "random"]), stage(3, 26, ["stack", "random"]),
             stage(4, slope, ["midas"]), stage(5, {"flops": 3.2e7}, ["stack", "interleave"]))

    def begin(name):
        os.makedirs(f"{folder}/{name}")
        daemon = paused(f"{folder}/{name}", steps=260)
        put(daemon, *asked)
        return daemon

    def rows(daemon):
        with sqlite3.connect(f"file:{daemon.state_dir}/lagd.db?mode=ro", uri=True) as database:
            found = database.execute("SELECT position, state, fired_step, growth_id IS NULL, reason, begins, request, "
                                     "pool FROM stages ORDER BY position").fetchall()
        database.close()
        return found

    whole, daemon = begin("whole"), begin("killed")
    daemon.terminate()
    whole.post("/runs/r/resume")
    layers = completed(whole)["model"]["n_layer"]
    assert layers == 5, told(whole)
    for place in ("stage.firing", "stage.fired", "growth.parent", "growth.after_apply", "stage.fired",
                  "growth.after_apply", "run.after_step", "run.after_step", "stage.firing", "stage.fired",
                  "decision.after_commit", "growth.before_apply", "stage.firing"):
        if daemon.start(failpoints=f"{place}=kill@{7 if place == 'run.after_step' else 1}"):
            try:
                if daemon.get("/runs/r")["state"] == "paused":
                    daemon.post("/runs/r/resume")
            except (OSError, lagd.http.client.HTTPException):
                pass
        assert lagd.until(lambda: not daemon.alive(), 60), (place, told(daemon))
    daemon.start()
    assert completed(daemon)["model"]["n_layer"] == layers
    assert rows(daemon) == rows(whole), (rows(daemon), rows(whole))
    lagd.same_end(daemon, whole, "killed around triggers")
    daemon.terminate()
    whole.terminate()


if __name__ == "__main__":
    lagd.main(stages_begin_in_turn, lengths_and_flops, flat_enough, bad_plans_say_why, a_pool_of_blocks,
              a_pool_of_pairs_is_told_as_asked,
              changed_while_it_runs, changed_by_two, what_becomes_of_stages, killed_anywhere)
