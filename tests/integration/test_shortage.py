"""What is not a run's own fault never ends it: it is paused with the reason, goes on when it is mended, or by itself
where that may come back, and ends with the same numbers. And nobody waits for ever for an answer or an end."""
import glob
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body, same_points

GROWTH = {"target": {"n_layer": 3}, "when": {"at_step": 500}, "probe": {"steps": 12, "eval_every": 4},
          "pool": ["stack", "midas"]}


def new(folder, name):
    place = os.path.join(folder, name)
    os.mkdir(place)
    daemon = Daemon(place, "--threads", "1")
    daemon.start()
    daemon.upload("words", lagd.text())
    return daemon


def paused_on_its_way(daemon, **changes):
    """At least two checkpoints lie behind it, and its end is ahead."""
    body = {"schedule": {"max_steps": 400}, "checkpoint": {"every_steps": 20}}
    daemon.post("/runs", run_body("r", "words", **{**body, **changes}))
    daemon.wait_for("/runs/r", lambda r: r["step"] >= 45, pace=0.002)
    daemon.post("/runs/r/pause")
    assert daemon.get("/runs/r")["state"] == "paused"


def completed(daemon):
    return daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")


def paused(daemon, *texts):
    run = daemon.wait_for("/runs/r", lambda r: r["state"] == "paused", pace=0.01)
    for text in texts:
        assert text in run["reason"], (text, run["reason"])
    return run


def harvest(daemon):
    run = daemon.get("/runs/r")
    assert not [e for e in daemon.events() if e["type"] == "determinism.mismatch"]
    return daemon.final_weights("r"), run["step"], run["tokens"], run["model"]["n_layer"]


def the_same_as_undisturbed(folder, daemon, prepare=paused_on_its_way):
    """The run has ended as one that nothing befell."""
    completed(daemon)
    whole = new(folder, "whole")
    prepare(whole)
    if whole.get("/runs/r")["state"] == "paused":
        whole.post("/runs/r/resume")
    completed(whole)
    assert harvest(daemon) == harvest(whole)
    same_points(daemon.points("r"), whole.points("r"), "after a shortage")
    whole.terminate()
    daemon.terminate()


def limit(daemon, what, soft):
    hard = resource.prlimit(daemon.process.pid, what)[1]
    resource.prlimit(daemon.process.pid, what, (hard if soft is None else soft, hard))


def sanitized():
    """Their shadows take all the addresses there are."""
    return any(name in lagd.BEFORE for name in lagd.SANITIZERS)


def memory_comes_back(folder):
    """No memory for the weights at the resume. Later there is some, and nobody has to ask again."""
    if sanitized():
        return
    daemon = new(folder, "short")
    paused_on_its_way(daemon, model={"n_layer": 4, "n_head": 4, "n_embd": 128}, schedule={"max_steps": 300})
    with open(f"/proc/{daemon.process.pid}/status") as f:
        taken = int(next(line for line in f if line.startswith("VmSize")).split()[1]) * 1024
    limit(daemon, resource.RLIMIT_AS, taken + (2 << 20))
    daemon.post("/runs/r/resume")
    run = paused(daemon, "it is tried again by itself")
    assert run["waits"] and "pause" in run["allowed_actions"] and "resume" in run["allowed_actions"], run
    limit(daemon, resource.RLIMIT_AS, None)
    assert not completed(daemon)["waits"]
    assert "tried again by itself" in [e.get("message") for e in daemon.events("r")]
    daemon.terminate()


def descriptors_come_back(folder):
    """None is free at the resume; it is asked for on a connection that is there already."""
    daemon = new(folder, "short")
    paused_on_its_way(daemon)
    connection = lagd.UnixConnection(daemon.socket, lagd.slow(60))
    connection.request("GET", "/api/v1/runs/r")
    connection.getresponse().read()
    taken = {int(fd) for fd in os.listdir(f"/proc/{daemon.process.pid}/fd")}
    limit(daemon, resource.RLIMIT_NOFILE, min(set(range(len(taken) + 1)) - taken))  # no gap between them is free
    connection.request("POST", "/api/v1/runs/r/resume")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    assert lagd.until(lambda: "cannot go on" in daemon.log(), 20), daemon.log()
    limit(daemon, resource.RLIMIT_NOFILE, None)
    connection.close()
    the_same_as_undisturbed(folder, daemon)


