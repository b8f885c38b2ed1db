"""Allocators: rungs as rows, candidates that are stopped and taken up again, and the same bits whatever the allocator,
the lag and the moment of a kill -9."""
import json
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body

BASES = ("verified", "provisional", "tied", "nothing_to_decide")
POOL = [{"operator": name, "optimizer": "inherit", "lr": "continue"}
        for name in ("stack", "interleave", "zero_stack", "random")]


def new(folder, name="state"):
    place = os.path.join(folder, name)
    os.mkdir(place)
    daemon = Daemon(place, "--threads", "2")
    daemon.start()
    daemon.upload("words", lagd.text())
    return daemon


def grow(daemon, run, pool=POOL, mode="auto", **probe):
    """A run that stops at step 20 for its growth; the growth's id."""
    model = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 16}
    daemon.post("/runs", run_body(run, "words", model=model, start=False, schedule={"max_steps": 160}))
    asked = {"target": {"n_layer": 4}, "when": {"at_step": 20}, "mode": mode, "pool": list(pool),
             "probe": {"eval_every": 16, "eval_batches": 4, "delta": 0, **probe}}
    growth = daemon.post(f"/runs/{run}/growths", asked)["id"]
    daemon.post(f"/runs/{run}/resume")
    return growth


def applied(daemon, growth, state="applied"):
    return daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == state)


def losses(daemon, growth):
    """{operator: {t: {batch: loss}}}, as stored."""
    db = sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db"))
    rows = db.execute("SELECT op, probe_losses.t, batch, loss FROM probe_losses JOIN candidates ON number = candidate "
                      "WHERE growth_id = ?", (growth,)).fetchall()
    db.close()
    found = {}
    for op, t, batch, loss in rows:
        found.setdefault(op, {}).setdefault(t, {})[batch] = loss
    return found


def anonymous(growth):
    """What a growth came to, by operators instead of ids."""
    names = {c["id"]: c["operator"] for c in growth["candidates"]}
    def named(value):
        if isinstance(value, dict):
            return {k: named(v) for k, v in value.items() if k not in ("decided_at", "growth", "run_flops")}
        if isinstance(value, list):
            return [named(v) for v in value]
        return names.get(value, value)
    return {"rungs": named(growth["rungs"]), "decision": named(growth["decision"]), "lag": growth["lag"],
            "candidates": [[c[key] for key in ("operator", "state", "reason", "t", "loss_at_0", "loss_at_lag", "flops")]
                           for c in growth["candidates"]]}


def halving_stops_the_worse_half(folder):
    daemon = new(folder)
    growth = applied(daemon, grow(daemon, "one", steps=64, allocator="halving"))
    names = {c["id"]: c["operator"] for c in growth["candidates"]}
    states = {c["operator"]: c for c in growth["candidates"]}
    rungs = growth["rungs"]
    assert [(r["r"], r["t"], r["action"]) for r in rungs] == [(1, 16, "go_on"), (2, 32, "go_on"), (3, 64, "end")], rungs
    kept = {names[i] for i in rungs[0]["kept"]}
    assert "none" in kept and "zero_stack" in kept and len(kept) in (3, 4), kept  # the only one that preserves stays
    assert len(rungs[0]["stopped"]) == 5 - len(kept) and rungs[0]["leader"] in rungs[0]["kept"]
    assert len(rungs[1]["stopped"]) == (len(kept) - 1) // 2, rungs
    for rung in rungs:
        for candidate in rung["stopped"]:
            row = states[names[candidate]]
            assert row["state"] == "stopped" and row["t"] == rung["t"] and row["loss_at_lag"] is None, row
            assert row["reason"].startswith(f"stopped at step {rung['t']}, ") and "halving" in row["reason"], row
            assert max(losses(daemon, growth["id"])[row["operator"]]) == rung["t"]
    told = [e for e in daemon.events("one") if e["type"] == "growth.rung"]
    assert [(e["step"], e["message"], e["growth"]) for e in told] == [(r["t"], r["reason"], growth["id"])
                                                                      for r in rungs], told
    winner = states[names[growth["decision"]["candidate"]]]
    assert winner["state"] == "completed" and winner["t"] == 64 and growth["lag"] == 64
    ranking = daemon.get(f"/growths/{growth['id']}/ranking")
    assert ranking["at_step"] == 64 and ranking["n_reached"] == ranking["n_candidates"] == 5, ranking
    text = daemon.request("GET", f"/api/v1/growths/{growth['id']}/report?format=md")[2].decode()
    assert "stopped at step 16" in text and "| 16 |" in text, text
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    assert not [n for n in os.listdir(os.path.join(daemon.state_dir, "runs", growth["run"])) if n.startswith("probe-")]
    daemon.terminate()


