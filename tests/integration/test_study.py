"""Studies: every candidate is trained to the horizon for each seed, and the report is computed from the rows. Pause,
cancel, delete, kill -9 anywhere; what no study can be made of is refused."""
import http.client
import io
import json
import os
import resource
import struct
import sys
import tarfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
import tfevents
from lagd import Daemon, run_body

POOL = ["stack", "interleave", {"operator": "zero_stack", "optimizer": "inherit", "lr": "continue"}, "random"]


def ask(daemon, method, path, asked=None):
    """(status, answer)."""
    status, _, data = daemon.request(method, "/api/v1" + path, asked)
    return status, json.loads(data) if data else None


def new(folder, name):
    place = os.path.join(folder, name)
    os.mkdir(place)
    daemon = Daemon(place, "--threads", "2")
    daemon.start()
    daemon.upload("words", lagd.text(200000))
    daemon.post("/runs", run_body("parent", "words", model={"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 16},
                                  schedule={"max_steps": 40, "kind": "wsd"}, batch={"sequences": 4},
                                  checkpoint={"every_steps": 10, "keep_every": 10}))
    daemon.wait_for("/runs/parent", lambda r: r["state"] == "completed")
    return daemon


def checkpoint(daemon, step):
    return next(c["id"] for c in daemon.get("/runs/parent/checkpoints")["items"] if c["step"] == step)


def body(daemon, name, **more):
    ret = {"name": name, "parent": {"run": "parent", "checkpoint": checkpoint(daemon, 20)}, "target": {"n_layer": 4},
           "pool": POOL, "horizon": 24, "seeds": [3, 4], "eval": {"batches": 6, "every": 8},
           "baselines": ["none", "scratch"]}
    ret.update(more)
    return ret


def wait_for_end(daemon, name):
    assert lagd.until(lambda: daemon.get(f"/studies/{name}")["state"] in ("completed", "failed", "cancelled"), 120)
    return daemon.get(f"/studies/{name}")


def ended(daemon, name, state="completed"):
    study = wait_for_end(daemon, name)
    assert study["state"] == state, study
    return study


def result(daemon, name):
    """The report without ids, and what depends on them."""
    report = daemon.get(f"/studies/{name}/report?format=json")
    plain = ("correlation", "regret", "transition", "sufficient_lag", "spread", "ceiling")
    return {key: report[key] for key in plain} | {
        "finals": [(f["operator"], f["seed"], f["loss"]) for f in report["finals"]],
        "scratch": [s["points"] for s in report["scratch"]]}


def tensorboard_reads_its_curves(daemon, report):
    """A folder for each candidate and baseline of each seed; the last point of a candidate is its final."""
    status, _, data = daemon.request("GET", "/api/v1/studies/first/tfevents")
    assert status == 200, data
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {m.name.rpartition("/")[0]: archive.extractfile(m).read() for m in archive.getmembers()}
    assert len(files) == 2 * (len(POOL) + 1) + 2, list(files)
    assert {"first/s3/scratch", "first/s4/01-stack"} <= set(files), list(files)
    lasts = []
    for folder, content in files.items():
        events = tfevents.read(content)
        assert all(list(scalars) == ["val/loss"] for _, _, scalars in events)
        if not folder.endswith("scratch"):
            assert [step for _, step, _ in events] == report["times"], folder
            lasts.append(events[-1][2]["val/loss"])
    single = [struct.unpack("<f", struct.pack("<f", f["loss"]))[0] for f in report["finals"]]
    assert sorted(lasts) == sorted(single)


def a_study_from_the_first_step_to_the_report(folder):
    daemon = new(folder, "whole")
    plan = daemon.post("/studies?dry_run=true", body(daemon, "first"))
    assert plan["n_runs"] == 4 and plan["start_step"] == 20 and plan["max_steps"] == 44, plan
    assert plan["flops_total"] > 0 and plan["memory_bytes"] > 0 and plan["seconds_guess"] > 0, plan
    assert daemon.get("/studies")["items"] == []
    status, made = ask(daemon, "POST", "/studies", body(daemon, "first"))
    assert status == 202 and made["id"].startswith("st_"), made
    status, problem = ask(daemon, "GET", "/studies/first/tfevents")
    assert status == 409 and "has no curves yet" in problem["detail"], problem
    left = []
    assert lagd.until(lambda: left.append(daemon.get("/studies/first")["seconds_left"]) or left[-1], 60), "no time left"
    assert 0 < left[-1] < 600 and daemon.get("/studies")["items"][0]["seconds_left"] != 0, left
    study = ended(daemon, "first")
    assert study["seconds_left"] is None, study
    assert study["id"] == made["id"] and study["done"] == 1 and study["seeds"] == [3, 4], study
    assert [r["role"] for r in study["runs"]] == ["candidates", "candidates", "scratch", "scratch"]
    report = daemon.get("/studies/first/report?format=json")
    assert report["n_seeds"] == 2 and report["missing"] is None
    assert report["times"] == [0, 1, 2, 4, 8, 12, 16, 18, 21, 24] or {0, 1, 2, 4, 8, 16, 24} <= set(report["times"])
    assert len(report["finals"]) == 2 * (len(POOL) + 1)
    last = report["correlation"][-1]
    assert last["t"] == 24 and last["spearman"] == 1 and last["pair_accuracy"] == 1, last
    assert report["regret"][-1]["regret"] == 0
    for key in ("t", "pearson", "spearman", "tau_b", "pair_accuracy", "low", "high"):
        assert key in report["correlation"][0], key
    for key in ("t", "pick", "regret", "regret_of_spread", "random"):
        assert key in report["regret"][0], key
    for key in ("transition", "sufficient_lag"):
        assert key in report
    # The growths behind it agree with the report: each final is the candidate's loss at the horizon.
    for seed in report["seeds"]:
        growth = daemon.get(f"/growths/{seed['growth']}")
        losses = {c["id"]: c["loss_at_lag"] for c in growth["candidates"]}
        for final in report["finals"]:
            if final["seed"] == seed["seed"]:
                assert final["loss"] == losses[final["candidate"]], final
        run = daemon.get(f"/runs/{seed['run']}")
        assert run["state"] == "completed" and run["step"] == 44 and run["origin"]["run"] is not None, run
        # One window set: the run's own validation at its last step is what decided.
        assert abs(run["latest"]["val/loss"] - losses[growth["decision"]["candidate"]]) < 1e-12
    tensorboard_reads_its_curves(daemon, report)
    # The same numbers again, to the last bit.
    assert daemon.get("/studies/first/report?format=json") == report
    assert daemon.get("/studies/first/report?format=json")["candidates"][-1]["reference"]
    # A seed of its own is another one; the first seed's candidate losses differ from the second's.
    by_seed = [[f["loss"] for f in report["finals"] if f["seed"] == s] for s in (3, 4)]
    assert by_seed[0] != by_seed[1]
    status, _, text = daemon.request("GET", "/api/v1/studies/first/report?format=md")
    assert status == 200, text
    # It stays what it was when a run of it is extended; none goes back behind what the report tells.
    scratch = study["runs"][2]["run"]
    status, problem = ask(daemon, "POST", f"/runs/{scratch}/extend", {"max_steps": 90, "from": "before_decay"})
    assert status == 409 and "belongs to study first" in problem["detail"], problem
    daemon.post(f"/runs/{scratch}/extend", {"max_steps": 90})
    daemon.wait_for(f"/runs/{scratch}", lambda r: r["state"] == "completed" and r["step"] == 90)
    again = daemon.get("/studies/first/report?format=json")
    same = ("scratch", "scratch_flops", "speedup", "equal_loss", "from_scratch", "reading")
    assert report["speedup"] and all(again.get(key) == report.get(key) for key in same), (again, report)
    # Its runs are what it is computed from.
    run = study["runs"][0]["run"]
    status, problem = ask(daemon, "DELETE", f"/runs/{run}")
    assert status == 409 and "belongs to study first" in problem["detail"], problem
    assert ask(daemon, "DELETE", "/studies/first")[0] == 204
    assert ask(daemon, "DELETE", f"/runs/{run}")[0] == 204
    daemon.terminate()


def it_is_paused_resumed_and_cancelled(folder):
    daemon = new(folder, "steered")
    daemon.post("/studies", body(daemon, "long", horizon=4000, parallel=2))
    daemon.wait_for("/studies/long", lambda s: s["runs"][1]["growth_state"] == "probing")
    assert daemon.post("/studies/long/pause")["state"] == "paused"
    daemon.wait_for("/studies/long", lambda s: [r["run_state"] for r in s["runs"][:2]] == ["paused", "paused"])
    status, problem = ask(daemon, "POST", "/studies/long/pause")
    assert status == 409 and problem["allowed_actions"] == ["resume", "cancel"], problem
    done = daemon.get("/studies/long")["done"]
    # What its runs train is the study's: nobody changes it meanwhile.
    runs = [r["run"] for r in daemon.get("/studies/long")["runs"]]
    for run in (runs[0], runs[2]):
        for path, asked in (("extend", {"max_steps": 9000}), ("growths", {"target": {"n_layer": 6}})):
            status, problem = ask(daemon, "POST", f"/runs/{run}/{path}", asked)
            assert status == 409 and ("belongs to study long" in problem["detail"] or path == "growths"), problem
        status, problem = ask(daemon, "PATCH", f"/runs/{run}", {"schedule": {"max_steps": 9000}})
        assert status == 409 and "belongs to study long" in problem["detail"], problem
    assert daemon.post("/studies/long/resume")["state"] == "running"
    # Resumed again before its runs have stopped: each goes on all the same.
    for _ in range(5):
        daemon.post("/studies/long/pause")
        daemon.post("/studies/long/resume")
    daemon.wait_for("/studies/long", lambda s: [r["run_state"] for r in s["runs"][:2]] == ["growing", "growing"] and
                    s["done"] > done)
    report = daemon.get("/studies/long/report?format=json")
    assert report["n_seeds"] == 0 and report["missing"] and report["correlation"] == [], report
    # One that a person has started before its turn is taken as it is.
    scratch = daemon.get("/studies/long")["runs"][2]["run"]
    daemon.post(f"/runs/{scratch}/resume")
    for one in (0, 1):
        daemon.post(f"/runs/{daemon.get('/studies/long')['runs'][one]['run']}/cancel")
    daemon.wait_for("/studies/long", lambda s: s["runs"][2]["stage"] in ("started", "ended") and s["reason"] is None)
    daemon.post("/studies/long/cancel", {"reason": "enough"})
    study = ended(daemon, "long", "cancelled")
    assert all(r["run_state"] in ("cancelled", None) or r["stage"] == "grown" for r in study["runs"]), study
    assert all(r["run_state"] == "cancelled" for r in study["runs"][:2]), study
    assert ask(daemon, "DELETE", "/studies/long")[0] == 204
    daemon.terminate()


def a_seed_is_given_up(folder):
    """A person cancels its run: the study goes on with the others, and its report says what is missing."""
    daemon = new(folder, "less")
    daemon.post("/studies", body(daemon, "less", horizon=400, baselines=["none"]))
    first = daemon.wait_for("/studies/less", lambda s: s["runs"][0]["growth_state"] == "probing")["runs"][0]["run"]
    daemon.post(f"/runs/{first}/cancel")
    study = ended(daemon, "less")
    report = daemon.get("/studies/less/report?format=json")
    assert study["done"] < 1 and report["n_seeds"] == 1 and report["n_planned"] == 2, report
    assert report["missing"] == "1 of 2 seeds have come to the horizon", report["missing"]
    daemon.terminate()


def what_cannot_be_studied_is_refused(folder):
    daemon = new(folder, "refused")
    cases = [({"pool": ["stack"]}, "/pool"), ({"horizon": 4}, "/horizon"), ({"seeds": [1, 2, 1]}, "/seeds/2"),
             ({"seeds": []}, "/seeds"), ({"seeds": [-1]}, "/seeds/0"), ({"target": {"n_layer": 2}}, "/target/n_layer"),
             ({"parent": {"run": "nobody"}}, "/parent/run"), ({"baselines": ["luck"]}, "/baselines/0"),
             ({"parent": {"run": "parent", "checkpoint": "ckpt_00000000000000000000000000"}}, "/parent/checkpoint"),
             ({"parent": {"run": "parent", "checkpoint": checkpoint(daemon, 40)}}, "/parent/checkpoint"),
             ({"pool": ["stack", {"operator": "stack", "lr": "rewarm", "rewarm_steps": 30}]}, "/horizon")]
    for change, pointer in cases:
        status, problem = ask(daemon, "POST", "/studies", body(daemon, "no", **change))
        assert status == 422, (change, problem)
        assert any(e["pointer"] == "#" + pointer for e in problem["errors"]), (change, problem)
    assert daemon.get("/studies")["items"] == []
    # A deleted checkpoint; and names that are taken.
    gone = checkpoint(daemon, 10)
    assert ask(daemon, "DELETE", f"/checkpoints/{gone}")[0] == 204
    asked = body(daemon, "no", parent={"run": "parent", "checkpoint": gone})
    status, problem = ask(daemon, "POST", "/studies", asked)
    assert status == 422 and "deleted" in problem["detail"] + json.dumps(problem), problem
    daemon.post("/runs", run_body("no.s3", "words", start=False))
    status, problem = ask(daemon, "POST", "/studies", body(daemon, "no"))
    assert status == 409 and "no.s3" in problem["detail"], problem
    status, again = ask(daemon, "POST", "/studies?dry_run=true", body(daemon, "no"))
    assert status == 409 and again["detail"] == problem["detail"], again  # a dry run tells it as well
    daemon.terminate()


def a_full_disk_is_waited_out(folder):
    """Asked for again every ten seconds, not at once; the reason goes with what it told."""
    daemon = new(folder, "full")
    daemon.post("/studies", body(daemon, "full", horizon=8, seeds=list(range(24)), parallel=12, baselines=["none"]))
    began = time.monotonic()
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (40000, resource.RLIM_INFINITY))
    assert lagd.until(lambda: "warning: study full" in daemon.log(), 60), daemon.log()
    time.sleep(1)
    n_tries = daemon.log().count("warning: study full")
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert n_tries <= 2 + (time.monotonic() - began) / 10, n_tries
    study = ended(daemon, "full")
    assert study["reason"] is None and study["done"] == 1, study
    daemon.terminate()


