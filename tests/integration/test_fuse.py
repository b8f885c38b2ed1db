"""Fusing models of several runs, end to end: what is planned, probed and applied, and told afterwards; a model with
itself; what a growth still needs is not deleted; a killed daemon; refusals that cost nothing."""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body

MODEL = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 32}
OTHER = {"n_layer": 2, "n_embd": 24, "n_head": 3, "n_positions": 32, "n_inner": 40}


def create(daemon, name, model, max_steps, **changes):
    return daemon.post("/runs", run_body(name, "words", model=model, schedule={"max_steps": max_steps},
                                         eval={"every_steps": 20}, **changes))


def completed(daemon, name):
    run = daemon.wait_for(f"/runs/{name}", lambda r: r["state"] in ("completed", "failed"))
    run = daemon.get(f"/runs/{name}")
    assert run["state"] == "completed", run
    return daemon.get(f"/runs/{name}/checkpoints")["items"][0]["id"]


def begin(folder, **more):
    daemon = Daemon(folder, **more)
    daemon.start()
    daemon.upload("words", lagd.text())
    create(daemon, "other", OTHER, 20, seed=5)
    return daemon, completed(daemon, "other")


def refused(daemon, method, path, body, says, status=(409,)):
    try:
        daemon.call(method, path, body)
    except Problem as problem:
        told = json.dumps(problem.body)
        assert problem.status in status and says in told, (path, problem.status, told)
        return told
    raise AssertionError(f"{method} {path} was taken")


def two_runs_become_one(folder):
    daemon, other = begin(folder)
    create(daemon, "job", MODEL, 40, start=False)
    pool = [{"operator": "fuse", "parents": [other], "params": {"lambda": 0.3}}, f"fuse parents={other}+{other}",
            f"fuse parents={other} optimizer=reset"]
    body = {"target": {"n_embd": 40, "n_head": 5, "n_inner": 104}, "when": {"at_step": 20},
            "probe": {"steps": 6, "eval_every": 2}, "pool": [pool[0], pool[2]]}
    plan = daemon.post("/runs/job/growths?dry_run=true", body)
    assert [c["operator"] for c in plan["candidates"]] == ["fuse", "fuse", "none"], plan
    growth = daemon.post("/runs/job/growths", body)
    # What it needs stays as long as it needs it.
    refused(daemon, "DELETE", f"/checkpoints/{other}", None, "is fused by growth " + growth["id"])
    refused(daemon, "DELETE", "/runs/other", None, "fuses a checkpoint of run other")
    daemon.post("/runs/job/resume")
    done = daemon.applied(growth)
    one = done["candidates"][0]
    assert one["strategy"]["parents"] == [other] and one["strategy"]["params"] == {"lambda": 0.3}, one["strategy"]
    assert f"parents={other}" in one["strategy"]["text"], one["strategy"]
    assert all(c["state"] == "completed" for c in done["candidates"]), done["candidates"]
    [parent] = done["fused"]
    assert parent["checkpoint"] == other and parent["run_name"] == "other" and parent["step"] == 20, parent
    assert len(parent["sha256"]) == 64, parent
    completed(daemon, "job")
    run = daemon.get("/runs/job")
    grew = done["grew"]
    assert run["model"]["n_embd"] == (40 if grew else 16), run["model"]
    daemon.call("DELETE", "/runs/other")
    assert daemon.get(f"/growths/{growth['id']}")["fused"] == done["fused"]
    daemon.terminate()


