"""Files that are damaged, missing or changed: lagd says so, goes back as far as it must, and ends with the same
numbers."""
import glob
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body, same_points

FIRST = {"target": {"n_layer": 3}, "when": {"at_step": 30}, "probe": {"steps": 12, "eval_every": 4},
         "pool": ["stack", "midas", "llama_pro"]}
# Far behind the first: it is asked for while the run trains on.
SECOND = {"target": {"n_layer": 5}, "when": {"at_step": 900}, "probe": {"steps": 12, "eval_every": 4},
          "pool": ["stack", "interleave", "random"]}


def started(folder, name):
    place = os.path.join(folder, name)
    os.mkdir(place)
    daemon = Daemon(place)
    daemon.start()
    daemon.upload("words", lagd.text())
    return daemon


def completed(daemon, name):
    return daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")


def begin_two_growths(daemon):
    """2 → 3 at step 30, and 3 → 5 at step 900."""
    daemon.post("/runs", run_body("r", "words", start=False, schedule={"max_steps": 2000}, eval={"every_steps": 100},
                                  checkpoint={"every_steps": 200}))
    first = daemon.post("/runs/r/growths", FIRST)["id"]
    daemon.post("/runs/r/resume")
    daemon.wait_for(f"/growths/{first}", lambda g: g["state"] == "applied")
    daemon.post("/runs/r/growths", SECOND)


def flip_a_bit(path, at=5000):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 1]))


def harvest(daemon):
    run = daemon.get("/runs/r")
    assert not [e for e in daemon.events() if e["type"] == "determinism.mismatch"]
    return daemon.final_weights("r"), run["step"], run["tokens"], run["flops"], run["model"]["n_layer"], run["n_params"]


def begin_one_growth(daemon):
    """2 → 3 at step 30."""
    daemon.post("/runs", run_body("r", "words", start=False, schedule={"max_steps": 2000}, eval={"every_steps": 100},
                                  checkpoint={"every_steps": 100}))
    daemon.post("/runs/r/growths", FIRST)
    daemon.post("/runs/r/resume")


def what_was_spent_is_counted_again(folder):
    """A run that goes on from a checkpoint behind its growth has spent what an undisturbed one has, size by size."""
    whole = started(folder, "whole")
    begin_one_growth(whole)
    completed(whole, "r")
    daemon = started(folder, "killed")
    begin_one_growth(daemon)
    daemon.wait_for("/runs/r", lambda r: r["step"] >= 300)
    daemon.kill()
    daemon.start()
    completed(daemon, "r")
    assert harvest(daemon) == harvest(whole), (harvest(daemon), harvest(whole))
    daemon.terminate()
    whole.terminate()


def every_checkpoint_is_damaged(folder):
    """Back to the seed: both growths are applied again, the same winners win, and nothing is counted twice."""
    daemon = started(folder, "good")
    begin_two_growths(daemon)
    completed(daemon, "r")
    expected, points = harvest(daemon), daemon.points("r")
    daemon.terminate()
    daemon = started(folder, "damaged")
    begin_two_growths(daemon)
    daemon.wait_for("/runs/r", lambda r: r["step"] >= 920)
    daemon.kill()
    damaged = glob.glob(daemon.state_dir + "/runs/*/ckpt-*/model.safetensors")
    for path in damaged:
        flip_a_bit(path)
    daemon.start()
    completed(daemon, "r")
    assert harvest(daemon) == expected
    same_points(daemon.points("r"), points, "after damage")
    told = [e for e in daemon.events() if e["type"] == "checkpoint.damaged"]
    # a folder that the kill left without a row is swept, not set aside
    assert 5 <= len(told) <= len(damaged) and all(".damaged" in e.get("message", "") for e in told), told
    again = [e for e in daemon.events() if e["type"] == "growth.state" and "applied again" in e.get("message", "")]
    assert len(again) == 2, again
    daemon.terminate()