def small(growth, row):
    """The losses of the batches that every evaluation takes, which are the run's own: full ones differ in size."""
    return [row[b] for b in sorted(row) if b % growth["eval_stride"] == 0]


def prefixes_are_equal(folder):
    """At every step that two probes both evaluate they have the same bits, and the run goes on with the same."""
    daemon = new(folder)
    whole = applied(daemon, grow(daemon, "whole", steps=64))
    others = [applied(daemon, grow(daemon, "auto", steps=64, allocator="auto", max_steps=128)),
              applied(daemon, grow(daemon, "race", steps=64, allocator="race")),
              applied(daemon, grow(daemon, "halving", steps=64, allocator="halving")),
              applied(daemon, grow(daemon, "longer", steps=100))]
    assert whole["rungs"] == [] and whole["lag"] == 64
    wanted, n = losses(daemon, whole["id"]), 0
    for other in others:
        for op, times in losses(daemon, other["id"]).items():
            for t in set(times) & set(wanted[op]):
                found, there = small(other, times[t]), small(whole, wanted[op][t])
                assert found == there, (op, t, found, there)
                n += len(found)
    assert n > 200, n
    for other in others[1:2]:  # nothing is calibrated: a race drops nobody
        assert [r["action"] for r in other["rungs"]] == ["go_on", "go_on", "end"]
        assert all(c["state"] == "completed" for c in other["candidates"])
        assert other["decision"]["p_end"] is None
    for name in ("whole", "race"):
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    assert daemon.final_weights("whole") == daemon.final_weights("race")
    daemon.terminate()


def auto_extends_while_not_growing_is_ahead(folder):
    """Random layers on top are behind not growing for long; what was asked is all that auto may take."""
    daemon = new(folder)
    pool = [{"operator": "random", "seed": s, "optimizer": "reset", "lr": "continue"} for s in (1, 2, 3)]
    growth = applied(daemon, grow(daemon, "one", pool, steps=16, allocator="auto", max_steps=50))
    last = growth["rungs"][-1]
    assert growth["rungs"][0]["action"] == "extend", growth["rungs"]
    assert [r["t"] for r in growth["rungs"]] == [16, 32, 50][:len(growth["rungs"])]
    assert last["action"] == "end" and growth["lag"] == last["t"] > 16
    assert growth["decision"]["verdict"].startswith(f"After a lag of {last['t']} steps "), growth["decision"]
    assert growth["probe"]["steps"] == 16 and growth["probe"]["max_steps"] == 50
    if last["t"] == 50 and "none_ahead" in growth["decision"]["short_by"]:
        assert growth["decision"]["basis"] != "verified"
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    assert sorted(daemon.points("one"))[-1] == 160  # the run has every step once
    daemon.terminate()