def run_folder(daemon):
    return os.path.join(daemon.state_dir, "runs", daemon.get("/runs/r")["id"])


def a_file_lies_where_a_checkpoint_was(folder):
    """The older ones are good: the run goes back by one."""
    daemon = new(folder, "short")
    paused_on_its_way(daemon)
    newest = sorted(glob.glob(run_folder(daemon) + "/ckpt-*"))[-1]
    os.rename(newest, newest + ".gone")
    with open(newest, "w") as f:
        f.write("a file")
    daemon.post("/runs/r/resume")
    completed(daemon)
    told = [e for e in daemon.events("r") if e["type"] == "checkpoint.damaged"]
    assert len(told) == 1 and "is no folder" in told[0]["message"], told
    the_same_as_undisturbed(folder, daemon)


def the_folder_cannot_be_entered(folder):
    """What lies in the way may be mended: nothing is set aside, and the run waits for a person."""
    daemon = new(folder, "short")
    paused_on_its_way(daemon)
    place = run_folder(daemon)
    checkpoints = [c["id"] for c in daemon.get("/runs/r/checkpoints")["items"]]

    def as_file():
        open(place, "w").close()

    def as_circle():
        os.symlink(place, place)

    for spoil, reason in ((as_file, "Not a directory"), (as_circle, "Too many levels of symbolic links")):
        os.rename(place, place + ".aside")
        spoil()
        daemon.post("/runs/r/resume")
        run = paused(daemon, reason, "resume the run once that is mended")
        assert not run["waits"]
        try:  # it is still the one to go on from
            daemon.call("DELETE", f"/checkpoints/{checkpoints[0]}")
            raise AssertionError("the newest checkpoint was deleted")
        except lagd.Problem as problem:
            assert problem.status == 409, problem
        assert [c["id"] for c in daemon.get("/runs/r/checkpoints")["items"]] == checkpoints
        os.unlink(place)
        os.rename(place + ".aside", place)
    daemon.post("/runs/r/resume")
    the_same_as_undisturbed(folder, daemon)


def begin_a_growth(daemon):
    """2 → 3 at step 500 of 600."""
    daemon.post("/runs", run_body("r", "words", start=False, schedule={"max_steps": 600},
                                  checkpoint={"every_steps": 20}))
    daemon.post("/runs/r/growths", GROWTH)
    daemon.post("/runs/r/resume")


def checkpoints_cannot_be_written(folder):
    """The run trains on without, up to where it cannot: there it is paused, and its growth stays."""
    daemon = new(folder, "short")
    begin_a_growth(daemon)
    daemon.wait_for("/runs/r", lambda r: r["step"] >= 45, pace=0.002)
    place = run_folder(daemon)
    os.rename(place, place + ".aside")
    open(place, "w").close()
    run = paused(daemon, "is not a folder", "resume the run once that is mended")
    assert daemon.get(f"/growths/{run['growth']}")["state"] == "queued", run
    assert [c["step"] for c in daemon.get("/runs/r/checkpoints")["items"]][0] < 500
    assert any("no checkpoint at step" in e.get("message", "") for e in daemon.events("r"))
    os.unlink(place)
    os.rename(place + ".aside", place)
    daemon.post("/runs/r/resume")
    the_same_as_undisturbed(folder, daemon, begin_a_growth)