def a_model_with_itself_keeps_the_function(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    create(daemon, "job", MODEL, 20)
    own = completed(daemon, "job")
    growth = daemon.post("/runs/job/growths", {
        "target": {"n_embd": 32}, "extend": {"max_steps": 40}, "probe": {"steps": 4, "eval_every": 2},
        "pool": [f"fuse parents={own}", "clone_diagonal noise=0"]})
    done = daemon.applied(growth)
    for one in done["candidates"]:
        assert abs(one["loss_at_0"] - done["parent_loss"]) < 1e-5, (one["operator"], one["loss_at_0"])
    completed(daemon, "job")
    daemon.terminate()


def a_killed_daemon_changes_no_bit(folder):
    weights = []
    for kills in (False, True):
        place = os.path.join(folder, "killed" if kills else "whole")
        os.mkdir(place)
        daemon, other = begin(place)
        create(daemon, "job", MODEL, 50, checkpoint={"every_steps": 10})
        growth = daemon.post("/runs/job/growths", {
            "target": {"n_embd": 40, "n_head": 5, "n_inner": 104}, "when": {"at_step": 20}, "allow_none": False,
            "probe": {"steps": 10, "eval_every": 2},
            "pool": [f"fuse lambda=0.4 parents={other}", f"fuse parents={other} optimizer=reset_new lr=rewarm_new "
                     "rewarm_steps=4"]})
        if kills:
            daemon.wait_for(f"/growths/{growth['id']}", lambda g: g["state"] == "probing")
            daemon.kill()
            daemon.start()
        daemon.applied(growth)
        if kills:
            daemon.kill()
            daemon.start()
        completed(daemon, "job")
        weights.append(daemon.final_weights("job"))
        daemon.terminate()
    assert weights[0] == weights[1]


def fusion(daemon, target, *parents):
    """What is said of fuse, and that a dry run with these parents says the same."""
    said = daemon.get(f"/operators?run=job&target={target}&parents={','.join(parents)}")["items"]
    reach = next(one["reach"] for one in said if one["name"] == "fuse")
    shape = {axis: int(n) for axis, n in (item.split("=") for item in target.split(","))}
    entry = {"operator": "fuse", "parents": list(parents)}
    if reach["beside"]:
        entry = {"operator": reach["beside"], "with": "fuse", "parents": list(parents)}
    body = {"target": shape, "pool": [entry]}
    if reach["reaches"]:
        daemon.post("/runs/job/growths?dry_run=true", body)
    else:
        refused(daemon, "POST", "/runs/job/growths?dry_run=true", body, "", (400, 422))
    return reach


def reach_is_told_with_parents(daemon, other, deep):
    reach = fusion(daemon, "n_embd=40,n_head=5,n_inner=104", other)
    assert reach["reaches"] and reach["hugging_face"] and not reach["beside"], reach
    assert fusion(daemon, "n_embd=64,n_head=8,n_inner=144", other, other)["reaches"]
    assert fusion(daemon, "n_layer=3,n_embd=40,n_head=5,n_inner=104", other)["beside"] == "stack"
    reach = fusion(daemon, "n_embd=32", other)
    assert not reach["reaches"] and "fuse to n_embd 40" in reach["reason"], reach
    assert [(one["n_embd"], one["n_inner"]) for one in reach["nearest"]] == [(40, 104)], reach
    assert "has 3 layers, and the run 2" in fusion(daemon, "n_embd=32", deep)["reason"]
    with_gates(daemon)
    assert "has gates" in fusion(daemon, "n_embd=40,n_head=5,n_inner=104", completed(daemon, "gated"))["reason"]
    for query, says in (("parents=ckpt_1", "parents are for a target"),
                        ("run=job&target=n_embd=32&parents=ckpt_none", "is no checkpoint that is there"),
                        ("run=job&target=n_embd=32&parents=" + other + ",", "an empty id"),
                        ("run=job&target=n_embd=32&parents=" + ",".join([other] * 4), "more than 3 ids"),
                        ("run=job&target=n_embd=32&parents=a%20b", "is no id of a checkpoint"),
                        ("run=job&target=n_embd=32&parents=" + completed(daemon, "ids"), "holds tokens")):
        refused(daemon, "GET", "/operators?" + query, None, says, (400, 422))


def with_gates(daemon):
    """A run whose model would fuse, if it had no gates."""
    create(daemon, "gated", {**OTHER, "n_layer": 1}, 40, start=False)
    daemon.post("/runs/gated/growths", {"target": {"n_layer": 2}, "pool": ["gate_zero"], "when": {"at_step": 10},
                                        "probe": {"steps": 4, "eval_every": 2}})
    daemon.post("/runs/gated/resume")
    completed(daemon, "gated")
    assert daemon.get("/runs/gated")["gated"]


def refusals_cost_nothing(folder):
    daemon, other = begin(folder, config=f"[storage]\ndataset_roots = {folder}\n")
    create(daemon, "deep", {**MODEL, "n_layer": 3}, 20)
    deep = completed(daemon, "deep")
    create(daemon, "job", MODEL, 80, start=False)
    good = {"n_embd": 40, "n_head": 5, "n_inner": 104}
    cases = [
        (good, [{"operator": "fuse", "parents": ["ckpt_none"]}], "#/pool/0/parents/0", "is no checkpoint that"),
        (good, [{"operator": "fuse", "parents": [deep]}], "#/pool/0/parents/0", "has 3 layers, and the run 2"),
        (good, [{"operator": "fuse", "parents": [other] * 4}], "#/pool/0/parents", "1 to 3"),
        (good, [{"operator": "fuse", "parents": []}], "#/pool/0/parents", "1 to 3"),
        (good, [{"operator": "fuse", "parents": [7]}], "#/pool/0/parents/0", "must be the id"),
        (good, ["fuse"], "#/pool/0/parents", "name 1 to 3 checkpoints"),
        (good, [{"operator": "lemon", "parents": [other]}], "#/pool/0/parents", "takes no parents"),
        (good, [{"operator": "fuse", "parents": [other], "params": {"lambda": 1.5}}], "#/pool/0/params/lambda",
         "between 0 and 1"),
        ({"n_embd": 48}, [f"fuse parents={other}"], "#/target/n_embd", "n_embd 40, n_head 5 and n_inner 104"),
    ]
    for target, pool, pointer, says in cases:
        told = refused(daemon, "POST", "/runs/job/growths", {"target": target, "pool": pool}, says, (400, 422))
        assert pointer in told, (pointer, told)
    with open(os.path.join(folder, "ids.bin"), "wb") as f:
        f.write(b"".join(struct.pack("<H", i * 7 % 256) for i in range(20000)))
    daemon.post("/datasets", {"name": "ids", "path": "ids.bin"})
    daemon.post("/runs", run_body("ids", "ids", model=OTHER, schedule={"max_steps": 20}))
    told = refused(daemon, "POST", "/runs/job/growths",
                   {"target": good, "pool": [f"fuse parents={completed(daemon, 'ids')}"]},
                   "whose dataset ids holds tokens, and the run's own dataset words bytes of a text", (400, 422))
    assert "#/pool/0/parents/0" in told, told
    # A fusion reaches what the model makes with itself.
    fuse = next(o for o in daemon.get("/operators?run=job&target=n_embd=32")["items"] if o["name"] == "fuse")["reach"]
    assert fuse["reaches"], fuse
    fuse = next(o for o in daemon.get("/operators?run=job&target=n_embd=40")["items"] if o["name"] == "fuse")["reach"]
    assert not fuse["reaches"] and [n["n_embd"] for n in fuse["nearest"]] == [32, 48], fuse
    assert daemon.get("/growths")["items"] == []
    reach_is_told_with_parents(daemon, other, deep)
    daemon.call("DELETE", "/runs/other")
    refused(daemon, "POST", "/runs/job/growths", {"target": good, "pool": [f"fuse parents={other}"]},
            "is no checkpoint that is there", (400, 422))
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(two_runs_become_one, a_model_with_itself_keeps_the_function, a_killed_daemon_changes_no_bit,
              refusals_cost_nothing)
