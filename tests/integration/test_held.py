"""Parts that are held back, end to end: gates and masks; a daemon killed in the ramp, a fork from its midst, and what
goes out to Hugging Face's libraries meanwhile."""
import array
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gguf
import lagd
from lagd import Daemon, Problem, run_body
from test_hf import export, read_safetensors

MODEL = {"n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": 32}
PROBE = {"steps": 4, "eval_every": 2}
MASKED = "masked_random ramp_steps=30 with=masked_width ramp_steps=20"


def begin(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("job", "words", model=MODEL, schedule={"max_steps": 70}, eval={"every_steps": 10},
                                  checkpoint={"every_steps": 5}, start=False))
    return daemon


def grow(daemon, target, pool, step=20):
    return daemon.post("/runs/job/growths", {"target": target, "when": {"at_step": step}, "probe": PROBE, "pool": pool})


def manifest(daemon, checkpoint):
    return json.loads(daemon.request("GET", f"/api/v1/checkpoints/{checkpoint['id']}/files/manifest.json")[2])


def die_in_the_ramp(daemon):
    """Twice, between the checkpoints of steps 24 and 50: while both ramps are under way, and when one has ended."""
    daemon.terminate()
    for count in (8, 2) if lagd.has_failpoints() else ():
        if daemon.start(failpoints=f"checkpoint.before_rename=kill@{count}") and count == 8:
            daemon.post("/runs/job/resume")
        daemon.process.wait(timeout=lagd.slow(60))
    daemon.start()
    if lagd.has_failpoints():
        daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
        begun = [e["step"] for e in daemon.events("job") if e["type"] == "run.state" and e["state"] == "running"]
        assert len([step for step in begun if 24 < step < 50]) == 2, begun
    else:
        daemon.post("/runs/job/resume")


def a_daemon_killed_in_the_ramp_changes_no_bit(folder):
    weights = []
    for kills in (False, True):
        place = os.path.join(folder, "killed" if kills else "whole")
        os.mkdir(place)
        daemon = begin(place)
        growth = grow(daemon, {"n_layer": 3, "n_inner": 160}, [MASKED])
        if kills:
            die_in_the_ramp(daemon)
        else:
            daemon.post("/runs/job/resume")
        done = daemon.applied(growth)
        assert done["effect"]["preserved"] and done["effect"]["promised"], done["effect"]
        assert [one["masked"] for one in done["effect"]["layers"]] == [False, False, True], done["effect"]
        daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
        weights.append(daemon.final_weights("job"))
        kept = {one["kind"]: one for one in daemon.get("/runs/job/checkpoints")["items"]}
        told = [(one["gated"], one["masked_until"]) for one in (kept["growth"], kept["final"], daemon.get("/runs/job"))]
        assert told == [(False, 50), (False, None), (False, None)], told
        assert manifest(daemon, kept["growth"])["format"] == 7 and manifest(daemon, kept["final"])["format"] < 7
        if not kills:
            a_fork_goes_on_with_it(daemon, kept["growth"], weights[0])
            the_export_is_whole(daemon, kept["growth"])
        daemon.terminate()
    assert weights[0] == weights[1]


def a_fork_goes_on_with_it(daemon, checkpoint, weights):
    fork = daemon.post("/runs/job/fork", {"checkpoint": checkpoint["id"], "name": "fork"})
    assert (fork["step"], fork["masked_until"]) == (24, 50), fork
    own = daemon.post("/runs", {"name": "own", "dataset": "words", "from": {"checkpoint": checkpoint["id"]},
                                "schedule": {"max_steps": 60}, "start": False})
    assert (own["step"], own["masked_until"], own["n_params"]) == (0, 26, fork["n_params"]), own
    daemon.wait_for("/runs/fork", lambda r: r["state"] == "completed")
    assert daemon.final_weights("fork") == weights
    sample = daemon.post("/runs/fork/generate", {"prompt": "the ", "n_tokens": 8})
    assert sample, sample


def floats(tensor):
    return array.array("f", tensor[2])


