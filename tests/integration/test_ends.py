"""Growing vocabulary and context, end to end: what is kept, what changes, a killed daemon, and refusals."""
import json
import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body

MODEL = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 32}


def begin(folder, max_steps=60):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("job", "words", model=MODEL, schedule={"max_steps": max_steps},
                                  eval={"every_steps": 5}, checkpoint={"every_steps": 10}, start=False))
    return daemon


def ask(daemon, step, target, **more):
    return daemon.post("/runs/job/growths", {"target": target, "when": {"at_step": step}, "allow_none": False,
                                             "probe": {"steps": 6, "eval_every": 2}, **more})


def applied(daemon, growth):
    done = daemon.applied(growth)
    assert all(c["state"] == "completed" for c in done["candidates"]), done["candidates"]
    return done


def both_grow_while_the_run_goes_on(folder):
    weights = []
    for kills in (False, True):
        place = os.path.join(folder, "killed" if kills else "whole")
        os.mkdir(place)
        daemon = begin(place)
        growths = [ask(daemon, 10, {"n_positions": 48}), ask(daemon, 20, {"vocab_size": 300}),
                   ask(daemon, 35, {"n_layer": 3, "vocab_size": 310}, pool=["llama_pro with=vocab_mean lr=continue"])]
        daemon.post("/runs/job/resume")
        if kills:
            daemon.wait_for(f"/growths/{growths[1]['id']}", lambda g: g["state"] in ("probing", "applied"))
            daemon.kill()
            daemon.start()
        context, vocab, deeper = [applied(daemon, g) for g in growths]
        names = [c["operator"] for c in context["candidates"]]
        assert names == ["context_tile", "context_last", "context_stretch", "none"], names
        # Neither windows nor function: all are told the parent's loss.
        assert all(c["loss_at_0"] == context["parent_loss"] for c in context["candidates"]), context
        assert context["change"] == "n_positions 32 to 48", context["change"]
        near = next(c for c in vocab["candidates"] if c["operator"] == "vocab_mean")
        gap = near["loss_at_0"] - vocab["parent_loss"]
        assert 0 < gap <= math.log(300 / 256) + 1e-6, gap
        gap = deeper["candidates"][0]["loss_at_0"] - deeper["parent_loss"]
        assert 0 < gap <= math.log(310 / 300) + 1e-6, gap
        daemon.wait_for("/runs/job", lambda r: r["state"] in ("completed", "failed"))
        run = daemon.get("/runs/job")
        assert run["state"] == "completed", run
        model = run["model"]
        assert (model["n_layer"], model["n_positions"], model["vocab_size"]) == (3, 48, 310), model
        assert run["batch"]["tokens_per_sequence"] == 32, run["batch"]
        # A text that the run of before could not take.
        sample = daemon.post("/runs/job/generate", {"prompt": "a" * 40, "n_tokens": 8})
        assert sample["text"], sample
        weights.append(daemon.final_weights("job"))
        daemon.terminate()
    assert weights[0] == weights[1]


def sequences_grow_with_the_context(folder):
    """A growth of the context trains on it, with as many tokens a step; kills change no bit, and sums stay right."""
    ends = []
    for kills in (False, True):
        place = os.path.join(folder, "killed" if kills else "whole")
        os.mkdir(place)
        daemon = begin(place)
        body = {"target": {"n_positions": 64}, "probe": {"steps": 6}, "when": {"at_step": 10}}
        plan = daemon.post("/runs/job/growths?dry_run=true", body)
        assert plan["batch"] == {"sequences": 2, "tokens_per_sequence": 64, "accumulate": 1}, plan["batch"]
        assert plan["batch_note"] is None and plan["eval_sequences"] == 2, plan
        stays = daemon.post("/runs/job/growths?dry_run=true", {**body, "target": {"n_positions": 48}})
        assert stays["batch"]["tokens_per_sequence"] == 32 and "do not divide" in stays["batch_note"], stays
        for tokens, says in ((48, "ask for 32 or 64"), (65, "must not be above"), (100, "must not be above")):
            try:
                daemon.post("/runs/job/growths", {**body, "batch": {"tokens_per_sequence": tokens}})
                raise AssertionError(f"sequences of {tokens} tokens were taken")
            except Problem as problem:
                told = json.dumps(problem.body)
                assert problem.status == 422 and "#/batch/tokens_per_sequence" in told and says in told, told
        first = ask(daemon, 10, {"n_positions": 64})
        second = ask(daemon, 30, {"n_layer": 3}, pool=["stack"])
        daemon.post("/runs/job/resume")
        if kills:
            daemon.wait_for(f"/growths/{first['id']}", lambda g: g["state"] in ("probing", "applied"))
            daemon.kill()
            daemon.start()
            applied(daemon, first)
            daemon.wait_for("/runs/job", lambda r: r["step"] > 21)
            daemon.kill()
            daemon.start()
        longer, deeper = applied(daemon, first), applied(daemon, second)
        assert longer["tokens_per_sequence"] == 64 and deeper["tokens_per_sequence"] == 0, (longer, deeper)
        none = longer["candidates"][-1]
        assert none["operator"] == "none" and none["loss_at_0"] == longer["parent_loss"], longer
        # Windows are longer than the parent reads at once: it reads them in parts, the others whole.
        assert all(c["loss_at_0"] != longer["parent_loss"] for c in longer["candidates"][:-1]), longer
        assert deeper["candidates"][-1]["loss_at_0"] == deeper["parent_loss"], deeper
        daemon.wait_for("/runs/job", lambda r: r["state"] in ("completed", "failed"))
        run = daemon.get("/runs/job")
        assert run["state"] == "completed" and run["tokens"] == 60 * 128, run
        assert run["batch"] == {"sequences": 2, "tokens_per_sequence": 64, "accumulate": 1}, run["batch"]
        ends.append((daemon.final_weights("job"), daemon.points("job"), run["flops"], longer["parent_loss"]))
        if not kills:
            of_old_and_new(daemon, longer)
        daemon.terminate()
    assert ends[0][0] == ends[1][0] and ends[0][3] == ends[1][3], ends
    lagd.same_points(ends[0][1], ends[1][1], "a run whose sequences grew")
    assert abs(ends[0][2] / ends[1][2] - 1) < 1e-9, (ends[0][2], ends[1][2])