def a_young_run_lends_its_weights_on_a_full_disk(folder):
    """It has no checkpoint, and makes no step: who asks for a sample is answered all the same."""
    daemon = new(folder, "short")
    daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 100000}, checkpoint={"every_steps": 100000}))
    daemon.wait_for("/runs/r", lambda r: r["step"] >= 5, pace=0.002)
    n_log = os.path.getsize(daemon.log_path) + 8192  # what it says still fits
    assert os.path.getsize(daemon.state_dir + "/lagd.db-wal") > n_log
    limit(daemon, resource.RLIMIT_FSIZE, n_log)
    assert lagd.until(lambda: "the run waits for storage" in daemon.log(), 20), daemon.log()
    body = {"prompt": "And", "n_tokens": 2}
    status, _, answer = daemon.request("POST", "/api/v1/runs/r/generate", body, timeout=lagd.slow(10))
    assert status == 200, answer
    limit(daemon, resource.RLIMIT_FSIZE, None)
    assert daemon.post("/runs/r/cancel")["state"] == "cancelled"
    daemon.terminate()


def a_probe_has_no_memory(folder):
    """A worker of a growth finds none: no candidate is lost, the growth goes on with its run."""
    if not lagd.has_failpoints():
        return
    daemon = new(folder, "short")
    daemon.terminate()
    daemon.start(failpoints="probe.no_memory=fail@2")
    begin_a_growth(daemon)
    run = paused(daemon, "out of memory", "it is tried again by itself")
    growth = run["growth"]
    assert daemon.get(f"/growths/{growth}")["state"] == "probing"
    completed(daemon)
    assert daemon.get(f"/growths/{growth}")["state"] == "applied"
    states = [e["state"] for e in daemon.events("r") if e["type"] == "candidate.state"]
    assert "failed" not in states, states
    the_same_as_undisturbed(folder, daemon, begin_a_growth)


def a_failed_run_goes_on(folder):
    """Step 53 is not finite five times, with three halvings between them. A person asks for more, and it goes well."""
    if not lagd.has_failpoints():
        return
    daemon = new(folder, "wild")
    daemon.terminate()
    daemon.start(failpoints=",".join(f"train.nonfinite=fail@{n}" for n in (53, 66, 79, 92, 105)))
    daemon.post("/runs", run_body("r", "words"))
    run = daemon.wait_for("/runs/r", lambda r: r["state"] == "failed")
    assert run["allowed_actions"] == ["resume", "fork", "delete"] and run["lr_scale"] == 0.125, run
    assert "resume" in run["reason"], run["reason"]
    daemon.post("/runs/r/resume")
    run = completed(daemon)
    assert run["step"] == 200 and run["lr_scale"] == 0.125, run
    assert [r["step"] for r in daemon.get("/runs/r/checkpoints")["items"]][0] == 200
    daemon.terminate()


def a_failed_run_gets_another_rate(folder):
    """Its rate is far too high. It goes on from its newest checkpoint, here its start, with one that a person gives."""
    daemon = new(folder, "wild")
    daemon.post("/runs", run_body("r", "words", optim={"lr": 10, "grad_clip": 0, "weight_decay": 10},
                                  schedule={"warmup_steps": 0, "kind": "constant"}, checkpoint={"every_steps": 1000}))
    failed = daemon.wait_for("/runs/r", lambda r: r["state"] == "failed")
    for rate, pointer in ((1e-6, "#/optim/lr"), (0, "#/optim/lr"), ("x", "#/optim/lr")):
        try:
            daemon.call("PATCH", "/runs/r", {"optim": {"lr": rate}})
            raise AssertionError(f"{rate} was accepted")
        except Problem as problem:
            assert problem.status == 422 and problem.body["errors"][0]["pointer"] == pointer, (rate, problem.body)
    run = daemon.call("PATCH", "/runs/r", {"optim": {"lr": 1e-3}})
    assert run["optim"] == {**failed["optim"], "lr": 1e-3} and run["lr_scale"] == 1 and run["state"] == "failed", run
    assert max(daemon.points("r"), default=0) == 0, "points of the old rate were left"
    daemon.post("/runs/r/resume")
    completed(daemon)
    points = daemon.points("r")
    assert points[200]["optim/lr"] == 1e-3 and len(points) in (200, 201), (len(points), points[200])
    assert not [e for e in daemon.events() if e["type"] == "determinism.mismatch"]
    daemon.terminate()


