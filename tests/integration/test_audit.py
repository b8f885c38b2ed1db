"""Audits: a study of an old decision, made of the growth's own parent and candidates, that trains only while nothing
else wants to compute; the decision's regret is known then, whatever was killed, paused or deleted on the way."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body

OPS = ("stack", "interleave", "zero_stack")
MODEL = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 16}
LAG, START, END = 8, 20, 120


def new(folder, config=None, failpoints=None):
    daemon = Daemon(folder, "--threads", "2", config=config)
    daemon.start(failpoints=failpoints)
    daemon.upload("words", lagd.text())
    return daemon


def grow(daemon, run, audit=None, end=END, **more):
    """A run that grows at START; the growth's id."""
    daemon.post("/runs", run_body(run, "words", model=MODEL, start=False, schedule={"max_steps": end}))
    pool = [{"operator": op, "optimizer": "inherit", "lr": "continue"} for op in OPS]
    body = {"target": {"n_layer": 4}, "when": {"at_step": START}, "pool": pool,
            "probe": {"steps": LAG, "eval_every": LAG, "eval_batches": 4}, **more}
    if audit is not None:
        body["audit"] = audit
    growth = daemon.post(f"/runs/{run}/growths", body)["id"]
    daemon.post(f"/runs/{run}/resume")
    return growth


def audited(daemon, growth, state="completed"):
    return daemon.wait_for(f"/growths/{growth}", lambda g: g["audit"] and g["audit"]["state"] == state)


def ended(daemon, run):
    return daemon.wait_for(f"/runs/{run}", lambda r: r["state"] == "completed")


def hog(daemon, name="hog"):
    """A run that wants to compute for as long as one likes."""
    daemon.post("/runs", run_body(name, "words", model=MODEL, schedule={"max_steps": 1000000}))


def by_op(growth, key):
    return {c["operator"]: c[key] for c in growth["candidates"]}


def finals(daemon, study):
    return {one["operator"]: one["loss"] for one in daemon.get(f"/studies/{study}/report")["finals"]}


def check_regret(daemon, growth):
    """The regret is that of the finals, and what was applied trains again with the same bits."""
    audit = growth["audit"]
    names = {c["id"]: c["operator"] for c in growth["candidates"]}
    taken, ends = names[growth["decision"]["candidate"]], finals(daemon, audit["study"])
    best = min(OPS, key=lambda op: ends[op])
    assert names[audit["best"]] == best and abs(audit["regret"] - (ends[taken] - ends[best])) < 1e-12, (audit, ends)
    assert 0 <= audit["regret_low"] <= audit["regret"] <= audit["regret_high"], audit
    worst = max(ends[op] for op in OPS)
    assert abs(audit["regret_of_spread"] - audit["regret"] / (worst - ends[best])) < 1e-9, audit
    assert daemon.get(f"/growths/{growth['id']}/decision")["audit"] == audit
    study = daemon.get(f"/studies/{audit['study']}")
    assert study["audit_of"] == growth["id"] and study["priority"] == "low", study
    again = daemon.get(f"/growths/{study['runs'][0]['growth']}")
    assert by_op(again, "loss_at_0") == by_op(growth, "loss_at_0")
    assert audit["flops"] == sum(c["flops"] for c in again["candidates"]) > 0
    run = daemon.get(f"/runs/{growth['run']}")
    assert run["max_steps"] - growth["start_step"] == study["horizon"]
    curve = daemon.get(f"/candidates/{growth['decision']['candidate']}/series?key=train/loss")
    twin = next(c["id"] for c in again["candidates"] if c["operator"] == taken)
    longer = daemon.get(f"/candidates/{twin}/series?key=train/loss&max_points=10000")
    last = [bucket for bucket in longer["series"]["train/loss"]["last"]][:len(curve["step"])]
    assert longer["step"][:len(curve["step"])] == curve["step"] and last == curve["series"]["train/loss"]["last"]
    # It goes on as the run itself did: the same weights at the end.
    points = daemon.points(run["name"])
    twins = dict(zip(longer["step"], longer["series"]["train/loss"]["last"]))
    assert len(twins) > LAG and all(points[step]["train/loss"] == loss for step, loss in twins.items())
    return ends