def the_winner_was_not_to_grow(folder):
    """`none` won; then the checkpoint of its probe is damaged."""
    pool = [{"operator": "stack", "optimizer": "reset", "lr": "rewarm", "rewarm_steps": 900}]
    ends = []
    for name in ("good", "damaged"):
        daemon = started(folder, name)
        daemon.post("/runs", run_body("r", "words", start=False, eval={"every_steps": 20},
                                      checkpoint={"every_steps": 5000},
                                      schedule={"max_steps": 4000}))  # it still trains when it is killed
        daemon.post("/runs/r/growths", dict(FIRST, pool=pool, allow_none=True))
        daemon.post("/runs/r/resume")
        if name == "damaged":
            daemon.wait_for("/runs/r", lambda r: r["step"] > 42, pace=0.002)
            daemon.kill()
            flip_a_bit(glob.glob(daemon.state_dir + "/runs/*/ckpt-00000042-*/model.safetensors")[0])
            daemon.start()
        completed(daemon, "r")
        ends.append((harvest(daemon), daemon.points("r")))
        assert daemon.get("/runs/r")["model"]["n_layer"] == 2
        assert any(e["type"] == "checkpoint.damaged" for e in daemon.events()) == (name == "damaged")
        daemon.terminate()
    assert ends[0][0] == ends[1][0]
    same_points(ends[0][1], ends[1][1], "after damage")


def a_growth_behind_a_damaged_one(folder):
    """2 → 3 at step 20 was applied, 3 → 5 comes later. Then all of 3 layers is damaged: the run goes back before the
    first, which is applied again. The second takes its turn again where it has not begun; one that has ends, and says
    so."""
    probe = {"steps": 8, "eval_every": 4}
    for at, mode, wanted in ((390, "auto", "applied"), (60, "manual", "cancelled")):
        daemon = started(folder, mode)
        # a slower run: its pause comes before step 390
        daemon.post("/runs", run_body("r", "words", start=False, model={"n_embd": 64, "n_positions": 64},
                                      schedule={"max_steps": 400}))
        first = daemon.post("/runs/r/growths", dict(FIRST, when={"at_step": 20}, probe=probe))["id"]
        second = daemon.post("/runs/r/growths", dict(SECOND, when={"at_step": at}, probe=probe, mode=mode))["id"]
        daemon.post("/runs/r/resume")
        daemon.wait_for(f"/growths/{first}", lambda g: g["state"] == "applied", pace=0.002)
        if mode == "manual":
            daemon.wait_for(f"/growths/{second}", lambda g: g["state"] == "awaiting_approval", pace=0.002)
        daemon.post("/runs/r/pause")
        assert daemon.get("/runs/r")["step"] < 390
        for checkpoint in daemon.get("/runs/r/checkpoints")["items"]:
            if checkpoint["n_layer"] == 3:
                flip_a_bit(glob.glob(daemon.state_dir + f"/runs/*/ckpt-*{checkpoint['id'][-8:]}/model.safetensors")[0])
        daemon.post("/runs/r/resume")
        run = completed(daemon, "r")
        states = [(e["growth"], e["state"]) for e in daemon.events("r") if e["type"] == "growth.state"]
        applied = ["probing", "decided", "applying", "applied"]
        assert [s for g, s in states if g == first] == ["queued"] + applied + ["decided", "applying", "applied"], states
        assert daemon.get(f"/growths/{second}")["state"] == wanted
        assert [s for g, s in states if g == second] == \
               ["queued"] + (applied if mode == "auto" else ["probing", "awaiting_approval", "cancelled"]), states
        assert run["model"]["n_layer"] == (5 if mode == "auto" else 3), run
        daemon.terminate()


