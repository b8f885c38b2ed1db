"""A start never loses a checkpoint: not under an older database, not while its disk is away, not after a commit whose
outcome is unknown. And it removes nothing that is not lagd's."""
import glob
import http.client
import os
import shutil
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import run_body, same_points, started

GROWTH = {"target": {"n_layer": 3}, "when": {"at_step": 60}, "probe": {"steps": 12, "eval_every": 4},
          "pool": ["stack", "midas", "llama_pro"]}


def body(**changes):
    return run_body("r", "words", start=False, **changes)


def sealed(daemon):
    return {os.path.basename(os.path.dirname(path)) for path in
            glob.glob(daemon.state_dir + "/runs/*/ckpt-*/manifest.json")}


def plain(names):
    """Without what was set aside."""
    return {name for name in names if "." not in name}


def listed(daemon):
    """Names of the folders of all checkpoints of the run that are listed: they end as their ids do."""
    ids = {c["id"][-10:]: c for c in daemon.get("/runs/r/checkpoints")["items"]}
    return {name for name in plain(sealed(daemon)) if name[-10:] in ids}


def expected(folder, growth=None, **changes):
    daemon = started(folder)
    daemon.post("/runs", body(**changes))
    if growth:
        daemon.post("/runs/r/growths", growth)
    daemon.post("/runs/r/resume")
    completed(daemon)
    result = daemon.final_weights("r"), daemon.points("r"), daemon.get("/runs/r")["model"]["n_layer"]
    daemon.terminate()
    return result


def place(folder, name):
    path = os.path.join(folder, name)
    os.makedirs(path)
    return path


def completed(daemon):
    return daemon.wait_for("/runs/r", lambda r: r["state"] == "completed")


def stands(daemon, step):
    """The run is paused at that step or a little behind it, and the daemon has ended."""
    daemon.post("/runs/r/resume")
    daemon.wait_for("/runs/r", lambda r: r["step"] >= step, pace=0.002)
    daemon.post("/runs/r/pause")
    paused = daemon.wait_for("/runs/r", lambda r: r["state"] == "paused")
    daemon.terminate()
    return paused["step"]


def copy_database(daemon, name):
    shutil.copy(daemon.state_dir + "/lagd.db", os.path.join(daemon.folder, name))


def put_back(daemon, name):
    for end in ("-wal", "-shm"):
        if os.path.exists(daemon.state_dir + "/lagd.db" + end):
            os.unlink(daemon.state_dir + "/lagd.db" + end)
    shutil.copy(os.path.join(daemon.folder, name), daemon.state_dir + "/lagd.db")


def of_type(daemon, name):
    return [e for e in daemon.events() if e["type"] == name]


KEEP = {"checkpoint": {"every_steps": 20, "keep_last": 3}, "schedule": {"max_steps": 1200}}


def an_older_database_is_put_back(folder):
    """What was written since is taken in: the run goes on from its newest checkpoint and ends with the same bits. Then
    the newer database comes back, and lists all that it did."""
    weights, points, _ = expected(place(folder, "a"), **KEEP)
    daemon = started(place(folder, "b"))
    daemon.post("/runs", body(**KEEP))
    old = stands(daemon, 50)
    copy_database(daemon, "old.db")
    daemon.start()
    new = stands(daemon, old + 150)
    copy_database(daemon, "new.db")
    on_disk = sealed(daemon)
    put_back(daemon, "old.db")
    daemon.start()
    assert sealed(daemon) == on_disk and listed(daemon) == on_disk, (sealed(daemon), on_disk)
    newest = daemon.get("/runs/r/checkpoints")["items"][0]
    assert (newest["step"], newest["n_layer"]) == (new, 2) and newest["kind"] in ("pause", "periodic"), newest
    adopted = of_type(daemon, "checkpoint.adopted")
    assert {e["message"][-10:] for e in adopted} == {name[-10:] for name in on_disk}, adopted
    gap = [e for e in of_type(daemon, "system.warning") if "has no losses of the steps" in e["message"]]
    assert len(gap) == 1 and f"{old + 1} to {new}" in gap[0]["message"], gap
    data = daemon.request("GET", f"/api/v1/checkpoints/{newest['id']}/files/model.safetensors")
    assert data[0] == 200 and len(data[2]) == next(f["n_bytes"] for f in newest["files"]
                                                   if f["name"] == "model.safetensors")
    daemon.post("/runs/r/resume")
    completed(daemon)
    with open(daemon.log_path) as f:
        started_from = [line for line in f if "trains from step" in line][-1].strip()
    assert started_from.endswith(f"from step {new} on"), started_from
    assert daemon.final_weights("r") == weights
    mine = daemon.points("r")
    same_points(mine, {s: v for s, v in points.items() if s <= old or s > new}, "all but the gap")
    daemon.terminate()
    put_back(daemon, "new.db")
    daemon.start()
    on_disk = sealed(daemon)
    assert listed(daemon) == plain(on_disk), on_disk
    daemon.post("/runs/r/resume")
    completed(daemon)
    assert daemon.final_weights("r") == weights
    assert of_type(daemon, "checkpoint.damaged") == []
    daemon.terminate()


