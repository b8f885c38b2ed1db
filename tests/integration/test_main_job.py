"""The main job through the API: dataset, run, growth by LAG, training on; modes, pauses, verdicts, text samples."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body, same_points


def expect(status, call, *args, slug=None, **kwargs):
    try:
        call(*args, **kwargs)
    except Problem as problem:
        assert problem.status == status, f"expected {status}, got {problem}"
        assert problem.body["status"] == status and problem.body["title"] and problem.body["detail"], problem.body
        if slug:
            assert problem.body["type"].endswith("/" + slug), problem.body
        return problem.body
    raise AssertionError(f"expected {status}, but it succeeded")


def started(folder, *flags, config=None):
    daemon = Daemon(folder, *flags, config=config)
    daemon.start()
    daemon.upload("words", lagd.text())
    return daemon


def trains_grows_and_goes_on(folder):
    daemon = started(folder)
    run = daemon.post("/runs", run_body("job", "words", model={"n_layer": 3}, start=False))
    assert run["state"] == "paused" and run["id"].startswith("run_")
    growth = daemon.post("/runs/job/growths", {"target": {"n_layer": 6}, "when": {"at_step": 60}, "pool": "default",
                                               "probe": {"steps": 20, "eval_every": 5}, "mode": "auto"})
    assert growth["id"].startswith("gr_")
    daemon.post("/runs/job/resume")
    run = daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
    assert run["step"] == 200 and run["model"]["n_layer"] == 6, run
    assert run["latest"]["train/loss"] < 4 and run["latest"]["val/loss"] < 4, run["latest"]
    growth = daemon.get(f"/growths/{growth['id']}")
    assert growth["state"] == "applied", growth
    candidates = growth["candidates"]
    assert len(candidates) == 11, [c["operator"] for c in candidates]
    rules = {(c["strategy"]["optimizer"], c["strategy"]["lr"], c["strategy"]["freeze_old"]) for c in candidates}
    assert rules == {("inherit", "continue", 0)}, rules  # the operators alone differ
    catalog = daemon.get("/operators")
    recipes = {one["name"]: one["strategy"]["text"] for one in catalog["recipes"]}
    assert recipes["g_stack"] == "stack optimizer=reset lr=restart seed=0" and "midas" in recipes, recipes
    pools = [one["name"] for one in catalog["pools"]]
    assert pools == ["default", "depth", "width", "all", "preserving", "published", "blocks"], pools
    assert all(c["state"] == "completed" and c["loss_at_0"] > 0 and c["loss_at_lag"] > 0 for c in candidates)
    decision = growth["decision"]
    by_id = {c["id"]: c for c in candidates}
    eligible = [c for c in candidates if c["operator"] != "none"]
    assert by_id[decision["pick_at_lag"]]["loss_at_lag"] == min(c["loss_at_lag"] for c in eligible)
    if decision["basis"] != "nothing_to_decide":
        assert decision["candidate"] == decision["pick_at_lag"], decision
    assert decision["candidate"] in decision["tied_set"] and decision["tied"] == (len(decision["tied_set"]) > 1)
    assert 0 <= decision["p_now"] <= 1 and decision["p_end"] is None and decision["delta"] == 0.005
    assert by_id[decision["pick_at_0"]]["loss_at_0"] == min(c["loss_at_0"] for c in eligible)
    assert -1 <= decision["tau"] <= 1 and decision["flops"] > 0
    assert decision["margin"] >= 0 or decision["tied"]
    ranking = daemon.get(f"/growths/{growth['id']}/ranking?at_step=20")
    # the winner's probe points are the run's points
    points = daemon.points("job")
    assert sorted(k for k in points if "train/loss" in points[k]) == list(range(1, 201))
    assert ranking
    # a series comes columnar
    series = daemon.get("/runs/job/series?key=val/loss&max_points=1000")
    assert len(series["step"]) == len(series["series"]["val/loss"]["last"]) == series["points_returned"] > 5
    sample = daemon.post("/runs/job/generate", {"prompt": "And the king", "n_tokens": 20, "temperature": 0.8,
                                                "seed": 1})
    assert sample["text"], sample
    again = daemon.post("/runs/job/generate", {"prompt": "And the king", "n_tokens": 20, "temperature": 0.8, "seed": 1})
    assert again["text"] == sample["text"]
    daemon.terminate()


def a_young_run_writes(folder):
    """Before its first checkpoint a run lends its weights; its own numbers are those of a run that nobody asked."""
    daemon = started(folder)
    long = dict(schedule={"max_steps": 100000}, checkpoint={"every_steps": 100000}, start=False)
    ask = {"prompt": "And the king", "n_tokens": 30, "seed": 3}
    for name in ("asked", "left"):
        daemon.post("/runs", run_body(name, "words", **long))
    assert "resume it" in expect(409, daemon.post, "/runs/asked/generate", ask)["detail"]
    daemon.post("/runs/asked/resume")
    daemon.wait_for("/runs/asked", lambda r: r["step"] > 0)
    seen = []
    for _ in range(5):
        sample = daemon.post("/runs/asked/generate", ask)
        assert sample["checkpoint"] is None and len(sample["text"].encode()) >= 30, sample
        seen.append(sample["step"])
    assert 0 < seen[0] < seen[-1] and seen == sorted(seen), seen
    daemon.post("/runs/asked/pause")
    daemon.wait_for("/runs/asked", lambda r: r["state"] == "paused")
    sample = daemon.post("/runs/asked/generate", ask)
    assert sample["checkpoint"] and sample["step"] == daemon.get("/runs/asked")["step"], sample
    daemon.post("/runs/left/resume")
    daemon.wait_for("/runs/left", lambda r: r["step"] > seen[-1])
    daemon.post("/runs/left/pause")
    daemon.wait_for("/runs/left", lambda r: r["state"] == "paused")
    asked, left = daemon.points("asked"), daemon.points("left")
    both = range(1, min(max(asked), max(left)) + 1)
    assert both[-1] >= seen[-1] and all(asked[step] == left[step] for step in both), both
    daemon.post("/runs", run_body("short", "words", **long))
    daemon.post("/runs/short/cancel")
    assert "none of its weights are left" in expect(409, daemon.post, "/runs/short/generate", ask)["detail"]
    daemon.terminate()


def pause_in_its_growth(daemon, run, growth):
    """The growth waits where it is, and goes on waiting for a person after the pause."""
    daemon.post(f"/runs/{run}/pause")
    daemon.wait_for(f"/runs/{run}", lambda r: r["state"] == "paused")
    assert daemon.get(f"/growths/{growth}")["state"] == "awaiting_approval"
    expect(409, daemon.post, f"/runs/{run}/checkpoint", slug="invalid-state")
    daemon.post(f"/runs/{run}/resume")
    daemon.wait_for(f"/runs/{run}", lambda r: r["state"] == "growing")


def manual_growth_waits_for_a_person(folder):
    daemon = started(folder)
    body = {"target": {"n_layer": 3}, "when": {"at_step": 20}, "probe": {"steps": 8, "eval_every": 4}, "mode": "manual",
            "pool": ["stack", "midas", "llama_pro", {"operator": "random", "seed": 9}]}
    short = dict(schedule={"max_steps": 60}, start=False)
    ends = {}
    for name, answer in (("approved", {"approve": True}), ("overridden", None),
                         ("rejected", {"reject": True, "reason": "not now"}),
                         ("cancelled", "cancel"), ("never", "no growth")):
        daemon.post("/runs", run_body(name, "words", **short))
        if answer == "no growth":
            daemon.post(f"/runs/{name}/resume")
            daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
        else:
            growth = daemon.post(f"/runs/{name}/growths", body)["id"]
            daemon.post(f"/runs/{name}/resume")
            view = daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == "awaiting_approval")
            assert daemon.get(f"/runs/{name}")["state"] == "growing"
            pause_in_its_growth(daemon, name, growth)
            if name == "overridden":
                pick = view["decision"]["candidate"]
                other = next(c for c in view["candidates"] if c["id"] != pick and c["operator"] != "none")
                daemon.kill()  # waiting survives a crash
                daemon.start()
                daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == "awaiting_approval")
                expect(422, daemon.post, f"/growths/{growth}/decision",
                       {"candidate": "cand_00000000000000000000000000", "reason": "x"})
                answer = {"candidate": other["id"], "reason": "I know better"}
            if answer == "cancel":
                daemon.post(f"/growths/{growth}/cancel")
            else:
                daemon.post(f"/growths/{growth}/decision", answer)
            daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
            final = daemon.get(f"/growths/{growth}")
            expected = {"approved": "applied", "overridden": "applied", "rejected": "rejected",
                        "cancelled": "cancelled"}[name]
            assert final["state"] == expected, final
            if name == "overridden":
                assert final["decision"]["candidate"] == answer["candidate"]
                assert final["decision"]["decided_by"] == "user"
                assert final["decision"]["reason"] == "I know better"
                expect(409, daemon.post, f"/growths/{growth}/decision", {"approve": True})
        ends[name] = (daemon.get(f"/runs/{name}")["model"]["n_layer"], daemon.final_weights(name), daemon.points(name))
    assert ends["approved"][0] == ends["overridden"][0] == 3
    for name in ("rejected", "cancelled"):
        assert ends[name][:2] == ends["never"][:2], f"{name} changed the run"
        same_points(ends[name][2], ends["never"][2], name)
    daemon.terminate()


def pause_and_resume_change_nothing(folder):
    daemon = started(folder)
    long = dict(schedule={"max_steps": 1500}, eval={"every_steps": 200}, checkpoint={"every_steps": 300})
    daemon.post("/runs", run_body("straight", "words", **long))
    daemon.wait_for("/runs/straight", lambda r: r["state"] == "completed")
    daemon.post("/runs", run_body("halting", "words", **long))
    for step in (1, 200, 500):
        daemon.wait_for("/runs/halting", lambda r: r["step"] >= step or r["state"] == "completed")
        try:
            assert daemon.post("/runs/halting/pause")["state"] == "paused"
        except Problem as problem:  # it was faster, but once
            assert step > 1 and problem.status == 409 and daemon.get("/runs/halting")["state"] == "completed"
            break
        assert daemon.post("/runs/halting/pause")["state"] == "paused"
        daemon.terminate()
        daemon.start()
        assert daemon.get("/runs/halting")["state"] == "paused"
        daemon.post("/runs/halting/resume")
    daemon.wait_for("/runs/halting", lambda r: r["state"] == "completed")
    assert daemon.final_weights("straight") == daemon.final_weights("halting")
    same_points(daemon.points("straight"), daemon.points("halting"), "pauses")
    daemon.terminate()


def threads_and_company_change_nothing(folder):
    ends = []
    for threads in (1, 2, 3):
        place = os.path.join(folder, str(threads))
        os.mkdir(place)
        daemon = started(place, "--threads", str(threads))
        daemon.post("/runs", run_body("same", "words", schedule={"max_steps": 80}))
        if threads == 2:
            daemon.post("/runs", run_body("other", "words", seed=5, schedule={"max_steps": 80}))
        daemon.wait_for("/runs/same", lambda r: r["state"] == "completed")
        ends.append((daemon.final_weights("same"), daemon.points("same")))
        daemon.terminate()
    for end in ends[1:]:
        assert end[0] == ends[0][0]
        same_points(end[1], ends[0][1], "threads")


def recomputed_activations_change_nothing(folder):
    """A run that grows, with and without: the same weights, candidates and points, in less memory."""
    ends, memory = [], []
    for recompute in (False, True):
        place = os.path.join(folder, str(recompute))
        os.mkdir(place)
        daemon = started(place)
        body = run_body("same", "words", recompute=recompute, schedule={"max_steps": 80}, start=False,
                        model={"n_layer": 3})
        memory.append(daemon.post("/runs?dry_run=true", body)["activation_bytes"])
        daemon.post("/runs", body)
        grow = {"target": {"n_layer": 6}, "when": {"at_step": 20}, "pool": ["stack", "interleave"],
                "probe": {"steps": 10, "eval_every": 5}}
        growth = daemon.post("/runs/same/growths", grow)["id"]
        daemon.call("POST", "/runs/same/resume")
        run = daemon.wait_for("/runs/same", lambda r: r["state"] == "completed")
        assert run["recompute"] == recompute, run
        losses = [(c["operator"], c["loss_at_lag"]) for c in daemon.get(f"/growths/{growth}")["candidates"]]
        ends.append((daemon.final_weights("same"), losses, daemon.points("same")))
        daemon.terminate()
    assert ends[0][:2] == ends[1][:2], (ends[0][1], ends[1][1])
    same_points(ends[1][2], ends[0][2], "recompute")
    assert memory[1] < memory[0], memory


def requests_that_cannot_be(folder):
    daemon = started(folder)
    body = expect(422, daemon.post, "/runs", run_body("x", "words", model={"n_head": 5}))
    assert body["errors"][0]["pointer"].endswith("/model/n_head"), body
    expect(422, daemon.post, "/runs", run_body("x", "no-such-text"))
    body = expect(400, daemon.post, "/runs", run_body("x", "words", modle={"n_layer": 1}), slug="unknown-field")
    assert body["errors"][0]["pointer"].endswith("/modle"), body
    body = expect(422, daemon.post, "/runs", run_body("big", "words",
                                                      model={"n_layer": 96, "n_head": 96, "n_embd": 12288}))
    assert "GiB" in body["detail"] or "bytes" in body["detail"] or "MiB" in body["detail"], body
    daemon.post("/runs", run_body("x", "words", start=False))
    expect(409, daemon.post, "/runs", run_body("x", "words"), slug="name-taken")
    expect(404, daemon.get, "/runs/nobody")
    late = {"target": {"n_layer": 4}, "when": {"at_step": 190}, "probe": {"steps": 20, "eval_every": 5}}
    expect(422, daemon.post, "/runs/x/growths", late)
    expect(422, daemon.post, "/runs/x/growths", {"target": {"n_layer": 1}, "probe": {"steps": 5}})
    wider = expect(422, daemon.post, "/runs/x/growths",
                   {"target": {"n_layer": 4, "n_embd": 64}, "probe": {"steps": 5}, "pool": "blocks"})
    assert "the pool \"blocks\" grows n_layer alone" in wider["detail"], wider
    assert wider["errors"][0]["pointer"] == "#/pool", wider
    wider = expect(422, daemon.post, "/runs/x/growths",
                   {"target": {"n_embd": 64}, "probe": {"steps": 5}, "pool": "depth"})
    assert "grows depth only: n_embd would change from 32 to 64" in wider["detail"], wider
    assert wider["errors"][0]["pointer"] == "#/target/n_embd", wider
    same = daemon.post("/runs/x/growths?dry_run=true",
                       {"target": {"n_layer": 4, "n_embd": 32}, "probe": {"steps": 5}})
    plain = daemon.post("/runs/x/growths?dry_run=true", {"target": {"n_layer": 4}, "probe": {"steps": 5}})
    for key in ("candidates", "from", "to", "flops_total"):
        assert same[key] == plain[key], (key, same, plain)
    assert same["to"] == dict(same["from"], n_layer=4) and same["from"]["n_embd"] == 32, same
    body = expect(400, daemon.post, "/runs/x/growths", {"target": {"n_layer": 4, "width": 64}}, slug="unknown-field")
    assert body["errors"][0]["pointer"].endswith("/target/width"), body
    body = expect(422, daemon.post, "/runs/x/growths",
                  {"target": {"n_layer": 4}, "pool": ["stack", "stuck"], "probe": {"steps": 5}})
    assert body["errors"][0]["pointer"].startswith(("#/pool/1", "/pool/1")), body
    dry = daemon.post("/runs?dry_run=true", run_body("dry", "words"))
    assert dry["n_params"] > 0 and dry["memory_bytes"] > 0
    expect(404, daemon.get, "/runs/dry")
    daemon.post("/runs/x/growths", dict(late, when={"at_step": 100}))
    expect(409, daemon.post, "/runs/x/growths", dict(late, when={"at_step": 100}))
    expect(409, daemon.call, "DELETE", "/datasets/words")
    daemon.post("/runs/x/cancel")
    assert daemon.get("/runs/x")["state"] == "cancelled"
    expect(409, daemon.post, "/runs/x/resume")
    daemon.terminate()


def diverging_candidates_are_dropped(folder):
    daemon = started(folder)
    wild = run_body("wild", "words", optim={"lr": 3e-3}, schedule={"max_steps": 60}, start=False)
    daemon.post("/runs", wild)
    growth = daemon.post("/runs/wild/growths", {
        "target": {"n_layer": 4}, "when": {"at_step": 20}, "pool": ["stack", {"operator": "random", "seed": 3},
                                                                    "llama_pro"],
        "probe": {"steps": 12, "eval_every": 2, "divergence_bound": 0.001}, "mode": "auto"})["id"]
    daemon.post("/runs/wild/resume")
    run = daemon.wait_for("/runs/wild", lambda r: r["state"] in ("completed", "failed"))
    growth = daemon.get(f"/growths/{growth}")
    states = {c["operator"]: c["state"] for c in growth["candidates"]}
    assert run["state"] == "completed", run
    assert growth["state"] in ("applied", "failed"), growth["state"]
    if growth["state"] == "failed":
        assert run["model"]["n_layer"] == 2 and all(s == "diverged" for o, s in states.items() if o != "none"), states
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(trains_grows_and_goes_on, a_young_run_writes, manual_growth_waits_for_a_person,
              pause_and_resume_change_nothing,
              threads_and_company_change_nothing, recomputed_activations_change_nothing, requests_that_cannot_be,
              diverging_candidates_are_dropped)