def kept_states_go_with_their_growth(folder):
    """A manual growth keeps all candidates on disk. They go when it ends, also while no thread works on its run."""
    for answer in ("reject", "cancel", "cancel the run", "delete the run", "crash after the answer"):
        daemon = started(folder, answer)
        daemon.post("/runs", run_body("r", "words", start=False, on_crash="pause"))
        growth = daemon.post("/runs/r/growths", dict(FIRST, mode="manual"))["id"]
        daemon.post("/runs/r/resume")
        daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == "awaiting_approval")
        daemon.kill()
        daemon.start(failpoints="growth.concluding=kill@1" if answer.startswith("crash") else None)
        assert daemon.get("/runs/r")["state"] == "paused"
        assert len(glob.glob(daemon.state_dir + "/runs/*/ckpt-*")) == 5
        if answer == "reject":
            daemon.post(f"/growths/{growth}/decision", {"reject": True})
        elif answer == "cancel":
            daemon.post(f"/growths/{growth}/cancel")
        elif answer == "cancel the run":
            daemon.post("/runs/r/cancel")
        elif answer == "delete the run":
            daemon.call("DELETE", "/runs/r")
        else:
            daemon.post("/runs/r/resume")
            daemon.wait_for("/runs/r", lambda r: r["state"] == "growing")
            try:
                daemon.post(f"/growths/{growth}/decision", {"reject": True})
            except (OSError, lagd.http.client.HTTPException):
                pass
            daemon.process.wait(lagd.slow(20))
            daemon.start()
        left = glob.glob(daemon.state_dir + "/runs/*/ckpt-*")
        assert len(left) == (0 if answer == "delete the run" else 1), (answer, left)
        if answer != "delete the run":
            assert [c["kind"] for c in daemon.get("/runs/r/checkpoints")["items"]] == ["pre_growth"]
            assert daemon.get("/runs/r")["growth"] is None
        daemon.terminate()


def the_dataset_goes_and_comes_back(folder):
    """Cut short while training and while probing, and gone at a start: the run waits, paused, and nothing is lost."""
    growth = dict(FIRST, probe={"steps": 300, "eval_every": 50})
    ends = []
    for name in ("good", "probing", "training"):
        place = os.path.join(folder, name)
        os.makedirs(os.path.join(place, "data"))
        path = os.path.join(place, "data", "words.txt")
        with open(path, "w") as f:
            f.write(lagd.text())
        daemon = Daemon(place, config=f"[storage]\ndataset_roots = {place}/data\n")
        daemon.start()
        daemon.post("/datasets", {"name": "words", "path": "words.txt"})
        daemon.post("/runs", run_body("r", "words", start=False, schedule={"max_steps": 2500}))
        id = daemon.post("/runs/r/growths", growth)["id"]
        daemon.post("/runs/r/resume")
        if name != "good":
            if name == "probing":
                daemon.wait_for(f"/growths/{id}", lambda g: g["progress"]["done_steps"] > 5, pace=0.002)
            else:
                daemon.wait_for(f"/growths/{id}", lambda g: g["state"] == "applied")
            os.truncate(path, 3000)
            paused = daemon.wait_for("/runs/r", lambda r: r["state"] == "paused")
            assert "resume the run once the dataset is back" in paused["reason"], paused
            assert daemon.get(f"/growths/{id}")["state"] == ("probing" if name == "probing" else "applied")
            daemon.kill()
            os.unlink(path)
            daemon.start()
            daemon.post("/runs/r/resume")
            paused = daemon.wait_for("/runs/r", lambda r: r["state"] == "paused")
            assert "words.txt" in paused["reason"], paused
            with open(path, "w") as f:
                f.write(lagd.text())
            daemon.post("/runs/r/resume")
        completed(daemon, "r")
        ends.append((harvest(daemon), daemon.points("r")))
        daemon.terminate()
    for result, points in ends[1:]:
        assert result == ends[0][0]
        same_points(points, ends[0][1], "after the dataset came back")


def peak_bytes(daemon):
    with open(f"/proc/{daemon.process.pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmHWM")).split()[1]) * 1024


