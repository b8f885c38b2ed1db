"""A state directory is a unit: it can be moved, copied and backed up while runs train, and what lies in it is all that
they need. Files that go away or change under lagd, or while it is down, are noticed."""
import glob
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon

STEPS = 300


def body(name, **more):
    return lagd.run_body(name, "words", schedule={"max_steps": STEPS}, checkpoint={"every_steps": 20}, **more)


def begun(folder, at_step=60):
    """A daemon that was stopped amid a run of an uploaded dataset."""
    os.makedirs(folder, exist_ok=True)
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", body("first"))
    daemon.wait_for("/runs/first", lambda r: r["step"] >= at_step)
    daemon.terminate()
    return daemon


def open_datasets(daemon):
    folder = f"/proc/{daemon.process.pid}/fd"
    links = []
    for name in os.listdir(folder):
        try:
            links.append(os.readlink(f"{folder}/{name}"))
        except OSError:  # closed meanwhile
            pass
    return [link for link in links if "/datasets/" in link]


def completed(daemon, name="first"):
    run = daemon.wait_for(f"/runs/{name}", lambda r: r["state"] in ("completed", "paused"))
    assert run["state"] == "completed" and run["step"] == STEPS, run


def moved_and_copied(folder):
    """Both go on to the same bits; the copy reads nothing of the original, which may go away."""
    daemon = begun(os.path.join(folder, "a"))
    copy = Daemon(os.path.join(folder, "b"))
    os.makedirs(copy.folder)
    shutil.copytree(daemon.state_dir, copy.state_dir)
    elsewhere = os.path.join(folder, "a", "elsewhere")
    os.rename(daemon.state_dir, elsewhere)
    daemon.state_dir = elsewhere
    for one in (daemon, copy):
        one.start()
        one.wait_for("/runs/first", lambda r: r["step"] >= 100)
        links = open_datasets(one)
        assert all(link.startswith(one.state_dir + "/") for link in links), links
    for one in (daemon, copy):
        completed(one)
    assert daemon.points("first") == copy.points("first") and len(daemon.points("first")) == STEPS + 1
    assert daemon.final_weights("first") == copy.final_weights("first")
    dataset = copy.get("/datasets/words")
    copy.call("DELETE", "/runs/first")
    copy.call("DELETE", "/datasets/words")
    assert not os.path.exists(f"{copy.state_dir}/datasets/{dataset['id']}")
    assert os.listdir(f"{daemon.state_dir}/datasets/{dataset['id']}")
    for one in (daemon, copy):
        one.terminate()


def verb(daemon, *words):
    """(status, what it said)"""
    done = subprocess.run([lagd.LAGD, "--state-dir", daemon.state_dir, *words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=lagd.slow(120))
    return done.returncode, done.stdout + done.stderr


def restored(folder, backup):
    """A daemon that works in the backup as it is."""
    os.makedirs(folder)
    daemon = Daemon(folder)
    daemon.state_dir = backup
    daemon.start()
    return daemon


def backup_while_training(folder):
    """Taken at any moment, also while checkpoints come and go and while the run grows, each goes on to the same
    bits."""
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", lagd.run_body("first", "words", schedule={"max_steps": STEPS}, start=False,
                                       checkpoint={"every_steps": 5, "keep_last": 1}))
    growth = daemon.post("/runs/first/growths", {"target": {"n_layer": 4}, "when": {"at_step": 100}, "mode": "auto",
                                                 "probe": {"steps": 20, "eval_every": 10}, "pool": ["stack", "midas"]})
    daemon.post("/runs/first/resume")
    backups = []
    for at in (lambda: daemon.get("/runs/first")["step"] >= 20,
               lambda: daemon.get(f"/growths/{growth['id']}")["state"] == "probing",
               lambda: daemon.get("/runs/first")["step"] >= 180):
        assert lagd.until(at, 60), daemon.log()
        backups.append(os.path.join(folder, f"backup{len(backups)}"))
        status, said = verb(daemon, "backup", backups[-1] + "/")
        assert status == 0 and "is a whole state directory" in said, (status, said)
        assert sorted(os.listdir(backups[-1])) == ["datasets", "lagd.db", "runs"], os.listdir(backups[-1])
    completed(daemon)
    expected = daemon.points("first"), daemon.final_weights("first")
    daemon.terminate()
    shutil.rmtree(daemon.state_dir)  # nothing of it is needed
    for i, backup in enumerate(backups):
        one = restored(os.path.join(folder, f"restored{i}"), backup)
        completed(one)
        lagd.same_points(one.points("first"), expected[0], f"backup {i}")
        assert one.final_weights("first") == expected[1], i
        one.terminate()
    assert sorted(glob.glob(folder + "/*unfinished*")) == []