def an_older_database_does_not_know_the_growth(folder):
    """Put back from before a growth that waits, from before it was asked for, and from the middle of its probes: what
    comes behind it is set aside, and the run goes through it again to the same bits. Nothing is lost on the way back to
    the newer database."""
    changes = {"checkpoint": {"every_steps": 20, "keep_last": 30}, "schedule": {"max_steps": 400}}
    weights, points, n_layer = expected(place(folder, "a"), GROWTH, **changes)
    assert n_layer == 3
    for moment in ("waiting", "unasked", "probing"):
        daemon = started(place(folder, moment))
        daemon.post("/runs", body(on_crash="pause", **changes))
        if moment != "unasked":
            growth = daemon.post("/runs/r/growths", GROWTH)["id"]
        if moment == "probing":
            daemon.post("/runs/r/resume")
            daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == "probing", pace=0.001)
            daemon.kill()
            daemon.start()  # copies the log into the file
            daemon.terminate()
        else:
            daemon.terminate()
        copy_database(daemon, "old.db")
        daemon.start()
        if moment == "unasked":
            daemon.post("/runs/r/growths", GROWTH)
        stands(daemon, 150)
        copy_database(daemon, "new.db")
        on_disk = sealed(daemon)
        put_back(daemon, "old.db")
        daemon.start()
        behind = {name for name in on_disk if int(name.split("-")[1]) > 60}
        assert sealed(daemon) == {name + ".aside" if name in behind else name for name in on_disk}, sealed(daemon)
        assert listed(daemon) == on_disk - behind
        told = [e for e in of_type(daemon, "system.warning") if "set aside" in e["message"]]
        assert len(told) == len(behind) and len(behind) > 3, (told, behind)
        if moment == "unasked":
            assert daemon.get("/runs/r/checkpoints")["items"][0]["step"] == 60
            daemon.post("/runs/r/growths", GROWTH)
        daemon.post("/runs/r/resume")
        completed(daemon)
        assert daemon.final_weights("r") == weights, moment
        daemon.terminate()
        put_back(daemon, "new.db")
        daemon.start()
        assert on_disk <= sealed(daemon) and on_disk <= listed(daemon), moment
        daemon.post("/runs/r/resume")
        completed(daemon)
        assert daemon.final_weights("r") == weights, moment
        assert not of_type(daemon, "checkpoint.damaged")
        daemon.terminate()


def set_aside(daemon):
    return [name for name in os.listdir(glob.glob(daemon.state_dir + "/runs/run_*")[0]) if ".aside" in name]


def a_crash_before_the_row_leaves_nothing(folder):
    """Killed between the folder of a growth's end and its row, once or twice, and then while that is removed: the run
    comes to the same state again, and nothing stays set aside."""
    if not lagd.has_failpoints():
        return
    changes = {"checkpoint": {"every_steps": 1000}, "schedule": {"max_steps": 100}}
    weights, points, n_layer = expected(place(folder, "whole"), GROWTH, **changes)
    for i, kills in enumerate((["checkpoint.row@2"], ["checkpoint.row@2", "checkpoint.row@1"],
                               ["checkpoint.row@2", "growth.after_apply@1"],
                               ["checkpoint.row@2", "aside.marked@1", "folder.unsealed@1"])):
        daemon = started(place(folder, str(i)))
        daemon.post("/runs", body(**changes))
        daemon.post("/runs/r/growths", GROWTH)
        daemon.terminate()
        for kill in kills:
            daemon.start(failpoints=kill.replace("@", "=kill@"))
            try:
                if daemon.get("/runs/r")["state"] == "paused":
                    daemon.post("/runs/r/resume")
            except (OSError, lagd.http.client.HTTPException):
                pass
            assert lagd.until(lambda: not daemon.alive(), 30), kill
        daemon.start()
        completed(daemon)
        assert not set_aside(daemon) and sealed(daemon) == listed(daemon), set_aside(daemon)
        with open(daemon.log_path) as f:
            log = f.read()
        assert "its deletion had begun" in log or "the run has come to the same state again" in log, log
        assert daemon.get("/runs/r")["model"]["n_layer"] == n_layer
        assert daemon.final_weights("r") == weights
        same_points(daemon.points("r"), points, kills)
        daemon.terminate()


