"""lagd as a process: signals, locks, flags, configuration, sockets, bad state directories."""
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body, slow, until


def run_lagd(*args, env=None, timeout=20):
    done = subprocess.run([lagd.LAGD, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=slow(timeout),
                          env=dict(os.environ, **(env or {})))
    assert not lagd.is_report(done.stderr), done.stderr
    return done.returncode, done.stdout, done.stderr


# Not over before the test has done what it does meanwhile.
ENDLESS = {"target": {"n_layer": 4}, "probe": {"steps": 100000, "eval_every": 10000}, "pool": ["stack", "midas"]}


def sigterm_checkpoints_and_ends(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    # the shape of README's tour, grown
    body = run_body("busy", "words", model={"n_layer": 6, "n_head": 4, "n_embd": 128, "n_positions": 64},
                    batch={"sequences": 12}, schedule={"max_steps": 100000})
    daemon.post("/runs", body)
    for _ in range(3):
        before = daemon.wait_for("/runs/busy", lambda r: r["state"] == "running" and r["step"] >= 3)["step"]
        seconds = daemon.terminate()
        assert seconds < slow(5), f"SIGTERM took {seconds:.1f} s"
        daemon.start()
        run = daemon.get("/runs/busy")
        assert run["step"] >= before, (run["step"], before)
        daemon.wait_for("/runs/busy", lambda r: r["state"] == "running" and r["step"] > before)
    daemon.post("/runs/busy/cancel")
    daemon.terminate()


def sigterm_while_probing(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("busy", "words", schedule={"max_steps": 10**6}, start=False))
    growth = daemon.post("/runs/busy/growths", ENDLESS)["id"]
    daemon.post("/runs/busy/resume")
    daemon.wait_for("/runs/busy", lambda r: r["state"] == "growing")
    assert daemon.terminate() < slow(5)
    daemon.start()
    daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == "probing")
    daemon.post(f"/growths/{growth}/cancel")
    daemon.wait_for("/runs/busy", lambda r: r["state"] == "running" and r["step"] > 1)
    daemon.post("/runs/busy/cancel")
    daemon.terminate()


def growth_cancelled_while_its_run_opens(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("busy", "words", schedule={"max_steps": 10**6}, start=False))
    growth = daemon.post("/runs/busy/growths", ENDLESS)["id"]
    daemon.post("/runs/busy/resume")
    daemon.wait_for("/runs/busy", lambda r: r["state"] == "growing")
    daemon.terminate()
    daemon.start(failpoints="run.opened=sleep:700")
    daemon.post(f"/growths/{growth}/cancel")
    daemon.wait_for("/runs/busy", lambda r: r["state"] == "running" and r["step"] > 1, timeout=20)
    daemon.post("/runs/busy/cancel")
    daemon.terminate()


def second_daemon_is_refused(folder):
    daemon = Daemon(folder)
    daemon.start()
    status, _, error = run_lagd("--state-dir", daemon.state_dir, "--listen", "127.0.0.1:0", "--socket", "")
    assert status == 75, (status, error)
    assert str(daemon.process.pid) in error, error
    daemon.kill()
    daemon.start()  # the lock dies with its holder, the stale socket is replaced
    daemon.terminate()


def sighup_reloads(folder):
    path = os.path.join(folder, "lagd.conf")
    with open(path, "w") as f:
        f.write("[log]\nlevel = info\n")
    daemon = Daemon(folder, "--config", path)
    daemon.start()
    with open(path, "w") as f:
        f.write("[log]\nlevel = debug\n")
    daemon.process.send_signal(signal.SIGHUP)
    assert until(lambda: "reload" in daemon.log(), 10), daemon.log()
    with open(path, "w") as f:
        f.write("[log]\nlevle = debug\n")
    daemon.process.send_signal(signal.SIGHUP)
    assert until(lambda: "lagd.conf:2" in daemon.log(), 10) and daemon.alive(), daemon.log()
    daemon.terminate()


def bad_flags_and_configuration(folder):
    assert run_lagd("--help")[0] == 0 and "--state-dir" in run_lagd("--help")[1]
    assert run_lagd("--version")[1].startswith("lagd ")
    assert run_lagd("--no-such-flag")[0] == 2
    path = os.path.join(folder, "bad.conf")
    for text, told in (("[server]\nport = 1\n", "bad.conf:2"), ("[train]\nthreads = many\n", "bad.conf:2"),
                       ("[nowhere]\nx = 1\n", "bad.conf:2")):
        with open(path, "w") as f:
            f.write(text)
        status, _, error = run_lagd("--config", path, "--state-dir", os.path.join(folder, "s"))
        assert status == 78 and told in error, (status, error)
    status, out, error = run_lagd("--check-config", env={"LAGD_TRAIN_MAXRUNS": "3"})
    assert status == 0 and "good" in out, (status, out)
    assert "LAGD_TRAIN_MAXRUNS" in error and "did you mean LAGD_TRAIN_MAX_RUNS?" in error, error
    misspelt = Daemon(os.path.join(folder, "misspelt"))
    os.mkdir(misspelt.folder)
    misspelt.start(env={"LAGD_TRAIN_MAXRUNS": "3"})
    assert "did you mean LAGD_TRAIN_MAX_RUNS?" in misspelt.log(), misspelt.log()
    misspelt.terminate()
    status, _, error = run_lagd("--state-dir", os.path.join(folder, "s"), "--listen", "0.0.0.0:0")
    assert status == 78 and "token" in error, (status, error)
    blocker = os.path.join(folder, "file")
    open(blocker, "w").close()
    status, _, error = run_lagd("--state-dir", os.path.join(blocker, "s"), "--listen", "127.0.0.1:0", "--socket", "")
    assert status in (1, 78) and blocker in error, (status, error)


def port_in_use_is_told(folder):
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen()
    port = holder.getsockname()[1]
    status, _, error = run_lagd("--state-dir", os.path.join(folder, "s"), "--listen", f"127.0.0.1:{port}", "--socket",
                                "")
    assert status == 1 and f"127.0.0.1:{port}" in error, (status, error)
    holder.close()


def damaged_database_is_refused(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.terminate()
    path = os.path.join(daemon.state_dir, "lagd.db")
    data = open(path, "rb").read()
    with open(path, "wb") as f:
        f.write(b"not a database at all" + data[21:])
    status, _, error = run_lagd("--state-dir", daemon.state_dir, "--listen", "127.0.0.1:0", "--socket", "")
    assert status == 1 and "lagd.db" in error, (status, error)
    with open(path, "wb") as f:
        f.write(data)
    # A page of rows: the file opens, and the check at the start finds it. Nothing of the state directory changes.
    with closing(sqlite3.connect(path)) as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").fetchone()[0]
    damaged = bytearray(data)
    damaged[(page - 1) * 4096:(page - 1) * 4096 + 8] = b"\xff" * 8
    with open(path, "wb") as f:
        f.write(damaged)
    status, _, error = run_lagd("--state-dir", daemon.state_dir, "--listen", "127.0.0.1:0", "--socket", "")
    assert status == 1 and "lagd.db is damaged" in error and "restore lagd.db from a backup" in error, (status, error)
    assert open(path, "rb").read() == damaged
    with open(path, "wb") as f:
        f.write(data)
    daemon.start()
    assert daemon.get("/datasets")["items"]
    daemon.terminate()


def damaged_checkpoint_falls_back(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("a", "words", schedule={"max_steps": 2000}))
    daemon.post("/runs", run_body("b", "words", schedule={"max_steps": 2000}))
    daemon.wait_for("/runs/a", lambda r: r["step"] >= 50)
    daemon.post("/runs/a/pause")
    daemon.wait_for("/runs/a", lambda r: r["state"] == "paused")
    daemon.wait_for("/runs/b", lambda r: r["state"] == "completed")
    newest = daemon.get("/runs/a/checkpoints")["items"][0]
    daemon.terminate()
    folder = os.path.join(daemon.state_dir, "runs", newest["run"])
    places = [name for name in os.listdir(folder) if name.endswith(newest["id"][-10:])]
    assert len(places) == 1, (newest, os.listdir(folder))
    path = os.path.join(folder, places[0], "model.safetensors")
    data = bytearray(open(path, "rb").read())
    data[len(data) // 2] ^= 4
    open(path, "wb").write(data)
    daemon.start()
    daemon.post("/runs/a/resume")
    daemon.wait_for("/runs/a", lambda r: r["state"] == "completed")
    assert daemon.final_weights("a") == daemon.final_weights("b")
    assert any("damaged" in (e.get("message") or "") + e["type"] for e in daemon.events()), daemon.events()
    daemon.terminate()


def closed_descriptors_are_filled(folder):
    """A descriptor of 0 to 2 that is closed at the start is nobody else's: no lock, database or socket gets the log."""
    for number, closed in enumerate(("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-")):
        daemon = Daemon(os.path.join(folder, str(number)))
        os.mkdir(daemon.folder)
        plain = daemon.command()
        daemon.command = lambda: ["sh", "-c", f'exec "$0" "$@" {closed}', *plain]
        daemon.start()
        daemon.upload("words", lagd.text())
        with open(os.path.join(daemon.state_dir, "lagd.lock")) as lock:
            assert lock.read().strip() == str(daemon.process.pid), closed
        targets = [os.readlink(f"/proc/{daemon.process.pid}/fd/{fd}") for fd in range(3)]
        for fd in range(3):
            assert (targets[fd] == "/dev/null") == (f"{fd}<&-" in closed or f"{fd}>&-" in closed or fd == 0), targets
        daemon.terminate()
        client = os.environ.get("LAGCTL") or os.path.join(os.path.dirname(lagd.LAGD), "cli", "lagctl")
        assert subprocess.run(["sh", "-c", f'exec "$0" --version {closed}', client], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=slow(20), check=False).returncode == 0, closed


if __name__ == "__main__":
    lagd.main(sigterm_checkpoints_and_ends, sigterm_while_probing,
              growth_cancelled_while_its_run_opens, second_daemon_is_refused, sighup_reloads,
              bad_flags_and_configuration, port_in_use_is_told, damaged_database_is_refused,
              damaged_checkpoint_falls_back, closed_descriptors_are_filled)
