"""The prior: what decided growths and completed studies say of operators, told beside a pool, stored with the growth,
and used where the losses decide nothing."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

OPS = ("stack", "interleave", "zero_stack")
MODEL = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 16}


def new(folder, max_steps=100000):
    daemon = Daemon(folder, "--threads", "2")
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("one", "words", model=MODEL, start=False, schedule={"max_steps": max_steps}))
    return daemon


def request(ops=OPS, mode="manual", delta=0, steps=6):
    pool = [{"operator": op, "optimizer": "inherit", "lr": "continue"} for op in ops]
    return {"target": {"n_layer": 4}, "mode": mode, "pool": pool,
            "probe": {"steps": steps, "eval_every": steps, "eval_batches": 2, "delta": delta}}


def grow(daemon, state, **more):
    growth = daemon.post("/runs/one/growths", request(**more))["id"]
    if daemon.get("/runs/one")["state"] == "paused":
        daemon.post("/runs/one/resume")
    return daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == state)


def reject(daemon, growth):
    daemon.post(f"/growths/{growth['id']}/decision", {"reject": True})
    daemon.wait_for("/runs/one", lambda r: r["state"] == "running" and r["growth"] is None)


def by_op(growth, key):
    return {c["operator"]: c[key] for c in growth["candidates"]}


def history_picks_where_losses_decide_nothing(folder):
    daemon = new(folder)
    assert daemon.get("/prior") == {"items": [], "n_decided": 0, "n_studied": 0, "next_cursor": None}
    plan = daemon.post("/runs/one/growths?dry_run=true", request())
    assert plan["prior"] is None and set(by_op(plan, "prior").values()) == {None}
    sums, best = dict.fromkeys(OPS, 0.5), []
    for n in range(3):
        growth = grow(daemon, "awaiting_approval")
        assert growth["prior"] is None, growth["prior"]  # fewer than three before
        ranks = by_op(growth, "rank")
        best.append(ranks)
        for op in OPS:
            sums[op] += (ranks[op] - 1) / 2
        reject(daemon, growth)
    wanted = {op: sums[op] / 4 for op in OPS}
    plan = daemon.post("/runs/one/growths?dry_run=true", request())
    assert plan["prior"]["cases"] == 3 and plan["prior"]["of"] == "lags", plan["prior"]
    told = by_op(plan, "prior")
    assert all(abs(told[op] - wanted[op]) < 1e-12 for op in OPS) and told["none"] is None, (told, wanted)

    prior = daemon.get("/prior")
    assert prior["n_decided"] == 3 and prior["n_studied"] == 0
    rows = [row for row in prior["items"] if row["operator"] == "stack"]
    assert sum(row["lags"]["cases"] for row in rows) == 3 and all(row["factor"] == [1.5, 2.5] for row in rows), rows
    assert all(row["finals"]["cases"] == 0 and row["lags"]["regret"] is None for row in rows)
    total = sum(row["lags"]["mean_rank"] * row["lags"]["cases"] for row in rows)
    assert abs(total - sum(ranks["stack"] for ranks in best)) < 1e-9

    # The pool's order is the prior's upside down, and no difference matters: the prior takes its first.
    order = sorted(OPS, key=lambda op: wanted[op])
    assert wanted[order[0]] < wanted[order[-1]], wanted
    growth = grow(daemon, "awaiting_approval", ops=order[::-1], delta=1000)
    decision, names = growth["decision"], {c["id"]: c["operator"] for c in growth["candidates"]}
    tied = [names[i] for i in decision["tied_set"]]
    assert decision["basis"] == "nothing_to_decide" and len(tied) > 1, decision
    assert names[decision["candidate"]] == min(tied, key=lambda op: wanted[op]), (decision, wanted)
    assert "The prior, the ranks at the lag of 3 growths here" in decision["verdict"], decision["verdict"]
    assert growth["prior"] == plan["prior"] and by_op(growth, "prior") == told
    # What comes after changes nothing of it, nor does a crash.
    reject(daemon, growth)
    daemon.kill()
    daemon.start()
    again = daemon.get(f"/growths/{growth['id']}")
    assert again["prior"] == growth["prior"] and again["decision"] == decision
    assert by_op(again, "prior") == told
    assert daemon.post("/runs/one/growths?dry_run=true", request())["prior"]["cases"] == 4
    daemon.terminate()


def finals_of_studies_come_first(folder):
    daemon = new(folder, 40)
    daemon.post("/runs/one/resume")
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    pool = [{"operator": op, "optimizer": "inherit", "lr": "continue"} for op in OPS]
    daemon.post("/runs/one/fork", {"name": "two", "start": False, "schedule": {"max_steps": 300}})
    body = {"name": "s", "parent": {"run": "two"}, "target": {"n_layer": 4}, "pool": pool, "horizon": 12,
            "seeds": [1, 2, 3], "eval": {"every": 12, "batches": 2}}
    daemon.post("/studies", body)
    daemon.wait_for("/studies/s", lambda s: s["state"] == "completed")
    prior = daemon.get("/prior")
    assert prior["n_studied"] == 3 and prior["n_decided"] == 0, prior
    report = daemon.get("/studies/s/report")
    finals = {}
    for one in report["finals"]:
        finals.setdefault(one["seed"], {})[one["operator"]] = one["loss"]
    for row in prior["items"]:
        op = row["operator"]
        regret = sum(f[op] - min(f[o] for o in OPS) for f in finals.values()) / 3
        assert op in OPS and row["finals"]["cases"] == 3 and abs(row["finals"]["regret"] - regret) < 1e-9, row
        assert row["lags"]["cases"] == 0 and row["finals"]["wins"] <= 3
    # The study itself knew of nothing: its prior is the first of the pool.
    assert report["prior_pick"] == "stack" and report["prior_cases"] == 0
    stack = sum(f["stack"] - min(f[o] for o in OPS) for f in finals.values()) / 3
    assert all(abs(row["prior"] - stack) < 1e-9 for row in report["regret"]), report["regret"]
    markdown = daemon.request("GET", "/api/v1/studies/s/report?format=md")[2].decode()
    assert "Without a prior the pool's first, stack, loses" in markdown, markdown
    # The next one knows.
    body.update(name="t", seeds=[4])
    daemon.post("/studies", body)
    daemon.wait_for("/studies/t", lambda s: s["state"] == "completed")
    report = daemon.get("/studies/t/report")
    places = {op: 0.5 for op in OPS}
    for f in finals.values():
        for op in OPS:
            places[op] += sum(f[o] < f[op] for o in OPS) / 2
    assert report["prior_cases"] == 3 and report["prior_pick"] == min(OPS, key=lambda op: places[op]), (report, places)
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(history_picks_where_losses_decide_nothing, finals_of_studies_come_first)
