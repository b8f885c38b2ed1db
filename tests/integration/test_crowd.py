"""Clients cannot lock others out: who waits, brings much, reads much or dawdles has places of its own."""
import json
import os
import socket
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body, until

N_POINTS = 60000  # more than are read beside small answers


def port(daemon):
    with open(daemon.log_path, errors="replace") as f:
        return int(f.read().rsplit("listening on http://127.0.0.1:", 1)[1].split()[0])


def dial(daemon, text):
    connection = socket.create_connection(("127.0.0.1", port(daemon)), timeout=lagd.slow(60))
    connection.sendall(text.encode())
    return connection


def metric(daemon, line):
    text = daemon.request("GET", "/metrics")[2].decode()
    return next(float(row.rsplit(" ", 1)[1]) for row in text.splitlines() if row.startswith(line + " "))


def busy(answer):
    status, headers, data = answer
    problem = json.loads(data)
    assert status == 503 and headers["Retry-After"] == "1", answer
    assert problem["type"].endswith("/busy") and "server/max_" in problem["detail"], problem
    return problem["detail"]


def waits_have_places(folder):
    daemon = Daemon(folder, config="[server]\nmax_waits = 3\n")
    daemon.start()
    ask = "GET /api/v1/events?wait=60&topics=growth HTTP/1.1\r\nHost: localhost\r\n\r\n"
    waiting = [dial(daemon, ask) for _ in range(3)]
    assert until(lambda: metric(daemon, 'lagd_http_places_used{kind="wait"}') == 3, 20)
    assert "max_waits" in busy(daemon.request("GET", "/api/v1/events?wait=60&topics=growth"))
    assert daemon.request("GET", "/api/v1/events?topics=growth")[0] == 200
    assert metric(daemon, 'lagd_http_refused_total{kind="wait"}') == 1
    waiting.pop().close()  # nobody is told, but it is seen
    assert until(lambda: metric(daemon, 'lagd_http_places_used{kind="wait"}') == 2, 20)
    status, _, data = daemon.request("GET", "/api/v1/events?wait=1&topics=growth")
    assert (status, data) == (200, b"")
    daemon.terminate()


def uploads_have_places(folder):
    daemon = Daemon(folder, config="[server]\nmax_uploads = 2\n")
    daemon.start()
    head = "POST /api/v1/datasets?name=slow{} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
    head += "Content-Length: 5000\r\n\r\na"
    slow = [dial(daemon, head.format(i)) for i in range(2)]
    assert until(lambda: metric(daemon, 'lagd_http_places_used{kind="upload"}') == 2, 20)
    assert "max_uploads" in busy(daemon.request("POST", "/api/v1/datasets?name=more", lagd.text(3000),
                                                {"Content-Type": "text/plain"}))
    trickling = dial(daemon, head.format(2))  # one that is refused and does not come to its end is not waited for
    trickling.settimeout(lagd.slow(8))
    assert trickling.recv(1000) == b""
    assert until(lambda: metric(daemon, 'lagd_http_cut_total{why="slow"}') >= 1, 20)
    slow[0].sendall(b"b" * 4999)
    assert slow[0].recv(100).startswith(b"HTTP/1.1 201"), "an upload with a place is refused"
    daemon.upload("more", lagd.text(3000))
    assert not os.listdir(os.path.join(daemon.state_dir, "uploads")) or slow[1].close() is None
    daemon.terminate()


def downloads_have_places(folder):
    """Who does not read on keeps a place, and nothing else."""
    daemon = Daemon(folder, config="[server]\nmax_downloads = 1\n")
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("big", "words", model={"n_layer": 4, "n_head": 4, "n_embd": 256},
                                  schedule={"max_steps": 1, "warmup_steps": 0}))
    daemon.wait_for("/runs/big", lambda r: r["state"] == "completed")
    newest = daemon.get("/runs/big/checkpoints")["items"][0]["id"]
    path = f"/api/v1/checkpoints/{newest}/files/optimizer.safetensors"
    reader = dial(daemon, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert reader.recv(100).startswith(b"HTTP/1.1 200")
    for other in (path, f"/api/v1/checkpoints/{newest}/archive.tar", "/api/v1/runs/big/export"):
        assert "max_downloads" in busy(daemon.request("GET", other))
    assert daemon.request("GET", "/api/v1/runs/big")[0] == 200
    reader.close()
    assert until(lambda: metric(daemon, 'lagd_http_places_used{kind="download"}') == 0, 20)
    assert len(daemon.points("big")) == 2
    assert len(daemon.request("GET", path)[2]) > 10000000
    daemon.terminate()


def with_points(folder, config):
    """A run that has ended, with a long series."""
    daemon = Daemon(folder, config=config)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("long", "words", schedule={"max_steps": 20}))
    daemon.wait_for("/runs/long", lambda r: r["state"] == "completed")
    daemon.terminate()
    db = sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db"))
    with db:
        db.execute("INSERT INTO series (owner, key, exact, n_points, first_step, last_step, last_value) "
                   "SELECT id, 'made/up', 0, ?, 1, ?, ? FROM runs", (N_POINTS, N_POINTS, N_POINTS))
        db.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO points "
                   "SELECT (SELECT id FROM series WHERE key = 'made/up'), i, i FROM n", (N_POINTS,))
    db.close()
    return daemon