def three_studies_tell_how_often_orders_hold(folder):
    """Before there are three nothing is known of the end; then each decision says it, and so does a rung."""
    daemon = new(folder)
    model = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 16}
    daemon.post("/runs", run_body("parent", "words", model=model, schedule={"max_steps": 40, "kind": "constant"}))
    daemon.wait_for("/runs/parent", lambda r: r["state"] == "completed")
    for name in ("a", "b", "c"):
        growth = applied(daemon, grow(daemon, f"before-{name}", steps=32))
        assert growth["decision"]["p_end"] is None, growth["decision"]
        if growth["decision"]["basis"] in ("verified", "provisional"):
            assert "is not known: fewer than three studies" in growth["decision"]["verdict"], growth["decision"]
        daemon.post("/studies", {"name": name, "parent": {"run": "parent"}, "target": {"n_layer": 4}, "pool": POOL,
                                 "horizon": 64, "seeds": [1, 2, 3], "eval": {"batches": 4, "every": 8},
                                 "baselines": ["none"]})
        daemon.wait_for(f"/studies/{name}", lambda s: s["state"] == "completed")
    growth = applied(daemon, grow(daemon, "after", steps=32))
    assert 0 <= growth["decision"]["p_end"] <= 1, growth["decision"]
    raced = applied(daemon, grow(daemon, "raced", steps=32, allocator="race"))
    assert all(0 <= rung["p_end"] <= 1 for rung in raced["rungs"]), raced["rungs"]
    assert raced["decision"]["p_end"] == raced["rungs"][-1]["p_end"]
    report = daemon.get("/studies/a/report?format=json")
    points = {one["allocator"]: one for one in report["allocators"]}
    assert sorted(points) == ["auto", "halving", "race"], points
    whole = {p["t"]: p for p in report["regret"]}[32]
    assert points["halving"]["lag"] == points["auto"]["max_steps"] == 32 and points["auto"]["lag"] == 16, points
    assert points["halving"]["probe_steps"] < 5 * 32 - 1, points
    assert abs(whole["probe_steps"] - 5 * 32) < 1e-9 and abs(points["race"]["probe_steps"] - 5 * 32) < 1e-9, points
    assert abs(points["race"]["share_of_all"] - 0.5) < 1e-12
    assert [p["seed"] for p in points["auto"]["picks"]] == [1, 2, 3]
    assert all(p["basis"] in BASES for one in points.values() for p in one["picks"]), points
    verdicts = {v["basis"]: v for v in report["verdicts"]}
    lags = [p["t"] for p in report["regret"] if 0 < p["t"] < 64]
    assert sum(v["n"] for v in verdicts.values()) == 3 * len(lags), (verdicts, lags)
    assert set(verdicts) <= set(BASES) and all(0 <= v["n_within_delta"] <= v["n"] for v in verdicts.values()), verdicts
    daemon.terminate()


def a_person_may_not_choose_a_stopped_one(folder):
    daemon = new(folder)
    growth = applied(daemon, grow(daemon, "one", mode="manual", steps=32, allocator="halving"), "awaiting_approval")
    stopped = [c for c in growth["candidates"] if c["state"] == "stopped"]
    completed = [c for c in growth["candidates"] if c["state"] == "completed" and c["eligible"]]
    path = f"/growths/{growth['id']}/decision"
    try:
        daemon.post(path, {"candidate": stopped[0]["id"], "reason": "I like it"})
        raise AssertionError("a stopped candidate was approved")
    except Problem as problem:
        assert problem.status in (400, 422) and "stopped" in json.dumps(problem.body), problem
    other = [c for c in completed if c["id"] != growth["decision"]["candidate"]] or completed
    daemon.terminate()
    daemon.start()  # what was kept at the rung outlives a restart
    daemon.post(path, {"candidate": other[0]["id"], "reason": "I like it"})
    applied(daemon, growth["id"])
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    daemon.terminate()


