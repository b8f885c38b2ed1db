"""Several growths ahead of a run: each waits for its turn, planned for the shape that those before it lead to."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Problem, run_body, started

MODEL = {"n_layer": 1, "n_head": 1, "n_embd": 8, "n_positions": 8}
PROBE = {"steps": 6, "eval_every": 3, "eval_batches": 2}


def body(name, steps=90, **changes):
    return run_body(name, "words", **{"model": MODEL, "schedule": {"max_steps": steps}, "start": False,
                                      "batch": {"sequences": 1, "tokens_per_sequence": 8},
                                      "eval": {"every_steps": 10, "batches": 2}, "checkpoint": {"every_steps": 25},
                                      **changes})


def ask(daemon, at, to, pool=("stack",), run="r", **changes):
    request = {"target": {"n_layer": to}, "probe": PROBE, "pool": list(pool), **changes}
    if at is not None:
        request["when"] = {"at_step": at}
    return daemon.post(f"/runs/{run}/growths", request)["id"]


def refused(wanted, text, function, *args, **more):
    try:
        function(*args, **more)
    except Problem as problem:
        assert problem.status == wanted and text in problem.body["detail"], (problem.status, problem.body)
        return problem.body
    raise AssertionError("it was not refused")


def change(growth):
    return growth["from"]["n_layer"], growth["to"]["n_layer"]


def paused(folder, name="r", **changes):
    daemon = started(folder)
    daemon.post("/runs", body(name, **changes))
    return daemon


def they_come_in_turn(folder):
    daemon = paused(folder, steps=95)
    plain = daemon.get("/runs/r")["flops_left"]
    late, first = ask(daemon, 60, 6), ask(daemon, 20, 2)
    one_more = daemon.get("/runs/r")["flops_left"]
    middle = ask(daemon, 40, 4, ["stack", "interleave"])
    run, ahead = daemon.get("/runs/r"), {g["id"]: g for g in daemon.get("/runs/r/growths")["items"]}
    assert run["growth"] == first, run["growth"]
    assert [change(ahead[id]) for id in (first, middle, late)] == [(1, 2), (2, 4), (4, 6)], ahead
    assert all(g["state"] == "queued" and g["start_step"] is None for g in ahead.values()), ahead
    assert len(ahead[middle]["candidates"]) == 3 and ahead[late]["candidates"][0]["recipe"] == "0 1 2 3 0 1"
    assert plain < one_more < run["flops_left"], (plain, one_more, run["flops_left"])
    guess = daemon.post("/runs/r/growths?dry_run=true", {"target": {"n_layer": 8}, "when": {"at_step": 70},
                                                         "probe": PROBE, "pool": ["stack"]})
    assert guess["from"]["n_layer"] == 6, guess
    expected = run["flops_left"]  # all that it will spend
    daemon.post("/runs/r/resume")
    run = daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
    ahead = {g["id"]: g for g in daemon.get("/runs/r/growths")["items"]}
    assert run["model"]["n_layer"] == 6 and run["growth"] is None and run["flops_left"] is None, run
    assert abs(run["flops"] - expected) < 1e-9 * expected, (run["flops"], expected)
    assert [ahead[id]["start_step"] for id in (first, middle, late)] == [20, 40, 60], ahead
    assert {g["state"] for g in ahead.values()} == {"applied"}, ahead
    daemon.kill()


def what_does_not_fit_is_refused(folder):
    daemon = paused(folder)
    first = ask(daemon, 20, 3)
    refused(409, f"growth {first} of run r begins at step 20 and is probed until step 26", ask, daemon, 25, 4)
    refused(409, "ask for when/at_step 26 or later", ask, daemon, 20, 4)
    refused(409, "would be probed until step 21", ask, daemon, 15, 2)
    refused(409, "would have to go from 3 to 3 layers", ask, daemon, 10, 3)
    refused(422, "has 3 layers already", ask, daemon, 30, 3)
    refused(422, "beyond the run's schedule/max_steps of 90", ask, daemon, 85, 4)
    at_once = ask(daemon, None, 2)
    refused(409, "say with when/at_step when the next one begins", ask, daemon, None, 2)
    assert daemon.get("/runs/r")["growth"] == at_once
    ahead = [change(g) for g in daemon.get("/runs/r/growths")["items"]]
    assert ahead == [(2, 3), (1, 2)], ahead  # the second one comes first
    for i in range(14):
        ask(daemon, 30 + i, 4 + i, probe=dict(PROBE, steps=1))
    refused(409, "as many as it may", ask, daemon, 70, 30)
    daemon.kill()


def any_of_them_is_cancelled(folder):
    daemon = paused(folder)
    first, middle, late = ask(daemon, 20, 2), ask(daemon, 40, 4), ask(daemon, 60, 6)
    daemon.post(f"/growths/{middle}/cancel")
    assert daemon.get("/runs/r")["growth"] == first
    assert change(daemon.get(f"/growths/{late}")) == (2, 6)  # planned anew
    assert daemon.get(f"/growths/{late}")["candidates"][0]["recipe"] == "0 1 0 1 0 1"
    gone = daemon.get(f"/growths/{middle}")
    assert gone["state"] == "cancelled" and {c["state"] for c in gone["candidates"]} == {"cancelled"}, gone
    daemon.post(f"/growths/{first}/cancel")
    assert daemon.get("/runs/r")["growth"] == late and change(daemon.get(f"/growths/{late}")) == (1, 6)
    other = ask(daemon, 30, 2)
    assert daemon.get("/runs/r")["growth"] == other
    daemon.post("/runs/r/cancel")
    run = daemon.get("/runs/r")
    assert run["state"] == "cancelled" and run["growth"] is None, run
    states = {g["id"]: g["state"] for g in daemon.get("/runs/r/growths")["items"]}
    assert states == {first: "cancelled", middle: "cancelled", late: "cancelled", other: "cancelled"}, states
    # while it trains, where the thread knows of the first only
    daemon.post("/runs", body("long", steps=10**6, start=True))
    kept, waits = ask(daemon, 500000, 2, run="long"), ask(daemon, 600000, 3, run="long")
    daemon.post(f"/growths/{waits}/cancel")
    assert {c["state"] for c in daemon.get(f"/growths/{waits}")["candidates"]} == {"cancelled"}
    assert daemon.get("/runs/long")["growth"] == kept
    ask(daemon, 700000, 4, run="long")
    daemon.post("/runs/long/cancel")
    assert daemon.wait_for("/runs/long", lambda r: r["state"] == "cancelled")["growth"] is None
    assert all(g["state"] == "cancelled" for g in daemon.get("/runs/long/growths")["items"])
    daemon.kill()


def one_that_came_to_nothing_is_no_parent(folder):
    """The next one finds the run as it is, and one that cannot begin from there says why."""
    daemon = paused(folder)
    first = ask(daemon, 20, 2, mode="manual")
    middle = ask(daemon, 40, 4, [{"operator": "stack"}])
    late = ask(daemon, 60, 6, [{"operator": "range", "params": {"start": 0, "block": 3}}])
    daemon.post("/runs/r/resume")
    daemon.wait_for(f"/growths/{first}", lambda g: g["state"] == "awaiting_approval")
    later = ask(daemon, 75, 8)  # while one is under way
    daemon.post("/runs/r/pause")
    daemon.wait_for("/runs/r", lambda r: r["state"] == "paused")
    daemon.post(f"/growths/{first}/decision", {"reject": True})
    assert change(daemon.get(f"/growths/{middle}")) == (1, 4)  # planned anew, with no thread on the run
    daemon.post("/runs/r/resume")
    run = daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
    growths = {g["id"]: g for g in daemon.get("/runs/r/growths")["items"]}
    assert [growths[id]["state"] for id in (first, middle, late, later)] == \
           ["rejected", "applied", "applied", "applied"], growths
    assert change(growths[middle]) == (1, 4) and change(growths[late]) == (4, 6), growths
    assert run["model"]["n_layer"] == 8, run
    daemon.kill()


def those_behind_follow_at_once(folder):
    """Also where the run's thread ends one: what is told of the next is true long before its turn."""
    daemon = paused(folder, steps=10**6)
    first, late = ask(daemon, 20, 2, mode="manual"), ask(daemon, 500000, 4)
    daemon.post("/runs/r/resume")
    daemon.wait_for(f"/growths/{first}", lambda g: g["state"] == "awaiting_approval")
    daemon.post(f"/growths/{first}/decision", {"reject": True})
    growth = daemon.wait_for(f"/growths/{late}", lambda g: change(g) == (1, 4), timeout=20)
    assert growth["state"] == "queued" and growth["candidates"][0]["recipe"] == "0 0 0 0", growth
    daemon.kill()