def a_rollback_keeps_to_the_promised_memory(folder):
    """Going back loads a checkpoint: it must not hold two states at once, as only one was admitted."""
    if any(name in lagd.BEFORE for name in lagd.SANITIZERS):
        return  # their shadows and quarantines are memory, too
    daemon = Daemon(folder, "--threads", "1")
    daemon.start(failpoints="train.nonfinite=fail@4")
    daemon.upload("words", lagd.text())
    idle = peak_bytes(daemon)
    model = {"n_layer": 4, "n_head": 8, "n_embd": 384, "n_positions": 16}
    body = run_body("r", "words", model=model, batch={"sequences": 1}, eval={"batches": 1},
                    schedule={"max_steps": 6, "warmup_steps": 1}, checkpoint={"every_steps": 2})
    promised = daemon.post("/runs?dry_run=true", body)["memory_bytes"]
    daemon.post("/runs", body)
    run = completed(daemon, "r")
    used = peak_bytes(daemon) - idle
    if run["n_rollbacks"] > 0:  # a build without failpoints cannot show it
        assert used <= 1.1 * promised, f"{used} bytes were used, {promised} were promised"
    daemon.terminate()


def a_halved_rate_survives_a_kill(folder):
    """Step 53 is not finite twice: from step 40 on the rate is halved. kill -9 before the next checkpoint keeps
    that."""
    if not lagd.has_failpoints():
        return
    faults = "train.nonfinite=fail@53,train.nonfinite=fail@66"
    ends = []
    for name in ("good", "killed"):
        daemon = started(folder, name)
        daemon.terminate()
        daemon.start(failpoints=faults + (",run.after_step=kill@94" if name == "killed" else ""))  # step 70
        daemon.post("/runs", run_body("r", "words"))
        if name == "killed":
            daemon.process.wait(lagd.slow(30))
            daemon.start()
            assert 40 <= daemon.get("/runs/r")["step"]
        run = completed(daemon, "r")
        assert (run["n_rollbacks"], run["lr_scale"]) == (2, 0.5), run
        ends.append((harvest(daemon), daemon.points("r")))
        daemon.terminate()
    assert ends[0][0] == ends[1][0]
    same_points(ends[0][1], ends[1][1], "after a kill")


def nothing_is_left_half_made(folder):
    """kill -9 while a dataset or a run is made or deleted: afterwards it is there, or nothing of it is."""
    words = lagd.text(3000)
    for point in ("dataset.scan", "dataset.moved", "dataset.deleted", "run.deleted", "store.before_commit",
                  "store.after_commit"):
        daemon = started(folder, point)
        daemon.upload("old", words)
        daemon.post("/runs", run_body("r", "words", start=False))
        daemon.terminate()
        daemon.start(failpoints=f"{point}=kill")
        try:
            daemon.upload("new", words)
            daemon.call("DELETE", "/runs/r")
            daemon.call("DELETE", "/datasets/old")
        except (OSError, lagd.http.client.HTTPException):
            daemon.process.wait(lagd.slow(20))
        daemon.kill()
        daemon.start()
        for kind, ids in (("datasets", {d["id"] for d in daemon.get("/datasets")["items"]}),
                          ("runs", {r["id"] for r in daemon.get("/runs")["items"]})):
            there = os.path.join(daemon.state_dir, kind)
            assert set(os.listdir(there) if os.path.isdir(there) else []) <= ids, (point, kind, ids)
        for dataset in daemon.get("/datasets")["items"]:
            name = dataset["name"]
            daemon.wait_for(f"/datasets/{name}", lambda d: d["state"] == "ready")  # it is read again after a kill
            files = os.listdir(os.path.join(daemon.state_dir, "datasets", dataset["id"]))
            assert len(files) == 1 and files[0] != ".unlisted", (point, files)
            daemon.post("/runs", run_body("on-" + name, name, start=False))
        assert not os.listdir(os.path.join(daemon.state_dir, "uploads")), point
        daemon.terminate()