def backup_refuses(folder):
    daemon = begun(folder)
    place = os.path.join(folder, "there")
    os.makedirs(place)
    assert verb(daemon, "backup", place)[0] == 0  # an empty one is fine, and nobody need be at work
    assert "is not an empty folder" in verb(daemon, "backup", place)[1]
    assert "lies in the state directory" in verb(daemon, "backup", daemon.state_dir + "/b")[1]
    assert verb(daemon, "backup") == (2, verb(daemon, "backup")[1]) and "needs DIR" in verb(daemon, "backup")[1]
    # What a killed one left is cleared away; what is not of a backup stays.
    other = os.path.join(folder, "other")
    os.makedirs(other + ".unfinished")
    open(other + ".unfinished/mine", "w").close()
    status, said = verb(daemon, "backup", other)
    assert status == 1 and "no backup of lagd" in said and os.path.exists(other + ".unfinished/mine"), said
    open(other + ".unfinished/BACKUP-NOT-FINISHED", "w").close()
    assert verb(daemon, "backup", other)[0] == 0 and not os.path.exists(other + ".unfinished")
    # A checkpoint that is damaged where it lies is left out, and the rest is good.
    models = sorted(glob.glob(daemon.state_dir + "/runs/*/ckpt-*/model.safetensors"))
    with open(models[-1], "r+b") as f:
        f.seek(-100, 2)
        f.write(b"damage")
    status, said = verb(daemon, "backup", os.path.join(folder, "parts"))
    assert status == 3 and "left out checkpoint ckpt_" in said and "SHA-256" in said, (status, said)
    left = sorted(glob.glob(folder + "/parts/runs/*/ckpt-*/model.safetensors"))
    assert [p.split("/runs/")[1] for p in left] == [p.split("/runs/")[1] for p in models[:-1]] and left
    one = restored(os.path.join(folder, "restored"), os.path.join(folder, "parts"))
    completed(one)
    one.terminate()


def what_the_power_left_goes(folder):
    """A file of speeds that was being written; what is not lagd's stays."""
    daemon = Daemon(folder)
    daemon.start()
    daemon.terminate()
    left, other = (os.path.join(daemon.state_dir, name) for name in (".speeds.tmpAb12cD", ".mine"))
    for path in (left, other):
        open(path, "w").close()
    daemon.start()
    assert not os.path.exists(left) and os.path.exists(other), os.listdir(daemon.state_dir)
    daemon.terminate()


def a_backup_misses_no_failed_upload(folder):
    """One that could not be registered has no file: nothing is left out for it."""
    daemon = lagd.started(folder)
    query = "?name=no&wait=0&format=nanogpt&vocab_size=3&file_name=n.bin"
    status, _, body = daemon.request("POST", f"/api/v1/datasets{query}", b"\0\0" * (300 << 10) + b"\5\0",
                                     {"Content-Type": "application/octet-stream"})
    assert status == 202, body
    lagd.until(lambda: daemon.get("/datasets/no")["state"] == "failed", 20)
    status, said = verb(daemon, "backup", os.path.join(folder, "whole"))
    assert status == 0 and "1 uploads" in said and "left out" not in said, (status, said)
    daemon.terminate()