def what_cannot_begin_says_why(folder):
    daemon = paused(folder)
    first = ask(daemon, 20, 4, mode="manual")
    late = ask(daemon, 60, 6, [{"operator": "range", "params": {"start": 0, "block": 3}}])
    daemon.post("/runs/r/resume")
    daemon.wait_for(f"/growths/{first}", lambda g: g["state"] == "awaiting_approval")
    daemon.post(f"/growths/{first}/decision", {"reject": True})
    run = daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
    growth = daemon.get(f"/growths/{late}")
    assert growth["state"] == "failed" and "does not fit a model of 1 layers" in growth["reason"], growth
    assert run["model"]["n_layer"] == 1, run
    daemon.kill()


def slowed_at(folder, failpoint, *asked, **changes):
    """A run that begins with a growth at step 20, in a daemon that waits once at the failpoint; its growth."""
    daemon = paused(folder, checkpoint={"every_steps": 19})
    growth = ask(daemon, 20, *asked, **changes)
    daemon.terminate()
    daemon.start(failpoints=f"{failpoint}=sleep:1500@1")
    daemon.post("/runs/r/resume")
    return daemon, growth


def one_comes_before_one_that_begins(folder):
    """Asked for while the run's thread is about to begin another one, which was planned for the run as it was."""
    if not lagd.has_failpoints():
        return
    daemon, late = slowed_at(folder, "growth.parent", 4, ["stack", "random"])
    lagd.until(lambda: daemon.get("/runs/r/checkpoints")["items"], 60)
    try:
        first = ask(daemon, None, 2, probe=dict(PROBE, steps=1))
    except Problem as problem:  # too late: it has begun
        assert problem.status == 409, problem
    else:
        run = daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
        first, late = daemon.get(f"/growths/{first}"), daemon.get(f"/growths/{late}")
        assert (first["state"], change(first)) == ("applied", (1, 2)), first
        assert (late["state"], change(late)) == ("applied", (2, 4)), late
        assert run["growth"] is None and run["model"]["n_layer"] == 4, run
    daemon.kill()