def an_audit_waits_is_killed_and_tells(folder):
    if not lagd.has_failpoints():
        print("        skipped: without failpoints it may be over before anything else wants to compute")
        return
    # The growth itself takes 4 × LAG steps of probes; in the midst of the audit both workers stop for a while.
    daemon = new(folder, failpoints="probe.step=sleep:4000@92,probe.step=sleep:4000@93")
    hog(daemon)
    growth = grow(daemon, "one", audit=True)
    wanted = daemon.get(f"/growths/{growth}")
    assert wanted["audit"]["state"] == "wanted" and wanted["audit"]["study"] is None, wanted["audit"]
    ended(daemon, "one")
    flops = daemon.get("/runs/one")["flops"]
    # While another run wants to compute it is made and waits.
    study = audited(daemon, growth, "running")["audit"]["study"]
    daemon.wait_for(f"/studies/{study}", lambda s: s["reason"] and s["runs"][0]["stage"] == "grown")
    time.sleep(1.5)
    one = daemon.get(f"/studies/{study}")
    assert one["runs"][0]["run_state"] == "paused" and one["done"] == 0 and "low priority" in one["reason"], one
    assert daemon.get("/runs/hog")["state"] == "running"
    # It begins once that is paused, and gives way when it goes on, and a crash changes nothing of it.
    daemon.post("/runs/hog/pause")
    daemon.wait_for(f"/studies/{study}", lambda s: s["runs"][0]["run_state"] == "growing" and s["reason"] is None)
    daemon.post("/runs/hog/resume")
    daemon.wait_for(f"/studies/{study}", lambda s: s["runs"][0]["run_state"] == "paused" and s["reason"])
    done = daemon.get(f"/studies/{study}")["done"]
    daemon.kill()
    daemon.start()
    daemon.wait_for("/runs/hog", lambda r: r["state"] == "running")
    daemon.wait_for(f"/studies/{study}", lambda s: s["runs"][0]["run_state"] == "paused")
    time.sleep(1.5)
    assert daemon.get(f"/studies/{study}")["done"] <= done < 1
    daemon.post("/runs/hog/pause")
    daemon.wait_for(f"/studies/{study}", lambda s: s["done"] > done)
    daemon.kill()
    daemon.start()
    result = audited(daemon, growth)
    check_regret(daemon, result)
    assert daemon.get("/runs/one")["flops"] == flops  # the audit is not charged to it
    assert not [e for e in daemon.events() if e["type"] == "determinism.mismatch"]
    text = daemon.request("GET", f"/api/v1/growths/{growth}/report?format=md")[2].decode()
    assert "- audit: completed, study audit-" in text and "regret of what was applied, at the end:" in text, text
    assert daemon.get(f"/growths/{growth}/report")["growth"]["audit"] == result["audit"]
    daemon.terminate()


def an_old_decision_is_audited_on_request(folder):
    daemon = new(folder)
    growth = grow(daemon, "one")
    ended(daemon, "one")
    path = f"/growths/{growth}/audit"
    assert daemon.get(f"/growths/{growth}")["audit"] is None
    assert "audit" in daemon.get(f"/growths/{growth}")["allowed_actions"]
    plan = daemon.post(path + "?dry_run=true")
    assert plan["start_step"] == START and plan["max_steps"] == END and len(plan["candidates"]) == 4, plan
    assert daemon.get(f"/growths/{growth}")["audit"] is None
    study = daemon.post(path)
    assert study["audit_of"] == growth and study["horizon"] == END - START, study
    refuse(daemon, path, 409, "has an audit")
    refuse(daemon, path + "?dry_run=true", 409, "has an audit")
    ends = check_regret(daemon, audited(daemon, growth))
    # The record of an audit can go; another one has a name of its own, and finds the same.
    daemon.call("DELETE", f"/studies/{study['id']}")
    assert daemon.get(f"/growths/{growth}")["audit"] is None
    other = daemon.post(path)
    assert other["name"] != study["name"]
    assert check_regret(daemon, audited(daemon, growth)) == ends
    # Those of a study are at their end already, and a growth that was not applied has no decision.
    refuse(daemon, f"/growths/{daemon.get('/studies/' + other['id'])['runs'][0]['growth']}/audit", 409, "mode study")
    manual = grow(daemon, "two", mode="manual")
    refuse(daemon, f"/growths/{manual}/audit", 409, "only a decision that was applied")
    daemon.wait_for(f"/growths/{manual}", lambda g: g["state"] == "awaiting_approval")
    refuse(daemon, "/growths/gr_none/audit", 404, "does not exist")
    daemon.terminate()