def backup_stops(folder):
    """A signal ends it, and leaves nothing."""
    daemon = Daemon(folder)
    daemon.start()
    daemon.call("POST", "/datasets?name=large", lagd.text(300) * 300000, {"Content-Type": "text/plain"})
    place = os.path.join(folder, "b")
    process = subprocess.Popen([lagd.LAGD, "--state-dir", daemon.state_dir, "backup", place], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if lagd.until(lambda: os.path.exists(place + ".unfinished/lagd.db") or process.poll() is not None, 30):
        process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=lagd.slow(60))[0].decode()
    if process.returncode:  # else it was quicker than the signal
        assert process.returncode == 1 and "interrupted" in said, (process.returncode, said)
        assert not os.path.exists(place)
    assert not os.path.exists(place + ".unfinished")
    daemon.terminate()


def refused_write(daemon):
    status, _, data = daemon.request("PATCH", "/api/v1/runs/first", {"note": str(time.monotonic())})
    return status, data.decode()


def lost(daemon, name, what):
    """Readiness and writes tell it, and lagd stops by itself, in order."""
    def is_ready():
        return daemon.request("GET", "/readyz")[0] == 200
    assert lagd.until(lambda: not is_ready(), 30), daemon.log()
    _, _, data = daemon.request("GET", "/readyz")
    assert f"{name} was {what}".encode() in data, data
    status, said = refused_write(daemon)
    assert status == 503 and f"{name} was {what}" in said and "storage-failed" in said, (status, said)
    daemon.process.wait(lagd.slow(60))
    assert daemon.process.returncode == 1 and "Runs write a checkpoint, then lagd stops" in daemon.log()


def long_run(folder):
    daemon = lagd.started(folder)
    daemon.post("/runs", lagd.run_body("first", "words", schedule={"max_steps": 100000},
                                       checkpoint={"every_steps": 1000000}))
    daemon.wait_for("/runs/first", lambda r: r["step"] >= 30)
    return daemon


def files_are_removed(folder):
    """The database, its log, its index: 503, a checkpoint of every run, the end."""
    for name in ("lagd.db", "lagd.db-wal", "lagd.db-shm"):
        os.mkdir(os.path.join(folder, name))
        daemon = long_run(os.path.join(folder, name))
        os.unlink(f"{daemon.state_dir}/{name}")
        lost(daemon, name, "removed")
        assert glob.glob(daemon.state_dir + "/runs/*/ckpt-*/manifest.json"), os.listdir(daemon.state_dir)


def a_removed_lock(folder):
    """It admits no second daemon; the first one tells and stops, and the run goes on at the next start."""
    daemon = long_run(folder)
    os.unlink(daemon.state_dir + "/lagd.lock")
    second = subprocess.run([lagd.LAGD, "--state-dir", daemon.state_dir, "--listen", "127.0.0.1:0", "--socket",
                             folder + "/second"], capture_output=True, text=True, timeout=lagd.slow(30))
    assert second.returncode == 75 and "is in use by lagd" in second.stderr, second
    lost(daemon, "lagd.lock", "removed while")
    daemon.start()
    daemon.wait_for("/runs/first", lambda r: r["step"] >= 60)
    daemon.terminate()


def a_backup_put_back_under_it(folder):
    """cp over the open database, or mv: what is there then is what the next start goes on from."""
    daemon = begun(folder)
    shutil.copy(daemon.state_dir + "/lagd.db", folder + "/old.db")
    daemon.start()
    daemon.post("/runs", body("second", start=False))
    daemon.terminate()  # the log goes into the file
    daemon.start()
    daemon.wait_for("/runs/first", lambda r: r["state"] == "completed")
    shutil.copy(folder + "/old.db", daemon.state_dir + "/lagd.db")
    lost(daemon, "lagd.db", "overwritten while")
    # That file beside the log of later days is not read together; recovery goes on from the backup.
    daemon.spawn()
    assert daemon.process.wait(lagd.slow(30)) == 1 and "'lagd recover'" in daemon.log(), daemon.log()
    status, said = verb(daemon, "recover")
    assert status == 0 and "The log is not used" in said and "is whole" in said, (status, said)
    daemon.start()
    completed(daemon)
    daemon.terminate()