def all_candidates_diverge(folder):
    """The seed has no result, the study says so, and no run of it goes on as its parent."""
    daemon = new(folder, "diverged")
    daemon.post("/runs", run_body("old", "words", model={"n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 16},
                                  schedule={"max_steps": 600, "kind": "constant"}, batch={"sequences": 8},
                                  optim={"lr": 0.01}, eval={"every_steps": 600}, checkpoint={"every_steps": 600}))
    daemon.wait_for("/runs/old", lambda r: r["state"] == "completed")
    daemon.post("/studies", body(daemon, "lost", parent={"run": "old"}, target={"n_layer": 3}, seeds=[3],
                                 divergence_bound=0.01, horizon=12, baselines=["none"],
                                 pool=[{"operator": "random", "params": {"at": at}, "lr": "continue"}
                                       for at in (0, 1)]))
    study = wait_for_end(daemon, "lost")
    assert study["state"] == "failed" and study["reason"], study
    assert study["runs"][0]["growth_state"] == "failed", study
    assert study["runs"][0]["run_state"] in ("cancelled", "completed"), study  # a moment passes before it is cancelled
    report = daemon.get("/studies/lost/report?format=json")
    assert report["missing"] and report["n_seeds"] == 0, report
    daemon.terminate()


def kill_9_anywhere(folder):
    """The report of a study that was killed at every kind of moment equals that of an undisturbed one."""
    if not lagd.has_failpoints():
        print("  (built without failpoints: left out)")
        return
    daemon = new(folder, "undisturbed")
    daemon.post("/studies", body(daemon, "one"))
    ended(daemon, "one")
    wanted = result(daemon, "one")
    daemon.terminate()
    moments = ["study.created=kill", "fork.copied=kill", "fork.written=kill", "study.answered=kill",
               "growth.created=kill", "study.answered=kill@2", "study.answered=kill", "probe.step=kill@9",
               "probe.eval=kill@30", "decision.after_commit=kill", "growth.before_apply=kill@2", "study.answered=kill",
               "study.closing=kill"]
    daemon = new(folder, "killed")
    asked = body(daemon, "one")
    daemon.terminate()
    n_kills = 0
    for moment in moments:
        if not daemon.start(failpoints=moment):
            n_kills += 1
            continue
        until_it_dies(daemon, asked)
        n_kills += not daemon.alive()
        daemon.kill()
    daemon.start()
    ended(daemon, "one")
    assert n_kills >= len(moments) - 2, n_kills  # one may have been passed by another
    assert result(daemon, "one") == wanted
    daemon.terminate()


def until_it_dies(daemon, asked):
    """Or until the study has ended."""
    while daemon.alive():
        try:
            studies = daemon.get("/studies")["items"]
            if not studies:
                daemon.post("/studies", asked)
            elif studies[0]["state"] == "completed":
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.02)


if __name__ == "__main__":
    lagd.main(a_study_from_the_first_step_to_the_report, it_is_paused_resumed_and_cancelled,
              a_seed_is_given_up,
              what_cannot_be_studied_is_refused, all_candidates_diverge, a_full_disk_is_waited_out,
              kill_9_anywhere)
