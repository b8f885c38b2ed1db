"""kill -9 at any moment loses nothing: weights, points, probes and decisions equal those of an undisturbed run.

LAGD_KILLS=n sets the number of kills at random moments (default 24; the failpoints come on top), LAGD_SEED the moments.
The run that grows is in bf16 where the CPU has it; LAGD_PRECISION chooses.
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body, same_points, slow, until

FAILPOINTS = [
    "run.before_step@7", "run.after_step@12", "checkpoint.begin@1", "checkpoint.before_fsync@1",
    "checkpoint.before_rename@1",
    "checkpoint.after_rename@1", "checkpoint.verified@1", "checkpoint.row@1", "growth.parent@1", "growth.probing@1",
    "probe.step@30", "probe.eval@9", "candidate.completed@1", "candidate.completed@3", "decision.before_commit@1",
    "decision.after_commit@1", "growth.before_apply@1", "growth.after_apply@1", "checkpoint.before_rename@2",
    "checkpoint.verified@2", "store.before_commit@5", "store.after_commit@5", "store.points_committed@3",
    "checkpoint.listed@1", "retention.marked@1", "retention.unlisted@1", "folder.unsealed@1", "run.final@1",
]
GROWTH = {"target": {"n_layer": 4}, "when": {"at_step": 60}, "probe": {"steps": 20, "eval_every": 5}, "mode": "auto",
          "pool": ["stack", "interleave", "midas", {"operator": "random", "seed": 5}, "llama_pro"]}

PRECISION = os.environ.get("LAGD_PRECISION") or ("bf16" if lagd.has_bf16() else "fp32")


def begin(daemon):
    """Two runs: one grows at step 60, the other, in fp32, trains beside it and computes activations again."""
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("grows", "words", start=False, precision=PRECISION))
    growth = daemon.post("/runs/grows/growths", GROWTH)["id"]
    daemon.post("/runs/grows/resume")
    daemon.post("/runs", run_body("beside", "words", seed=12, recompute=True, schedule={"kind": "cosine"}))
    return growth


def finished(daemon):
    return all(daemon.get(f"/runs/{name}")["state"] == "completed" for name in ("grows", "beside"))


def harvest(daemon, growth):
    decision = daemon.get(f"/growths/{growth}")
    operators = {c["id"]: c["operator"] for c in decision["candidates"]}
    probes = {c["operator"]: (c["loss_at_0"], c["loss_at_lag"], c["state"]) for c in decision["candidates"]}
    verdict = {k: decision["decision"][k] for k in ("margin", "tau", "flops", "tied")}
    verdict["candidate"] = operators[decision["decision"]["candidate"]]
    verdict["pick_at_0"] = operators[decision["decision"]["pick_at_0"]]
    return {name: (daemon.points(name), daemon.final_weights(name)) for name in ("grows", "beside")}, probes, verdict


def undisturbed(folder):
    os.mkdir(folder)
    daemon = Daemon(folder)
    daemon.start()
    growth = begin(daemon)
    for name in ("grows", "beside"):
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    result = harvest(daemon, growth)
    daemon.terminate()
    return result


def compare(daemon, growth, expected):
    runs, probes, verdict = harvest(daemon, growth)
    for name in runs:
        same_points(runs[name][0], expected[0][name][0], name)
        assert runs[name][1] == expected[0][name][1], f"final weights of {name} differ"
    assert probes == expected[1], f"probes differ: {probes} {expected[1]}"
    assert verdict == expected[2], f"verdicts differ: {verdict} {expected[2]}"
    mismatches = [e for e in daemon.events() if e["type"] == "determinism.mismatch"]
    assert not mismatches, mismatches[:3]


def kills_lose_nothing(folder):
    expected = undisturbed(os.path.join(folder, "undisturbed"))
    os.mkdir(os.path.join(folder, "killed"))
    daemon = Daemon(os.path.join(folder, "killed"))
    rng = random.Random(int(os.environ.get("LAGD_SEED", "1")))
    random_kills = int(os.environ.get("LAGD_KILLS", "24"))
    daemon.start()
    growth = begin(daemon)
    plan = [("point", f) for f in FAILPOINTS] + [("time", rng.uniform(0.0, 0.35)) for _ in range(random_kills)]
    rng.shuffle(plan)
    hits = survived = 0
    daemon.kill()
    rounds = 0
    while plan:
        kind, what = plan.pop()
        rounds += 1
        if kind == "point":
            name, n = what.split("@")
            # a growth or a checkpoint may be over already: then nothing dies there, and the kill comes from outside
            ready = daemon.start(failpoints=f"{name}=kill@{n}")
            deadline = time.monotonic() + slow(8)
            while daemon.alive() and time.monotonic() < deadline and not (ready and finished_or_dead(daemon)):
                time.sleep(0.01)
            hits += dead_soon(daemon)
        else:
            daemon.start(wait=False)
            time.sleep(slow(what))
        daemon.kill()
        survived += 1
        daemon.start()
        if finished(daemon):
            compare(daemon, growth, expected)
            daemon.terminate()
            for_next = os.path.join(folder, f"killed{rounds}")
            os.mkdir(for_next)
            daemon = Daemon(for_next)
            daemon.start()
            growth = begin(daemon)
        daemon.kill()
    daemon.start()
    for name in ("grows", "beside"):
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    compare(daemon, growth, expected)
    daemon.terminate()
    print(f"        {survived} kills survived ({hits} at failpoints), 0 differences")
    assert hits >= len(FAILPOINTS) // 2, f"only {hits} failpoints were reached"


def finished_or_dead(daemon):
    try:
        return finished(daemon)
    except (OSError, lagd.http.client.HTTPException):
        return True


def every_failpoint(folder):
    """Each failpoint kills once, from the beginning: start → dies there → restart → ends equal."""
    expected = undisturbed(os.path.join(folder, "undisturbed"))
    missed = []
    for point in FAILPOINTS:
        name, n = point.split("@")
        place = os.path.join(folder, name.replace(".", "-") + n)
        os.mkdir(place)
        daemon = Daemon(place)
        daemon.start()
        growth = begin_paused(daemon)
        daemon.terminate()
        daemon.start(failpoints=f"{name}=kill@{n}")
        try:
            for run in ("grows", "beside"):
                daemon.post(f"/runs/{run}/resume")
            deadline = time.monotonic() + slow(60)
            while daemon.alive() and time.monotonic() < deadline and not finished_or_dead(daemon):
                time.sleep(0.02)
        except (OSError, lagd.http.client.HTTPException):
            pass
        if not dead_soon(daemon):
            missed.append(point)
        daemon.kill()
        daemon.start()
        for run in ("grows", "beside"):
            if daemon.get(f"/runs/{run}")["state"] == "paused":
                daemon.post(f"/runs/{run}/resume")
            daemon.wait_for(f"/runs/{run}", lambda r: r["state"] == "completed")
        compare(daemon, growth, expected)
        daemon.terminate()
    assert not missed, f"never reached: {missed}"


def dead_soon(daemon):
    """A connection breaks a moment before the process is gone."""
    return until(lambda: not daemon.alive(), 1)


def begin_paused(daemon):
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("grows", "words", start=False, precision=PRECISION))
    growth = daemon.post("/runs/grows/growths", GROWTH)["id"]
    daemon.post("/runs", run_body("beside", "words", seed=12, schedule={"kind": "cosine"}, start=False))
    return growth


if __name__ == "__main__":
    lagd.main(kills_lose_nothing, every_failpoint)