def the_folder_is_away_at_a_start(folder):
    """runs/ is not mounted, then one run's folder, then every file in it: the run waits, its rows stay, and it goes on
    once they are back."""
    weights, points, _ = expected(place(folder, "a"), **KEEP)
    daemon = started(place(folder, "b"))
    daemon.post("/runs", body(**KEEP))
    stands(daemon, 50)
    runs = daemon.state_dir + "/runs"
    run = glob.glob(runs + "/run_*")[0]
    checkpoint = max(glob.glob(run + "/ckpt-*"))
    on_disk = sealed(daemon)
    for away in ([runs], [run], [runs, run], glob.glob(run + "/ckpt-*"), glob.glob(run + "/ckpt-*/*")):
        for path in reversed(away):
            os.rename(path, daemon.folder + "/" + path.replace("/", "_"))
        if away == [runs, run]:
            os.mkdir(runs)  # an empty mount point
            away = [run]
            shutil.rmtree(daemon.folder + "/" + runs.replace("/", "_"))
        daemon.start()
        rows = daemon.get("/runs/r/checkpoints")["items"]
        assert len(rows) == len(on_disk), rows
        daemon.post("/runs/r/resume")
        paused = daemon.wait_for("/runs/r", lambda r: r["state"] == "paused" and "not there" in r.get("reason", ""))
        assert "put them back" in paused["reason"], paused
        status, _, answer = daemon.request("GET", f"/api/v1/checkpoints/{rows[0]['id']}/files/model.safetensors")
        assert status == 409 and b"not there" in answer, answer
        status, _, answer = daemon.request("POST", "/api/v1/runs/r/generate", {"prompt": "And", "n_tokens": 4})
        assert status == 409 and b"not there" in answer, answer
        assert daemon.get("/runs/r/checkpoints")["items"] == rows
        daemon.terminate()
        for path in away:
            if os.path.isdir(path):
                shutil.rmtree(path)
            os.rename(daemon.folder + "/" + path.replace("/", "_"), path)
        assert sealed(daemon) == on_disk and os.path.isdir(checkpoint)
    daemon.start()
    daemon.post("/runs/r/resume")
    completed(daemon)
    assert daemon.final_weights("r") == weights
    same_points(daemon.points("r"), points, "after its folder was away")
    assert not of_type(daemon, "checkpoint.damaged")
    daemon.terminate()


def found_by_a_start(daemon):
    """Steps of the checkpoints that are listed once a start has looked at the disk, and before a run trains on."""
    daemon.start(failpoints="run.after_step=kill@1")

    def ended():
        try:
            return not daemon.alive() or daemon.get("/runs/r")["state"] in ("paused", "completed")
        except (OSError, http.client.HTTPException):
            return False
    assert lagd.until(ended, 30), daemon.log()
    daemon.kill()
    db = sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db"))
    try:
        return [step for step, in db.execute("SELECT step FROM checkpoints")]
    finally:
        db.close()


def a_commit_fails(folder):
    """With keep_last 1, after an error whose outcome is not known: committed or not, the run goes on from a checkpoint
    that it had, nothing that is listed is missing, and the numbers are the same."""
    if not lagd.has_failpoints():
        return
    changes = {"checkpoint": {"every_steps": 10, "keep_last": 1}, "schedule": {"kind": "constant", "max_steps": 100}}
    weights, points, _ = expected(place(folder, "a"), **changes)
    hit = 0
    for point in ("store.commit_io", "store.commit_unknown"):
        for n in (4, 6, 8, 11, 15):
            daemon = started(place(folder, f"{point}-{n}"))
            daemon.post("/runs", body(**changes))
            daemon.terminate()
            daemon.start(failpoints=f"{point}=fail@{n}")
            try:
                daemon.post("/runs/r/resume")
            except lagd.Problem:
                pass
            lagd.until(lambda: daemon.request("GET", "/readyz")[0] != 200 or
                       daemon.get("/runs/r")["state"] == "completed", 30)
            time.sleep(0.05)
            daemon.kill()
            on_disk = plain(sealed(daemon))
            newest = max((int(name.split("-")[1]) for name in on_disk), default=0)
            steps = found_by_a_start(daemon)
            assert max(steps, default=0) == newest, (point, n, steps, on_disk)
            daemon.start()
            if daemon.get("/runs/r")["state"] == "paused":
                daemon.post("/runs/r/resume")
            completed(daemon)
            assert daemon.final_weights("r") == weights, (point, n)
            same_points(daemon.points("r"), points, f"{point} {n}")
            # old ones go a moment after the last one is listed
            assert lagd.until(lambda: len(daemon.get("/runs/r/checkpoints")["items"]) == 1, 10), (point, n)
            for file in daemon.get("/runs/r/checkpoints")["items"][0]["files"]:
                assert daemon.request("GET", file["href"])[0] == 200, (point, n, file)
            assert not of_type(daemon, "checkpoint.damaged")
            hit += newest > 0
            daemon.terminate()
    assert hit >= 3, hit