def a_configuration_is_mended(folder):
    """What a newer lagd may have written: this one pauses the run at its start, whatever it was doing."""
    daemon = new(folder, "odd")
    daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 400}))
    daemon.wait_for("/runs/r", lambda r: r["step"] >= 45, pace=0.002)
    daemon.kill()
    with sqlite3.connect(daemon.state_dir + "/lagd.db") as database:
        good = database.execute("SELECT config FROM runs").fetchone()[0]
        assert "precision=fp32" in good, good
        database.execute("UPDATE runs SET config = ?", (good.replace("precision=fp32", "precision=fp99"),))
    database.close()
    daemon.start()
    run = paused(daemon, "precision must be one of", "fp99", "resume the run once that is mended")
    try:
        daemon.post("/runs/r/resume")
        raise AssertionError("resumed without a configuration")
    except Problem as problem:
        assert problem.status == 422, problem
    daemon.terminate()
    with sqlite3.connect(daemon.state_dir + "/lagd.db") as database:
        database.execute("UPDATE runs SET config = ?", (good,))
    database.close()
    daemon.start()
    daemon.post("/runs/r/resume")
    completed(daemon)
    daemon.terminate()


def a_pause_is_answered_when_the_store_breaks(folder):
    """The device fails while a run writes its last checkpoint: whoever waits for that hears it, and lagd ends."""
    if not lagd.has_failpoints():
        return
    daemon = new(folder, "breaks")
    daemon.terminate()
    daemon.start(failpoints="store.commit_io=fail@60,checkpoint.row=sleep:5000")
    daemon.post("/runs", run_body("r", "words", schedule={"max_steps": 100000}, checkpoint={"every_steps": 100000}))
    daemon.wait_for("/runs/r", lambda r: r["state"] == "running")
    answers = []

    def pause():
        try:
            answers.append(daemon.request("POST", "/api/v1/runs/r/pause")[0])
        except (OSError, lagd.http.client.HTTPException) as error:
            answers.append(error)

    thread = threading.Thread(target=pause)
    thread.start()
    for i in range(1000):
        if not daemon.alive():
            break
        try:
            daemon.request("PATCH", "/api/v1/runs/r", {"note": str(i)}, timeout=20)
        except (OSError, lagd.http.client.HTTPException):
            break
    thread.join(lagd.slow(30))
    assert answers and answers[0] in (200, 503), (answers, daemon.log())
    daemon.process.wait(lagd.slow(30))
    assert daemon.process.returncode == 1, daemon.process.returncode
    assert "were not answered" not in daemon.log(), daemon.log()
    daemon.start()
    assert daemon.get("/runs/r")["state"] in ("queued", "running", "paused")
    daemon.terminate()


def it_ends_where_memory_is_short(folder):
    """Whether it could start or not: SIGTERM ends it, and so does its own error."""
    if sanitized():
        return
    for kib in (120000, 180000, 240000):
        place = os.path.join(folder, str(kib))
        os.mkdir(place)
        daemon = Daemon(place, "--threads", "2")
        with open(daemon.log_path, "ab") as log:
            process = subprocess.Popen(["prlimit", f"--as={kib << 10}", *daemon.command()], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)
        lagd.until(lambda: process.poll() is not None or "ready: state" in daemon.log() or "error" in daemon.log(), 10)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(lagd.slow(20)) in (0, 1, -signal.SIGTERM), process.returncode
        finally:
            process.kill()


if __name__ == "__main__":
    lagd.main(memory_comes_back, descriptors_come_back, a_file_lies_where_a_checkpoint_was,
              the_folder_cannot_be_entered, checkpoints_cannot_be_written, a_probe_has_no_memory, a_failed_run_goes_on,
              a_failed_run_gets_another_rate, a_young_run_lends_its_weights_on_a_full_disk,
              a_configuration_is_mended, a_pause_is_answered_when_the_store_breaks, it_ends_where_memory_is_short)