def what_is_served_is_what_was_written(folder):
    """A file goes out only after its hash was compared once since it changed: small ones at once, large ones by a
    worker, whole, in part and in an archive."""
    daemon = started(folder, "daemon")
    daemon.post("/runs", run_body("r", "words", model={"n_embd": 128}, schedule={"max_steps": 2, "warmup_steps": 1}))
    completed(daemon, "r")
    daemon.terminate()
    daemon.start()  # nothing is known of them
    checkpoint = daemon.get("/runs/r/checkpoints")["items"][0]
    place = f"/api/v1/checkpoints/{checkpoint['id']}"
    sizes = {file["name"]: file["n_bytes"] for file in checkpoint["files"]}
    assert sizes["model.safetensors"] > 1 << 20 > sizes["config.json"], sizes
    status, _, whole = daemon.request("GET", place + "/archive.tar")
    assert status == 200
    for name in ("model.safetensors", "config.json", "optimizer.safetensors"):
        path = glob.glob(daemon.state_dir + f"/runs/*/ckpt-*{checkpoint['id'][-8:]}/{name}")[0]
        for again in (False, True):
            status, headers, data = daemon.request("GET", place + "/files/" + name)
            assert status == 200 and len(data) == sizes[name], (name, again, status)
        flip_a_bit(path, at=100)
        for method, what, more in (("GET", "/files/" + name, {}), ("GET", "/files/" + name, {"Range": "bytes=0-9"}),
                                   ("HEAD", "/files/" + name, {}), ("GET", "/archive.tar", {})):
            status, _, answer = daemon.request(method, place + what, headers=more)
            assert status == 500 and (method == "HEAD" or b"damaged" in answer), (name, method, what, status, answer)
        assert daemon.request("GET", place + "/hf.tar")[0] == (500 if name.startswith("model.") else 200), name
        assert daemon.request("GET", place + "/files/" + name, headers={"If-None-Match": headers["ETag"]})[0] == 304
        flip_a_bit(path, at=100)
        assert daemon.request("GET", place + "/files/" + name)[2] == data, name
    assert daemon.request("GET", place + "/archive.tar")[2] == whole
    assert not [e for e in daemon.events() if e["type"] == "checkpoint.damaged"]
    daemon.terminate()


def a_sample_meets_retention(folder):
    """Text is asked of checkpoints that are retired at the same moment: it is there, or 404, or 409; and nothing is
    taken for damage."""
    daemon = started(folder, "daemon")
    daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 80}, eval={"every_steps": 80},
                                  checkpoint={"every_steps": 1, "keep_last": 1}))
    seen = set()
    while daemon.get("/runs/r")["state"] != "completed":
        for checkpoint in daemon.get("/runs/r/checkpoints")["items"]:
            for method, path, body in (("POST", f"/api/v1/checkpoints/{checkpoint['id']}/generate", {"n_tokens": 1}),
                                       ("POST", "/api/v1/runs/r/generate", {"n_tokens": 1}),
                                       ("GET", checkpoint["files"][-1]["href"], None)):
                status, _, answer = daemon.request(method, path, body)
                assert status in (200, 404, 409), (status, answer)
                seen.add((path.split("/")[-1] == "generate", status))
    assert {s for _, s in seen} >= {200}, seen
    assert not [e for e in daemon.events() if e["type"] == "checkpoint.damaged"]
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(what_was_spent_is_counted_again, every_checkpoint_is_damaged, the_winner_was_not_to_grow,
              a_growth_behind_a_damaged_one, kept_states_go_with_their_growth,
              the_dataset_goes_and_comes_back, a_rollback_keeps_to_the_promised_memory, a_halved_rate_survives_a_kill,
              nothing_is_left_half_made, what_is_served_is_what_was_written, a_sample_meets_retention)