def refused(folder):
    daemon = new(folder)
    daemon.post("/runs", run_body("one", "words", start=False, schedule={"max_steps": 100}))
    def ask(pointer, text, mode="auto", **probe):
        body = {"target": {"n_layer": 4}, "when": {"at_step": 20}, "mode": mode, "pool": POOL, "probe": probe}
        try:
            daemon.post("/runs/one/growths", body)
        except Problem as problem:
            assert problem.status in (400, 422) and text in json.dumps(problem.body), (text, problem)
            assert pointer in json.dumps(problem.body), (pointer, problem)
            return
        raise AssertionError(f"accepted: {probe}")
    ask("/probe/allocator", "halving", steps=40, allocator="quarters")
    ask("/probe/allocator", "mode study", mode="study", steps=40, allocator="auto")
    ask("/probe/steps", "ask for at least 16", steps=15, allocator="halving")
    ask("/probe/max_steps", "less than probe/steps", steps=40, max_steps=30, allocator="auto")
    ask("/probe/max_steps", "only the allocator auto", steps=40, max_steps=60, allocator="race")
    ask("/probe/max_steps", "at most 80 fit", steps=40, max_steps=81, allocator="auto")
    def plan(**probe):
        body = {"target": {"n_layer": 4}, "when": {"at_step": 20}, "pool": POOL, "probe": {"eval_every": 1000, **probe}}
        return daemon.post("/runs/one/growths?dry_run=true", body)
    whole = plan(steps=64)
    assert whole["rungs"] == [] and whole["least"] == whole["most"] and whole["most"]["steps"] == 5 * 64, whole
    assert abs(whole["least"]["flops"] / whole["flops_total"] - 1) < 1e-9, whole
    halving = plan(steps=64, allocator="halving")
    # of four two go at 16 and one at 32; or one at 16, when the best that preserves is not among the better half
    assert halving["rungs"] == [16, 32, 64] and halving["least"]["steps"] == 2 * 16 + 32 + 2 * 64, halving
    assert halving["most"]["steps"] == 16 + 32 + 3 * 64, halving
    auto = plan(steps=64, allocator="auto", max_steps=80)
    assert auto["rungs"] == [16, 32, 64, 80] and auto["least"]["steps"] == 5 * 16 and auto["most"]["steps"] == 5 * 80
    assert plan(steps=64, allocator="race")["least"]["steps"] == 3 * 16 + 2 * 64
    daemon.terminate()


def kill_9_anywhere(folder):
    """Rungs, decision and weights of growths that were killed at every kind of moment are those of undisturbed ones."""
    if not lagd.has_failpoints():
        print("  (built without failpoints: left out)")
        return
    asked = {"halving": {"steps": 64, "allocator": "halving"},
             "auto": {"steps": 16, "allocator": "auto", "max_steps": 32}}
    pools = {"halving": POOL, "auto": [{"operator": "random", "seed": s, "optimizer": "reset", "lr": "continue"}
                                       for s in (1, 2)]}
    daemon = new(folder, "undisturbed")
    wanted = {}
    for name, probe in asked.items():
        growth = applied(daemon, grow(daemon, name, pools[name], **probe))
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
        wanted[name] = (anonymous(growth), daemon.points(name), daemon.final_weights(name))
    daemon.terminate()
    moments = ["probe.step=kill@9", "candidate.completed=kill@2", "rung.before_commit=kill", "rung.after_commit=kill",
               "probe.step=kill@20", "probe.state_written=kill@2", "rung.before_commit=kill", "rung.after_commit=kill",
               "rung.after_commit=kill", "decision.before_commit=kill", "growth.before_apply=kill"]
    daemon, n_kills = new(folder, "killed"), 0
    for name, probe in asked.items():
        growth = None
        daemon.terminate()
        for moment in moments:
            begun = daemon.start(failpoints=moment)
            if begun and growth is None:
                growth = grow(daemon, name, pools[name], **probe)
            while begun and daemon.alive() and state_of(daemon, growth) not in ("applied", None):
                time.sleep(0.02)
            lagd.until(lambda: not daemon.alive(), 1)
            n_kills += not daemon.alive()
            daemon.kill()
        daemon.start()
        result = applied(daemon, growth)
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
        found = (anonymous(result), daemon.points(name), daemon.final_weights(name))
        assert found == wanted[name], (found[0], wanted[name][0])
        assert not [e for e in daemon.events() if e["type"] == "determinism.mismatch"]
    assert n_kills >= len(moments) + 4, n_kills  # both growths go past some moments
    daemon.terminate()


def state_of(daemon, growth):
    try:
        return daemon.get(f"/growths/{growth}")["state"]
    except OSError:
        return None if not daemon.alive() else "unknown"
    except Exception:
        return "unknown"


if __name__ == "__main__":
    lagd.main(halving_stops_the_worse_half, prefixes_are_equal, auto_extends_while_not_growing_is_ahead,
              three_studies_tell_how_often_orders_hold, a_person_may_not_choose_a_stopped_one, refused, kill_9_anywhere)
