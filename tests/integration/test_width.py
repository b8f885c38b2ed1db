"""Growths in width, end to end: what is planned, probed and applied; the function that stays; a killed daemon; refusals
that cost nothing; a growth in both directions."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body

MODEL = {"n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": 32}
MANIFEST = "manifest.json"


def begin(folder, name="job", max_steps=60, model=None, **changes):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body(name, "words", model=model or MODEL, schedule={"max_steps": max_steps},
                                  eval={"every_steps": 20}, **changes))
    return daemon


def a_wider_run_goes_on(folder):
    daemon = begin(folder)
    body = {"target": {"n_embd": 64}, "when": {"at_step": 20}, "probe": {"steps": 6, "eval_every": 2}}
    plan = daemon.post("/runs/job/growths?dry_run=true", body)
    small = next(c for c in plan["candidates"] if c["operator"] == "none")
    names = [c["operator"] for c in plan["candidates"]]
    assert names == ["clone_width", "lemon", "fpi", "zero_fanout", "aki", "clone_diagonal", "zero_block",
                     "random_width", "none"], names
    assert plan["to"] == {"n_layer": 2, "n_head": 8, "n_embd": 64, "n_inner": 256, "n_positions": 32,
                          "vocab_size": plan["from"]["vocab_size"], "head_dim": 8}, plan["to"]
    assert all(c["n_params"] > 3 * small["n_params"] for c in plan["candidates"] if c is not small), plan
    done = daemon.applied(daemon.post("/runs/job/growths", body))
    assert done["change"] == "n_head 4 to 8, n_embd 32 to 64, n_inner 128 to 256", done["change"]
    for one in done["candidates"]:
        # Losses are told to float's precision; the function is the parent's where the operator says so.
        off = abs(one["loss_at_0"] - done["parent_loss"])
        assert one["state"] == "completed", one
        keeps = one["operator"] in ("clone_width", "lemon", "fpi", "zero_fanout", "clone_diagonal", "none")
        assert off < 1e-5 or not keeps, (one["operator"], off)
    effect = done["effect"]
    keeps = effect["promised"]
    assert effect["preserved"] is keeps and abs(effect["loss_change"]) < (1e-5 if keeps else 9), effect
    assert 0 < effect["new_gradient_share"] < 1 and effect["connection_rate"] == 1, effect
    assert [(one["source"], one["is_new"]) for one in effect["layers"]] == [(0, False), (1, False)], effect
    assert all(one["rms_ratio"] > 0 for one in effect["layers"]), effect
    run = daemon.wait_for("/runs/job", lambda r: r["state"] in ("completed", "failed"))
    run = daemon.get("/runs/job")
    assert run["state"] == "completed" and run["model"]["n_embd"] == 64 and run["model"]["n_head"] == 8, run
    newest = daemon.get("/runs/job/checkpoints")["items"][0]
    sample = daemon.post("/runs/job/generate", {"prompt": "the ", "n_tokens": 8})
    assert sample, sample
    assert newest["step"] == 60, newest
    daemon.terminate()


def both_directions(folder):
    daemon = begin(folder)
    body = {"target": {"n_layer": 3, "n_embd": 40}, "when": {"at_step": 20}, "probe": {"steps": 4, "eval_every": 2},
            "pool": [{"operator": "llama_pro", "with": "clone_width", "with_params": {"noise": 0.25}},
                     "stack with=lemon split=0.3 optimizer=reset", "midas with=zero_fanout"]}
    done = daemon.applied(daemon.post("/runs/job/growths", body))
    assert done["change"] == "2 to 3 layers, n_head 4 to 5, n_embd 32 to 40, n_inner 128 to 160", done["change"]
    first = done["candidates"][0]
    assert first["strategy"]["with"] == "clone_width" and first["strategy"]["with_params"]["noise"] == 0.25, first
    assert abs(first["loss_at_0"] - done["parent_loss"]) < 1e-5, first
    daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
    run = daemon.get("/runs/job")
    # 40 is no multiple of 32: epsilon is scaled, and told where the weights are.
    folder = os.path.join(daemon.state_dir, "runs", run["id"])
    newest = max(name for name in os.listdir(folder) if name.startswith("ckpt-"))
    with open(os.path.join(folder, newest, MANIFEST), encoding="utf-8") as f:
        spec = json.load(f)["spec"]
    with open(os.path.join(folder, newest, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    assert spec["n_embd"] == 40 and abs(spec["norm_eps"] - 0.8e-5) < 1e-12, spec
    assert config["layer_norm_epsilon"] == spec["norm_eps"] and config["model_type"] == "gpt2", config
    daemon.terminate()


def a_killed_daemon_changes_no_bit(folder):
    weights, effects = [], []
    for kills in (False, True):
        place = os.path.join(folder, "killed" if kills else "whole")
        os.mkdir(place)
        daemon = begin(place, checkpoint={"every_steps": 10})
        growth = daemon.post("/runs/job/growths", {"target": {"n_embd": 48}, "when": {"at_step": 20},
                                                   "probe": {"steps": 10, "eval_every": 2},
                                                   "pool": ["clone_width", "fpi", "zero_fanout"]})
        if kills:
            daemon.wait_for(f"/growths/{growth['id']}", lambda g: g["state"] == "probing")
            daemon.kill()
            daemon.start()
        daemon.applied(growth)
        if kills:
            daemon.kill()
            daemon.start()
        daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
        weights.append(daemon.final_weights("job"))
        effects.append(daemon.get(f"/growths/{growth['id']}")["effect"])
        del effects[-1]["candidate"]
        daemon.terminate()
    assert weights[0] == weights[1]
    assert effects[0] == effects[1], effects  # measured again where it had to be


def refusals_cost_nothing(folder):
    daemon = begin(folder, start=False)
    cases = [
        ({"n_embd": 34}, "default", "#/target/n_embd", "ask for 32 or 36"),
        ({"n_embd": 16}, "default", "#/target/n_embd", "would shrink"),
        ({"n_head": 8}, "default", "#/target/n_head", "ask for at most 4"),
        ({"n_embd": 32}, "default", "#/target", "has this shape already"),
        ({}, "default", "#/target", "name n_layer, n_embd"),
        ({"n_embd": 48}, ["clone_diagonal"], "#/target/n_embd", "32 can become 32 or 64, not 48"),
        ({"n_embd": 64}, ["stack"], "#/target/n_embd", "grows depth only"),
        ({"n_layer": 3, "n_embd": 64}, ["stack"], "#/target/n_embd", "nearest are 2 to 3 layers"),
        ({"n_embd": 64}, "depth", "#/target/n_embd", "grows depth only"),
        ({"n_layer": 4}, "width", "#/target/n_layer", "grows width only"),
        ({"n_layer": 4, "vocab_size": 9999}, "depth", "#/target/vocab_size", "grows depth only"),
        ({"n_layer": 4, "n_embd": 64}, [{"operator": "stack", "with": "midas"}], "#/pool/0/with", "is no pair"),
        ({"n_layer": 4, "n_embd": 64}, [{"operator": "stack", "with": "lemon", "with_params": {"split": 1}}],
         "#/pool/0/with_params/split", "between 0.05 and 0.95"),
    ]
    for target, pool, pointer, says in cases:
        try:
            daemon.post("/runs/job/growths", {"target": target, "pool": pool})
            raise AssertionError(f"{target} was taken")
        except Problem as problem:
            told = json.dumps(problem.body)
            assert problem.status in (400, 422) and pointer in told and says in told, (target, problem.status, told)
    # More parts with histories of their own than a checkpoint keeps: before anything is probed.
    daemon.post("/runs", run_body("broad", "words", model={**MODEL, "n_inner": 9000}, start=False))
    try:
        daemon.post("/runs/broad/growths", {"target": {"n_inner": 13500}, "pool": ["clone_width", "fpi follow=1"]})
        raise AssertionError("more parts than can be kept were taken")
    except Problem as problem:
        told = json.dumps(problem.body)
        assert problem.status == 422 and "#/pool/1" in told and "divided into more than 4096 parts" in told, told
    assert daemon.get("/growths")["items"] == []
    daemon.terminate()


def heads_stand_apart(folder):
    """Attention wider than the stream: made so, grown so, killed, exported with what can be said."""
    daemon = begin(folder, checkpoint={"every_steps": 10}, model={**MODEL, "head_dim": 12}, max_steps=50)
    run = daemon.get("/runs/job")
    assert run["model"]["head_dim"] == 12, run["model"]
    growth = daemon.post("/runs/job/growths", {"target": {"n_head": 6, "head_dim": 16}, "when": {"at_step": 20},
                                               "probe": {"steps": 6, "eval_every": 2}})
    assert growth["change"] == "n_head 4 to 6, head_dim 12 to 16", growth["change"]
    assert (growth["from"]["head_dim"], growth["to"]["head_dim"], growth["to"]["n_embd"]) == (12, 16, 32), growth
    daemon.wait_for(f"/growths/{growth['id']}", lambda g: g["state"] == "probing")
    daemon.kill()
    daemon.start()
    done = daemon.applied(growth)
    for one in done["candidates"]:
        keeps = one["operator"] in ("clone_width", "lemon", "fpi", "zero_fanout", "none")
        assert abs(one["loss_at_0"] - done["parent_loss"]) < 1e-5 or not keeps, one
    daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
    run = daemon.get("/runs/job")
    assert (run["model"]["head_dim"], run["model"]["n_head"], run["model"]["n_embd"]) == (16, 6, 32), run["model"]
    reach = {one["name"]: one["reach"] for one in
             daemon.get("/operators?run=job&target=n_embd=64")["items"]}
    assert reach["lemon"]["reaches"] and not reach["lemon"]["hugging_face"], reach["lemon"]
    daemon.terminate()


def operators_say_what_they_reach(folder):
    daemon = begin(folder, start=False)
    plain = daemon.get("/operators")
    assert all(one["reach"] is None for one in plain["items"]), plain
    params = {one["name"]: one["schema"]["properties"] for one in plain["items"]}
    grows = {one["name"]: one["grows"] for one in plain["items"]}
    assert params["lemon"]["split"] == {"type": "number", "minimum": 0.05, "maximum": 0.95, "default": 0.35,
                                        "description": params["lemon"]["split"]["description"]}, params["lemon"]
    assert params["midas"]["block"]["type"] == "integer", params["midas"]
    reach = {one["name"]: one["reach"] for one in
             daemon.get("/operators?run=job&target=n_layer=4,n_embd=48")["items"]}
    assert reach["lemon"]["reaches"] and reach["lemon"]["beside"] == "stack" and reach["lemon"]["hugging_face"], reach
    assert reach["stack"]["beside"] == "clone_width" and reach["stack"]["n_params"] > 0, reach
    assert not reach["clone_diagonal"]["reaches"] and "48" in reach["clone_diagonal"]["reason"], reach
    assert [one["n_embd"] for one in reach["clone_diagonal"]["nearest"]] == [64], reach["clone_diagonal"]
    # What is told to be in reach is taken, and what is not is refused.
    for name, told in reach.items():
        if name == "none":
            continue
        first, second = (name, told["beside"]) if grows[name] == "depth" else (told["beside"], name)
        entry = {"operator": first or name, "with": second} if told["beside"] else {"operator": name}
        try:
            daemon.post("/runs/job/growths?dry_run=true", {"target": {"n_layer": 4, "n_embd": 48}, "pool": [entry]})
            assert told["reaches"], (name, told)
        except Problem as problem:
            assert not told["reaches"], (name, told, problem.body)
    for query, says in (("run=job", "belong together"), ("target=4", "belong together"), ("run=no&target=4", "no"),
                        ("run=job&target=n_embd=33", "ask for"), ("run=job&target=size=3", "target has no")):
        try:
            daemon.get("/operators?" + query)
            raise AssertionError(query)
        except Problem as problem:
            assert problem.status in (404, 422, 400) and says in json.dumps(problem.body), (query, problem.body)
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(operators_say_what_they_reach, heads_stand_apart, a_wider_run_goes_on, both_directions,
              a_killed_daemon_changes_no_bit, refusals_cost_nothing)
