"""Learned growth, end to end: a daemon killed while maps are learned comes to the same bits, learning is charged, and
what cannot be is refused before it is paid for."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body
from test_hf import export

MODEL = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 32}
PROBE = {"steps": 6, "eval_every": 3}
TARGET = {"n_layer": 3, "n_embd": 24, "n_head": 3, "n_inner": 96}
LEARNED = "ligo steps=12 with=ligo_width steps=9"


def begin(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("job", "words", model=MODEL, schedule={"max_steps": 40}, eval={"every_steps": 10},
                                  checkpoint={"every_steps": 10}, start=False))
    return daemon


def ask(daemon, target, pool, query=""):
    return daemon.post(f"/runs/job/growths{query}", {"target": target, "when": {"at_step": 20}, "probe": PROBE,
                                                     "pool": pool})


KEPT = "probe.state_due=fail@1,probe.state_due=fail@2,probe.state_due=fail@3,probe.step=kill@4"  # each step's state


def die(daemon):
    """In a step that learns; in the probe, which goes on from its state; then right before the winner is applied: there
    it is built again, and learned once more for its measures."""
    daemon.terminate()
    for point in ("probe.learn=kill@7", KEPT, "growth.before_apply=kill@1") if lagd.has_failpoints() else ():
        if daemon.start(failpoints=point) and point.startswith("probe.learn"):
            daemon.post("/runs/job/resume")
        daemon.process.wait(timeout=lagd.slow(60))
    daemon.start()
    if not lagd.has_failpoints():
        daemon.post("/runs/job/resume")


def learned_of(growth):
    return next(one for one in growth["candidates"] if one["operator"] == "ligo")


def a_daemon_killed_while_it_learns_changes_no_bit(folder):
    found = []
    for kills in (False, True):
        place = os.path.join(folder, "killed" if kills else "whole")
        os.mkdir(place)
        daemon = begin(place)
        plan = ask(daemon, TARGET, [LEARNED], "?dry_run=true")
        growth = ask(daemon, TARGET, [LEARNED])
        if kills:
            die(daemon)
        else:
            daemon.post("/runs/job/resume")
        done = daemon.applied(growth)
        winner = learned_of(done)
        assert winner["state"] == "completed" and done["decision"]["candidate"] == winner["id"], done
        assert abs(winner["flops"] - plan["candidates"][0]["flops"]) < 1e-9 * winner["flops"], (winner, plan)
        assert plan["candidates"][0]["learn_steps"] == 12 and plan["candidates"][0]["learn_flops"] > 0, plan
        assert done["effect"] and not done["effect"]["promised"], done
        daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
        run = daemon.get("/runs/job")
        assert run["model"]["n_embd"] == 24 and run["model"]["n_layer"] == 3, run
        effect = {k: v for k, v in done["effect"].items() if k != "candidate" and not k.endswith("_at")}
        found.append((daemon.final_weights("job"), winner["flops"], winner["loss_at_lag"], effect))
        newest = daemon.get("/runs/job/checkpoints")["items"][0]
        assert json.loads(export(daemon, newest["id"])["config.json"])["model_type"] == "gpt2"
        daemon.terminate()
    assert found[0] == found[1], (found[0][1:], found[1][1:])


def it_is_told_and_asked_for_by_name(folder):
    daemon = begin(folder)
    told = {one["name"]: one for one in daemon.get("/operators?run=job&target=n_layer=3,n_embd=24")["items"]}
    for name, grows in (("ligo", "depth"), ("ligo_width", "width")):
        one = told[name]
        assert one["learns"] and one["grows"] == grows and not one["function_preserving"], one
        assert {"steps", "rate", "jitter"} == set(one["schema"]["properties"]), one["schema"]
        assert one["optimizer"] == "reset" and one["hugging_face"], one
    assert told["ligo"]["reach"]["beside"] == "ligo_width", told["ligo"]["reach"]
    assert not told["stack"]["learns"]
    for pool, holds in (("default", 0), ("preserving", 0), ("all", 1), ("published", 1)):
        plan = ask(daemon, {"n_layer": 4}, pool, "?dry_run=true")
        names = [one["strategy"]["operator"] for one in plan["candidates"] if one["learn_steps"]]
        assert names == ["ligo"] * holds, (pool, plan)
    for target, pool, says in (({"n_layer": 4}, ["ligo optimizer=inherit"], "no moments|none has moments"),
                               ({"n_layer": 4}, ["ligo freeze_old=5"], "nothing old is left"),
                               ({"n_layer": 4}, ["ligo steps=0"], "between 1"),
                               ({"n_layer": 4, "n_embd": 24}, ["ligo"], "n_embd"),
                               ({"n_layer": 4, "n_embd": 24}, ["stack with=ligo_width"], "ligo with ligo_width")):
        try:
            ask(daemon, target, pool)
            raise AssertionError(f"{pool} was taken")
        except Problem as problem:
            text = json.dumps(problem.body)
            assert problem.status in (400, 422) and any(one in text for one in says.split("|")), problem.body
    assert daemon.get("/growths")["items"] == []
    daemon.terminate()


def what_is_not_finite_ends_the_candidate_alone(folder):
    daemon = begin(folder)
    growth = ask(daemon, {"n_layer": 4}, ["ligo steps=8 rate=1 jitter=1", "stack"])
    daemon.post("/runs/job/resume")
    done = daemon.applied(growth)
    assert learned_of(done)["state"] in ("completed", "diverged"), done
    daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_daemon_killed_while_it_learns_changes_no_bit, it_is_told_and_asked_for_by_name,
              what_is_not_finite_ends_the_candidate_alone)