def a_kill_between_makes_one_audit(folder):
    """Where a growth is applied, its audit is made, or that has just been stored."""
    for moment in ("growth.after_apply", "audit.making", "study.created") if lagd.has_failpoints() else ():
        place = os.path.join(folder, moment)
        os.mkdir(place)
        daemon = new(place, failpoints=f"{moment}=kill")
        growth = grow(daemon, "one", audit=True)
        assert lagd.until(lambda: not daemon.alive(), 60), moment
        daemon.kill()
        daemon.start()
        study = daemon.wait_for(f"/growths/{growth}", lambda g: g["audit"]["study"])["audit"]["study"]
        assert [s["id"] for s in daemon.get("/studies")["items"]] == [study], moment
        daemon.wait_for(f"/studies/{study}", lambda s: s["state"] == "completed")
        assert len(daemon.get("/studies")["items"]) == 1 and audited(daemon, growth)["audit"]["regret"] >= 0
        daemon.terminate()


def refuse(daemon, path, status, words):
    try:
        daemon.post(path)
    except Problem as problem:
        assert problem.status == status and words in problem.body["detail"], problem
        return
    raise AssertionError(f"{path} was not refused")


def configured_and_ended_early(folder):
    """By the configuration; what cannot be audited says why; cancelled and deleted on the way."""
    daemon = new(folder, config="[growth]\naudit = true\n")
    assert daemon.get("/config")["growth"]["audit"] is True
    hog(daemon)
    none = grow(daemon, "none", audit=False)
    short = grow(daemon, "short", end=START + LAG)  # it ends with the probe: just long enough
    tiny = grow(daemon, "tiny", end=START + 4, probe={"steps": 4, "eval_every": 4, "eval_batches": 2})
    for run in ("none", "short", "tiny"):
        ended(daemon, run)
    assert daemon.get(f"/growths/{none}")["audit"] is None
    refused = audited(daemon, tiny, "refused")["audit"]
    assert "ends 4 steps after it" in refused["reason"] and refused["study"] is None, refused
    study = audited(daemon, short, "running")["audit"]["study"]
    # So is the growth that a fork begins with.
    body = {"target": {"n_layer": 6}, "mode": "manual", "pool": ["stack", "interleave"], "probe": {"steps": 4}}
    fork = daemon.post("/runs/none/fork", {"name": "fork", "schedule": {"max_steps": 200}, "growth": body})
    assert daemon.get(f"/growths/{fork['growth']}")["audit"]["state"] == "wanted", fork
    daemon.post("/runs/fork/cancel")
    # Its parent's checkpoint is needed until its run is made, and not after.
    parent = daemon.get(f"/growths/{short}")["parent_checkpoint"]
    daemon.wait_for(f"/studies/{study}", lambda s: s["runs"][0]["stage"] == "grown")
    daemon.call("PATCH", f"/checkpoints/{parent}", {"keep": False})
    daemon.call("DELETE", f"/checkpoints/{parent}")
    daemon.post(f"/studies/{study}/pause")
    assert audited(daemon, short, "paused")["audit"]["regret"] is None
    daemon.post(f"/studies/{study}/resume")
    # The audited run may go; its audit knows its own parent.
    daemon.post("/runs/hog/cancel")
    result = daemon.wait_for(f"/studies/{study}", lambda s: s["state"] == "completed")
    assert audited(daemon, short)["audit"]["regret"] >= 0 and result["runs"][0]["run_state"] == "completed"
    daemon.call("DELETE", f"/studies/{study}")
    refuse(daemon, f"/growths/{short}/audit", 409, "has been deleted")
    growth = grow(daemon, "gone")
    ended(daemon, "gone")
    study = daemon.wait_for(f"/growths/{growth}", lambda g: g["audit"]["study"])["audit"]["study"]
    daemon.wait_for(f"/studies/{study}", lambda s: s["runs"][0]["run"])
    daemon.call("DELETE", "/runs/gone")
    daemon.wait_for(f"/studies/{study}", lambda s: s["state"] == "completed")
    cancelled = grow(daemon, "four", end=4000)
    study = daemon.wait_for(f"/growths/{cancelled}", lambda g: g["audit"]["study"], timeout=180)["audit"]["study"]
    daemon.post(f"/studies/{study}/cancel")
    assert audited(daemon, cancelled, "cancelled")["audit"]["regret"] is None
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(an_audit_waits_is_killed_and_tells, an_old_decision_is_audited_on_request, configured_and_ended_early,
              a_kill_between_makes_one_audit)