def a_flipped_bit_in_the_log(folder):
    """After kill -9, anywhere in what was acknowledged: refused, told, untouched; recovery goes on from what is whole,
    and the run to the bits that it would have had."""
    daemon = begun(folder)
    daemon.start()
    completed(daemon)
    expected = daemon.points("first"), daemon.final_weights("first")
    daemon.terminate()
    shutil.rmtree(daemon.state_dir)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", body("first"))
    daemon.wait_for("/runs/first", lambda r: r["step"] >= 100)
    daemon.kill()
    log = daemon.state_dir + "/lagd.db-wal"
    with open(daemon.state_dir + "/lagd.db-mark") as f:
        n_frames = int(f.read().split("frames=")[1].split()[0])  # acknowledged
    shutil.copytree(daemon.state_dir, folder + "/killed")
    assert n_frames > 20
    for n in (0, n_frames // 2):  # frames from the end
        shutil.rmtree(daemon.state_dir)
        shutil.copytree(folder + "/killed", daemon.state_dir)
        with open(log, "r+b") as f:
            f.seek(32 + (n_frames - 1 - n) * 4120 + 300)
            byte = f.read(1)
            f.seek(-1, 1)
            f.write(bytes([byte[0] ^ 8]))
        with open(log, "rb") as f:
            before = f.read()
        daemon.spawn()
        assert daemon.process.wait(lagd.slow(30)) == 1 and "acknowledged. Nothing was changed." in daemon.log(), \
            daemon.log()
        with open(log, "rb") as f:
            assert f.read() == before
        status, said = verb(daemon, "recover")
        assert status == 0 and "up to its damage" in said, (status, said)
        assert len(glob.glob(daemon.state_dir + "/*.before-recovery-*")) == 2
        assert "nothing to recover" in verb(daemon, "recover")[1]
        daemon.start()
        completed(daemon)
        points = daemon.points("first")  # a checkpoint that was taken in may lie behind points that were lost
        assert STEPS in points and all(points[step] == expected[0][step] for step in points), points
        assert daemon.final_weights("first") == expected[1]
        daemon.terminate()


def a_damaged_row_harms_no_other(folder):
    """What can be read of a stored configuration is shown, what cannot is told; lists and other runs are as ever."""
    daemon = lagd.started(folder)
    for name in ("good", "bad"):
        daemon.post("/runs", lagd.run_body(name, "words", schedule={"max_steps": 40}))
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    before = {name: daemon.get(f"/runs/{name}") for name in ("good", "bad")}
    daemon.post("/runs", lagd.run_body("idle", "words", start=False))
    growth = daemon.post("/runs/idle/growths", {"target": {"n_layer": 3}, "when": {"at_step": 50}})["id"]
    daemon.terminate()
    path = daemon.state_dir + "/lagd.db"
    with closing(sqlite3.connect(path)) as db:
        whole = db.execute("SELECT config FROM runs WHERE name = 'bad'").fetchone()[0]
    line = "schedule/max_steps=40"
    assert line + "\n" in whole
    for text, told in (("noise", "expected path=value (got 'noise')"), (None, "is required"),
                       (whole.replace(line, "schedule/max_steps=99999999999999999999"), "schedule/max_steps must be"),
                       (whole.replace(line, "schedule/max_steps=-5"), "schedule/max_steps must be"),
                       (whole + "later/field=1\n", "unknown field later/field")):
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE runs SET config = ?, step = -9223372036854775808 WHERE name = 'bad'", (text,))
            db.execute("UPDATE growths SET request = 'noise'")
        daemon.start()
        listed = {run["name"]: run for run in daemon.get("/runs")["items"]}
        assert listed["good"] == daemon.get("/runs/good") == before["good"] and "damaged" not in before["good"]
        assert [g["id"] for g in daemon.get("/growths")["items"]] == [growth]
        bad = daemon.get("/runs/bad")
        assert bad == listed["bad"] and told in bad["damaged"] and bad["state"] == "completed", bad
        if text and text != "noise":
            assert bad["optim"] == before["bad"]["optim"] and bad["model"] == before["bad"]["model"]
        daemon.terminate()


if __name__ == "__main__":
    lagd.main(moved_and_copied, backup_while_training, backup_refuses, what_the_power_left_goes,
              a_backup_misses_no_failed_upload, backup_stops,
              files_are_removed, a_removed_lock, a_backup_put_back_under_it, a_flipped_bit_in_the_log,
              a_damaged_row_harms_no_other)