def studies_and_stages_train_on_it(folder):
    """A study's candidates and its baseline from scratch have the longer sequences; a plan's later stages count on."""
    daemon = begin(folder, max_steps=80)
    daemon.post("/runs/job/resume")
    daemon.wait_for("/runs/job", lambda r: r["state"] in ("completed", "failed"))
    checkpoint = next(c["id"] for c in daemon.get("/runs/job/checkpoints")["items"] if c["step"] <= 60)
    daemon.post("/studies", {"name": "long", "parent": {"run": "job", "checkpoint": checkpoint}, "horizon": 8,
                             "target": {"n_positions": 64}, "baselines": ["none", "scratch"],
                             "eval": {"every": 4, "batches": 2}})
    daemon.wait_for("/studies/long", lambda s: s["state"] in ("completed", "failed"))
    done = daemon.get("/studies/long")
    assert done["state"] == "completed", done
    runs = {run["role"]: daemon.get(f"/runs/{run['run']}") for run in done["runs"]}
    batches = {role: run["batch"]["tokens_per_sequence"] for role, run in runs.items()}
    assert batches["scratch"] == 64, batches
    report = daemon.get("/studies/long/report")
    assert report["scratch"], report
    daemon.post("/runs", run_body("planned", "words", model=MODEL, schedule={"max_steps": 80}, start=False))
    plan = daemon.call("PUT", "/runs/planned/plan?dry_run=true", {"stages": [
        {"target": {"n_positions": 64}, "trigger": {"step": 10}, "probe": {"steps": 6}},
        {"target": {"n_positions": 128}, "trigger": {"tokens": 30 * 128}, "probe": {"steps": 6}}]})
    told = json.dumps(plan)
    assert '"tokens_per_sequence": 128' in told and '"begins": 30' in told, told
    daemon.terminate()


def of_old_and_new(daemon, growth):
    """Forks have the batches of their checkpoint; an extended run goes on with its own."""
    old = daemon.post("/runs/job/fork", {"name": "old", "checkpoint": growth["parent_checkpoint"], "start": False})
    new = daemon.post("/runs/job/fork", {"name": "new", "schedule": {"max_steps": 70}, "start": False})
    batches = [daemon.get(f"/runs/{r['id']}")["batch"]["tokens_per_sequence"] for r in (old, new)]
    assert batches == [32, 64], batches
    daemon.post("/runs/job/extend", {"max_steps": 64})
    daemon.wait_for("/runs/job", lambda r: r["state"] in ("completed", "failed") and r["step"] == 64)
    run = daemon.get("/runs/job")
    assert run["batch"]["tokens_per_sequence"] == 64 and run["tokens"] == 64 * 128, run
    shorter = daemon.post("/runs/old/growths?dry_run=true", {"target": {"n_layer": 3}, "probe": {"steps": 6},
                                                             "batch": {"tokens_per_sequence": 16}})
    assert shorter["batch"] == {"sequences": 8, "tokens_per_sequence": 16, "accumulate": 1}, shorter["batch"]


def refusals_cost_nothing(folder):
    daemon = begin(folder, max_steps=80)
    cases = [
        ({"vocab_size": 200}, "default", "#/target/vocab_size", "would shrink from 256 to 200"),
        ({"n_positions": 16}, "default", "#/target/n_positions", "would shrink from 32 to 16"),
        ({"vocab_size": 300}, ["stack"], "#/target/vocab_size", "grows depth only"),
        ({"n_positions": 64}, ["vocab_mean"], "#/target/n_positions", "grows vocabulary only"),
        ({"vocab_size": 300}, "width", "#/target/vocab_size", "grows width only"),
        ({"vocab_size": 300, "n_layer": 3, "n_embd": 32}, "default", "#/target", "one growth after the other"),
        ({"vocab_size": 300}, [{"operator": "vocab_mean", "params": {"noise": 11}}], "#/pool/0/params/noise",
         "between 0 and 10"),
        ({"vocab_size": 300, "n_layer": 3}, [{"operator": "vocab_mean", "with": "stack"}], "#/pool/0/with",
         "is no pair"),
    ]
    for target, pool, pointer, says in cases:
        try:
            daemon.post("/runs/job/growths", {"target": target, "pool": pool})
            raise AssertionError(f"{target} was taken")
        except Problem as problem:
            told = json.dumps(problem.body)
            assert problem.status in (400, 422) and pointer in told and says in told, (target, problem.status, told)
    assert daemon.get("/growths")["items"] == []
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(both_grow_while_the_run_goes_on, sequences_grow_with_the_context,
              studies_and_stages_train_on_it, refusals_cost_nothing)