def the_export_is_whole(daemon, checkpoint):
    """The masks of step 24, 4 / 30 of the new layer and 4 / 20 of the new units, are in the weights that go out."""
    files = export(daemon, checkpoint["id"])
    assert json.loads(files["config.json"])["model_type"] == "gpt2"
    out, _ = read_safetensors(files["model.safetensors"])
    path = f"/api/v1/checkpoints/{checkpoint['id']}/files/"
    raw, _ = read_safetensors(daemon.request("GET", path + "model.safetensors")[2])
    assert json.loads(daemon.request("GET", path + "config.json")[2])["model_type"] == "lagd_gpt2"
    assert sorted(out) == sorted(raw)
    width = MODEL["n_embd"]
    for name, tensor in raw.items():
        before, after = floats(tensor), floats(out[name])
        held = name.endswith(("c_proj.weight", "c_proj.bias"))
        for i, value in enumerate(before):
            mask = 1
            if held and ".h.2." in name:
                mask = 4 / 30
            elif held and name.endswith("mlp.c_proj.weight") and i // width >= 4 * width:
                mask = 4 / 20
            assert abs(after[i] - mask * value) <= 1e-6 * abs(value), (name, i, after[i], value)
    _, tensors = gguf.read(daemon.request("GET", f"/api/v1/checkpoints/{checkpoint['id']}/model.gguf")[2])
    found = gguf.as_hugging_face(tensors)
    assert len(found) == len(out)
    for name, tensor in out.items():
        assert found[name.removeprefix("transformer.")][1] == list(floats(tensor)), name


def gates_open(folder):
    daemon = begin(folder)
    done = grow(daemon, {"n_layer": 4}, ["gate_zero"])
    daemon.post("/runs/job/resume")
    done = daemon.applied(done)
    assert done["effect"]["preserved"], done["effect"]
    assert [one["gated"] for one in done["effect"]["layers"]] == [False, True, False, True], done["effect"]
    daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
    run, newest = daemon.get("/runs/job"), daemon.get("/runs/job/checkpoints")["items"][0]
    path = f"/api/v1/checkpoints/{newest['id']}/files/model.safetensors"
    tensors, _ = read_safetensors(daemon.request("GET", path)[2])
    gates = {name: floats(tensor)[0] for name, tensor in tensors.items() if name.endswith(".gate")}
    assert len(gates) == 8 and run["gated"] and newest["gated"], gates
    fork = daemon.post("/runs/job/fork", {"checkpoint": newest["id"], "name": "fork", "start": False})
    assert fork["gated"] and fork["n_params"] == run["n_params"], fork
    for name, gate in gates.items():  # an old layer's is 1 for good
        is_new = name.split(".")[2] in "13"
        assert 0 < abs(gate) < 0.5 if is_new else gate == 1, gates
    assert run["n_params"] == sum(len(floats(tensor)) for tensor in tensors.values()), run["n_params"]
    out, _ = read_safetensors(export(daemon, newest["id"])["model.safetensors"])
    assert not any(name.endswith(".gate") for name in out) and len(out) == len(tensors) - 8
    name = "transformer.h.1.mlp.c_proj.weight"
    for before, after in zip(floats(tensors[name]), floats(out[name])):
        assert abs(after - gates["transformer.h.1.mlp.gate"] * before) <= 1e-6 * abs(before)
    daemon.terminate()


def gates_of(daemon, checkpoint):
    path = f"/api/v1/checkpoints/{checkpoint['id']}/files/model.safetensors"
    tensors, _ = read_safetensors(daemon.request("GET", path)[2])
    return [floats(tensor)[0] for name, tensor in tensors.items() if name.endswith(".gate")]