def small_answers_pass_heavy_ones(folder):
    daemon = with_points(folder, "[server]\nmax_reads = 1\n")
    daemon.start("http.aside=sleep:4000")  # the first one takes that long
    heavy = "/api/v1/runs/long/series?key=made/up&max_points=10"
    answers, asking = [], []

    def ask():
        answers.append(daemon.request("GET", heavy))
    for n in range(9):  # one is worked on, eight wait
        asking.append(threading.Thread(target=ask))
        asking[-1].start()
        assert until(lambda n=n: metric(daemon, 'lagd_http_places_used{kind="read"}') == n + 1, 20) or answers
    busy(daemon.request("GET", heavy))
    busy(daemon.request("GET", "/api/v1/compare?runs=long&series=made/up"))
    assert len(daemon.get("/runs/long/series?key=train/loss")["step"]) == 20
    assert len(daemon.get("/runs/long/series?key=made/up&from=10&to=19")["step"]) == 10
    assert not answers, "small requests waited for heavy ones"
    for thread in asking:
        thread.join()
    for status, _, data in answers:
        told = json.loads(data)
        assert status == 200 and told["points_total"] == N_POINTS and told["points_returned"] == 10, (status, told)
        assert told["series"]["made/up"]["last"][-1] == N_POINTS, told
    told = daemon.get("/compare?runs=long&series=made/up&max_points=5")
    assert told["runs"][0]["metrics"]["made/up"]["last"] == N_POINTS, told
    assert until(lambda: metric(daemon, 'lagd_http_places_used{kind="read"}') == 0, 20)
    daemon.terminate()


def heavy_work_for_nobody_is_broken_off(folder):
    daemon = with_points(folder, "[server]\nmax_reads = 1\n")
    daemon.start("http.aside=sleep:3000")
    ask = "GET /api/v1/compare?runs=long&series=made/up HTTP/1.1\r\nHost: localhost\r\n\r\n"
    crowd = [dial(daemon, ask) for _ in range(4)]
    assert until(lambda: metric(daemon, 'lagd_http_places_used{kind="read"}') == 4, 20)
    for connection in crowd:
        connection.close()
    assert until(lambda: metric(daemon, 'lagd_http_places_used{kind="read"}') == 0, 20)
    assert daemon.request("GET", "/api/v1/compare?runs=long&series=made/up")[0] == 200
    thread = threading.Thread(target=lambda: daemon.request("GET", "/api/v1/compare?runs=long&series=made/up"))
    thread.start()
    daemon.terminate()  # also with some under way
    thread.join()


def files_are_left_for_checkpoints(folder):
    """Few files may be open, and clients take all the connections there are: training goes on."""
    daemon = Daemon(folder)
    command = daemon.command()
    daemon.command = lambda: ["prlimit", "--nofile=100:200", *command]
    daemon.start()
    with open(f"/proc/{daemon.process.pid}/limits") as f:
        assert next(line.split()[3:5] for line in f if line.startswith("Max open files")) == ["200", "200"]
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 100000}, checkpoint={"every_steps": 20}))
    crowd = []
    for _ in range(300):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", port(daemon)))
        crowd.append(connection)
    step = daemon.get("/runs/one")["step"]
    daemon.wait_for("/runs/one", lambda r: r["step"] >= step + 100)
    newest = daemon.get("/runs/one/checkpoints")["items"][0]
    assert newest["step"] >= step, newest
    for connection in crowd:
        connection.close()
    log = daemon.log()
    assert "Too many open files" not in log and "open files are allowed" in log, log
    assert dial(daemon, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").recv(100).startswith(b"HTTP/1.1 200")
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(waits_have_places, uploads_have_places, downloads_have_places, files_are_left_for_checkpoints,
              small_answers_pass_heavy_ones, heavy_work_for_nobody_is_broken_off)