def one_is_asked_for_as_another_is_left(folder):
    """The run's thread has yet to leave a rejected one when the next is asked for: nothing of it stays behind."""
    if not lagd.has_failpoints():
        return
    daemon, gone = slowed_at(folder, "growth.looking", 2, ["stack", "random"], mode="manual")
    daemon.wait_for(f"/growths/{gone}", lambda g: g["state"] == "awaiting_approval")
    daemon.post(f"/growths/{gone}/decision", {"reject": True})
    late = ask(daemon, 60, 3)
    run = daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")
    gone, late = daemon.get(f"/growths/{gone}"), daemon.get(f"/growths/{late}")
    assert {c["checkpoint"] for c in gone["candidates"]} == {None}, gone
    assert late["state"] == "applied" and change(late) == (1, 3) and run["model"]["n_layer"] == 3, (late, run)
    states = [e["state"] for e in daemon.events(run["id"]) if e["type"] == "run.state"]
    assert states[-6:] == ["running", "growing", "running", "growing", "running", "completed"], states
    daemon.kill()


def killed_between_them(folder):
    """Killed wherever one hands over to the next, the run is the one that nothing happened to."""
    if not lagd.has_failpoints():
        return
    def begin(name):
        os.makedirs(f"{folder}/{name}")
        daemon = paused(f"{folder}/{name}")
        for at, to, pool in ((20, 2, ["stack", "random"]), (26, 3, ["stack", "random"]), (50, 4, ["midas"])):
            ask(daemon, at, to, pool)
        return daemon

    def rows(daemon):
        return [(g["state"], g["start_step"], change(g), [(c["recipe"], c["loss_at_lag"]) for c in g["candidates"]])
                for g in daemon.get("/runs/r/growths")["items"]]

    whole, daemon = begin("whole"), begin("killed")
    daemon.terminate()
    places = ("growth.parent", "growth.after_apply", "growth.parent", "run.after_step", "growth.probing",
              "decision.after_commit", "growth.before_apply", "growth.after_apply")
    for failpoint in (f"{place}=kill@1" for place in places):
        if daemon.start(failpoints=failpoint):
            try:
                if daemon.get("/runs/r")["state"] == "paused":
                    daemon.post("/runs/r/resume")
            except (OSError, lagd.http.client.HTTPException):
                pass
        assert lagd.until(lambda: not daemon.alive(), 60), failpoint
    daemon.start()
    whole.post("/runs/r/resume")
    for one in (whole, daemon):
        run = one.wait_for("/runs/r", lambda r: r["state"] == "completed")
        assert run["model"]["n_layer"] == 4, run
    assert rows(daemon) == rows(whole), (rows(daemon), rows(whole))
    lagd.same_end(daemon, whole, "killed between growths")
    daemon.terminate()
    whole.terminate()


if __name__ == "__main__":
    lagd.main(they_come_in_turn, what_does_not_fit_is_refused, any_of_them_is_cancelled,
              one_that_came_to_nothing_is_no_parent, those_behind_follow_at_once, what_cannot_begin_says_why,
              one_comes_before_one_that_begins, one_is_asked_for_as_another_is_left, killed_between_them)