def what_was_deleted_does_not_come_back(folder):
    """kill -9 while a checkpoint or a run is deleted, once its row has gone: a start leaves nothing of it. An older
    database that is put back then knows a run whose files are gone, and waits for them."""
    if not lagd.has_failpoints():
        return
    for point, what in (("checkpoint.unlisted", "checkpoint"), ("folder.unsealed", "checkpoint"),
                        ("fs.before_last", "checkpoint"), ("run.deleted", "run"), ("fs.before_last", "run")):
        daemon = started(place(folder, f"{what}-{point}"))
        daemon.post("/runs", body(checkpoint={"every_steps": 20, "keep_last": 30}))
        stands(daemon, 100)
        copy_database(daemon, "old.db")
        on_disk = sealed(daemon)
        daemon.start(failpoints=f"{point}=kill")
        oldest = daemon.get("/runs/r/checkpoints")["items"][-1]["id"]
        try:
            daemon.call("DELETE", f"/checkpoints/{oldest}" if what == "checkpoint" else "/runs/r")
        except (OSError, lagd.http.client.HTTPException):
            daemon.process.wait(lagd.slow(20))
        daemon.kill()
        daemon.start()
        left = sealed(daemon)
        if what == "checkpoint":
            assert left == {name for name in on_disk if name[-10:] != oldest[-10:]}, (point, left)
            assert listed(daemon) == left and len(os.listdir(glob.glob(daemon.state_dir + "/runs/*")[0])) == len(left)
            assert not glob.glob(daemon.state_dir + "/runs/*/*/.unlisted"), point
        else:
            assert not left and not daemon.get("/runs")["items"] and not os.listdir(daemon.state_dir + "/runs"), point
        daemon.terminate()
        if what == "run":
            put_back(daemon, "old.db")
            daemon.start()
            daemon.post("/runs/r/resume")
            daemon.wait_for("/runs/r", lambda r: r["state"] == "paused" and "not there" in r.get("reason", ""))
            for checkpoint in daemon.get("/runs/r/checkpoints")["items"]:  # the way to begin anew
                daemon.call("DELETE", f"/checkpoints/{checkpoint['id']}")
            daemon.post("/runs/r/resume")
            completed(daemon)
            daemon.terminate()


def what_is_not_lagds_stays(folder):
    """uploads/ is emptied of what lagd itself left there, and of nothing else; no link is gone through."""
    daemon = started(folder)
    daemon.post("/runs", body())
    daemon.terminate()
    precious = os.path.join(folder, "precious")
    own = "req_01m8epk0000000000000000000.part"
    os.mkdir(precious)
    for name in (own, "letter.txt"):
        with open(os.path.join(precious, name), "w") as f:
            f.write("dear")
    uploads = os.path.join(daemon.state_dir, "uploads")
    os.makedirs(uploads, exist_ok=True)
    for name in (own, "thesis.txt", "req_short.part", own[:-1]):
        with open(os.path.join(uploads, name), "w") as f:
            f.write("dear")
    os.symlink(os.path.join(precious, "letter.txt"), os.path.join(uploads, "req_01m8epk0000000000000000001.part"))
    os.link(os.path.join(precious, "letter.txt"), os.path.join(uploads, "req_01m8epk0000000000000000002.part"))
    os.mkdir(os.path.join(uploads, "req_01m8epk0000000000000000003.part"))
    daemon.start()
    left = sorted(os.listdir(uploads))
    assert own not in left and len(left) == 6, left
    daemon.terminate()
    shutil.rmtree(uploads)
    for kind in ("uploads", "runs", "datasets"):
        there = os.path.join(daemon.state_dir, kind)
        aside = os.path.join(folder, kind)
        if os.path.isdir(there):
            os.rename(there, aside)
        else:
            os.mkdir(aside)
        for name in (own, "run_01m8epk0000000000000000000", "ds_01m8epk0000000000000000000"):
            os.mkdir(os.path.join(aside, name)) if "." not in name else open(os.path.join(aside, name), "w").close()
            if "." not in name:
                open(os.path.join(aside, name, ".unlisted"), "w").close()
        os.symlink(aside, there)
        before = sorted(os.listdir(aside))
        daemon.start()
        assert sorted(os.listdir(aside)) == before, kind
        daemon.terminate()
        with open(daemon.log_path) as f:
            assert f"/{kind} is not tidied: it is a link" in f.read(), kind
        os.unlink(there)
        os.rename(aside, there)


if __name__ == "__main__":
    lagd.main(an_older_database_is_put_back, an_older_database_does_not_know_the_growth,
              a_crash_before_the_row_leaves_nothing, the_folder_is_away_at_a_start, a_commit_fails,
              what_was_deleted_does_not_come_back, what_is_not_lagds_stays)