def a_run_begins_behind_gates(folder):
    """Every gate is 0 at first; killed or not it comes to the same bits, grows with its gates, and forks with them."""
    weights = []
    for kills in (False, True):
        place = os.path.join(folder, "killed" if kills else "whole")
        os.mkdir(place)
        daemon = begin(place)
        body = run_body("shut", "words", model={**MODEL, "gated": True}, schedule={"max_steps": 40},
                        checkpoint={"every_steps": 5, "keep_every": 10}, start=False)
        plan = daemon.post("/runs?dry_run=true", body)
        run = daemon.post("/runs", body)
        assert run["gated"] and run["model"]["gated"] and not daemon.get("/runs/job")["gated"], run
        assert run["n_params"] == plan["n_params"] == daemon.get("/runs/job")["n_params"] + 4, (run, plan)
        daemon.post("/runs/shut/growths", {"target": {"n_layer": 3}, "when": {"at_step": 20}, "probe": PROBE,
                                           "pool": ["gate_zero"]})
        if kills and lagd.has_failpoints():
            daemon.terminate()
            daemon.start(failpoints="checkpoint.before_rename=kill@3")
            daemon.post("/runs/shut/resume")
            daemon.process.wait(timeout=lagd.slow(60))
            daemon.start()
        else:
            daemon.post("/runs/shut/resume")
        run = daemon.wait_for("/runs/shut", lambda r: r["state"] in ("completed", "failed"))
        weights.append(daemon.final_weights("shut"))
        kept = {one["step"]: one for one in daemon.get("/runs/shut/checkpoints")["items"]}
        assert all(one["gated"] for one in kept.values()), kept
        early, last = gates_of(daemon, kept[10]), gates_of(daemon, kept[40])
        assert len(early) == 4 and len(last) == 6 and all(0 < abs(g) < 0.2 for g in early + last), (early, last)
        if not kills:
            begun_of_it(daemon, kept[10], run)
        daemon.terminate()
    assert weights[0] == weights[1]


def begun_of_it(daemon, checkpoint, run):
    fork = daemon.post("/runs/shut/fork", {"checkpoint": checkpoint["id"], "name": "fork", "start": False})
    own = daemon.post("/runs", {"name": "own", "dataset": "words", "from": {"checkpoint": checkpoint["id"]},
                                "model": {"gated": True}, "schedule": {"max_steps": 60}, "start": False})
    told = [(one["gated"], one["model"]["gated"], one["n_params"]) for one in (fork, own)]
    layer = (run["n_params"] - fork["n_params"])
    assert told == [(True, True, fork["n_params"])] * 2 and layer > 0, told
    daemon.post("/runs/job/resume")
    daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
    plain = daemon.get("/runs/job/checkpoints")["items"][0]["id"]
    try:
        daemon.post("/runs", {"dataset": "words", "from": {"checkpoint": plain}, "model": {"gated": True},
                              "schedule": {"max_steps": 60}})
        raise AssertionError("gates were taken")
    except Problem as problem:
        assert problem.status in (400, 422) and "has no gates" in json.dumps(problem.body), problem.body


def refusals_cost_nothing(folder):
    daemon = begin(folder)
    for target, pool, says in (({"n_embd": 64}, ["masked_width"], "LayerNorm"),
                               ({"n_head": 4, "head_dim": 16}, ["masked_width"], "scores"),
                               ({"n_layer": 4}, ["masked_copy ramp_steps=0"], "between 1 and"),
                               ({"n_layer": 4}, ["gate_zero ramp_steps=3"], "no parameter")):
        try:
            grow(daemon, target, pool)
            raise AssertionError(f"{pool} was taken")
        except Problem as problem:
            assert problem.status in (400, 422) and says in json.dumps(problem.body), problem.body
    assert daemon.get("/growths")["items"] == []
    reach = {one["name"]: one["reach"] for one in daemon.get("/operators?run=job&target=n_inner=160")["items"]}
    assert reach["masked_width"]["reaches"] and reach["masked_width"]["hugging_face"], reach["masked_width"]
    plan = daemon.post("/runs/job/growths?dry_run=true", {"target": {"n_layer": 4}, "pool": "published"})
    assert any("masked_random at=-1 ramp_steps=5000" in one["strategy"]["text"] for one in plan["candidates"]), plan
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_daemon_killed_in_the_ramp_changes_no_bit, gates_open, a_run_begins_behind_gates,
              refusals_cost_nothing)
