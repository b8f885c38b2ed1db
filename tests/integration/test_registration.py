"""The registration of a large file is a job: asked for, looked at, ended, and gone on with after a crash."""
import hashlib
import http.client
import os
import resource
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

MIB = 1 << 20
LARGE = 65 * MIB  # above what a request waits for by itself
TOKENS = {"format": "nanogpt", "vocab_size": 500}


def opened(folder, failpoints=None):
    data = os.path.join(folder, "data")
    os.makedirs(data)
    daemon = Daemon(folder, config=f"[storage]\ndataset_roots = {data}\n")
    daemon.start(failpoints=failpoints)
    return daemon, data


def make(path, n_bytes=None, late=b""):
    """A text, and a hole behind it that is read as zeros; late: bytes near its end."""
    with open(path, "wb") as f:
        f.write(lagd.text().encode())
        if n_bytes:
            f.truncate(n_bytes)
        if late:
            f.seek(n_bytes - MIB)
            f.write(late)


def make_tokens(path, late=b""):
    with open(path, "wb") as f:
        f.truncate(LARGE)
        f.seek(LARGE - MIB)
        f.write(late)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while chunk := f.read(MIB):
            digest.update(chunk)
    return digest.hexdigest()


def post(daemon, name, path, query="", key=None, **more):
    headers = {"Idempotency-Key": key} if key else None
    status, headers, data = daemon.request("POST", f"/api/v1/datasets{query}", {"name": name, "path": path, **more},
                                           headers)
    return status, headers, lagd.json.loads(data)


def refused(daemon, status, method, path, body=None):
    try:
        daemon.call(method, path, body)
    except lagd.Problem as problem:
        assert problem.status == status, (problem.status, problem.body)
        return problem.body
    raise AssertionError(f"{method} {path} was not refused")


def told(daemon, name):
    return [e["state"] for e in daemon.events() if e["type"] == "dataset.state"
            and e["message"].split(":")[0] == name]


def a_large_file_is_a_job(folder):
    daemon, data = opened(folder)
    path = os.path.join(data, "big.txt")
    make(path, LARGE)
    status, headers, made = post(daemon, "big", "big.txt", key="k")
    assert status == 202 and headers["Location"] == f"/api/v1/datasets/{made['id']}", (status, headers)
    assert (made["state"], made["n_bytes"], made["n_tokens"], made["max_id"], made["sha256"]) == \
        ("registering", LARGE, None, None, None), made
    ready = daemon.wait_for("/datasets/big", lambda d: d["state"] == "ready")
    assert (ready["n_tokens"], ready["n_bytes_done"], ready["vocab_size"], ready["reason"]) == (LARGE, LARGE, 256, None)
    assert ready["sha256"] == sha256(path)
    assert told(daemon, "big") == ["registering"]
    assert [e["message"] for e in daemon.events() if e["type"] == "dataset.added"] == ["big"]
    status, headers, again = post(daemon, "big", "big.txt", key="k")
    assert status == 202 and again["id"] == made["id"] and headers["Idempotency-Replayed"] == "true"
    assert post(daemon, "again", "big.txt", "?wait=60")[0] == 201  # who says so waits for a large one as well
    make(os.path.join(data, "small.txt"))
    assert post(daemon, "small", "small.txt")[0] == 201
    assert post(daemon, "now", "small.txt", "?wait=0")[0] in (201, 202)
    daemon.terminate()


def others_are_not_held_up(folder):
    if not lagd.has_failpoints():
        return
    daemon, data = opened(folder, "dataset.chunk=sleep:4000@2")
    make(os.path.join(data, "big.txt"), LARGE)
    make(os.path.join(data, "small.txt"))
    assert post(daemon, "big", "big.txt")[0] == 202
    asked = time.monotonic()
    for name in ("big", "other"):  # the same name, and the same file by another name
        problem = refused(daemon, 409, "POST", "/datasets", {"name": name, "path": "big.txt"})
        assert problem["type"].endswith("name-taken") and "being registered already" in problem["detail"], problem
    assert post(daemon, "small", "small.txt")[0] == 201
    daemon.post("/runs", run_body("r", "small"))
    problem = refused(daemon, 409, "POST", "/runs", run_body("on-big", "big"))
    assert "still being registered" in problem["detail"] and problem["errors"][0]["pointer"] == "#/dataset", problem
    refused(daemon, 409, "POST", "/runs?dry_run=true", run_body("on-big", "big"))
    assert daemon.get("/datasets/big")["state"] == "registering"
    assert time.monotonic() - asked < lagd.slow(3.5), "it took as long as the large file"
    daemon.wait_for("/datasets/big", lambda d: d["state"] == "ready")
    daemon.post("/runs", run_body("on-big", "big"))
    for name in ("r", "on-big"):
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    daemon.terminate()


def a_person_ends_it(folder):
    if not lagd.has_failpoints():
        return
    daemon, data = opened(folder, "dataset.chunk=sleep:1500@1,dataset.chunk=sleep:1500@2")
    make(os.path.join(data, "big.txt"), LARGE)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(post(daemon, "big", "big.txt", "?wait=60")))
    waiting.start()
    daemon_has = lambda name: name in [d["name"] for d in daemon.get("/datasets")["items"]]
    lagd.until(lambda: daemon_has("big"), 20)
    daemon.call("DELETE", "/datasets/big")
    refused(daemon, 404, "GET", "/datasets/big")
    waiting.join()
    assert answers[0][0] == 409 and "deleted while it was being registered" in answers[0][2]["detail"], answers
    assert os.path.exists(os.path.join(data, "big.txt"))
    # An upload goes with its file.
    status, _, body = daemon.request("POST", "/api/v1/datasets?name=sent&wait=0", lagd.text(),
                                     {"Content-Type": "text/plain"})
    sent = lagd.json.loads(body)
    assert (status, sent["state"]) == (202, "registering"), sent
    assert os.path.isdir(os.path.join(daemon.state_dir, "datasets", sent["id"]))
    daemon.call("DELETE", f"/datasets/{sent['id']}")
    assert not os.path.exists(os.path.join(daemon.state_dir, "datasets", sent["id"]))
    assert post(daemon, "big", "big.txt", "?wait=60")[0] == 201
    assert told(daemon, "big") == [] and told(daemon, "sent") == ["registering"]  # who waits is answered
    daemon.terminate()


def it_goes_on_after_a_crash(folder):
    if not lagd.has_failpoints():
        return
    daemon, data = opened(folder, "dataset.chunk=kill@20")
    path = os.path.join(data, "big.txt")
    make(path, LARGE)
    assert post(daemon, "big", "big.txt")[0] == 202
    daemon.process.wait(lagd.slow(30))
    daemon.start(failpoints="dataset.scanned=kill")
    daemon.process.wait(lagd.slow(30))
    daemon.start(failpoints="dataset.chunk=sleep:20000@3")  # an orderly stop ends it within a part of the file
    lagd.until(lambda: daemon.get("/datasets/big")["state"] == "registering", 10)
    daemon.terminate()
    daemon.start()
    ready = daemon.wait_for("/datasets/big", lambda d: d["state"] == "ready")
    assert ready["sha256"] == sha256(path) and told(daemon, "big") == ["registering"], ready
    daemon.terminate()
    # A small upload whose request was cut off: its answer was lost, the dataset is not.
    daemon.start(failpoints="dataset.scan=kill")
    try:
        daemon.upload("sent", lagd.text())
    except (OSError, http.client.HTTPException):
        daemon.process.wait(lagd.slow(20))
    daemon.start()
    assert daemon.wait_for("/datasets/sent", lambda d: d["state"] == "ready")["n_tokens"] == len(lagd.text())
    # And a file that is gone by the time of the restart.
    daemon.terminate()
    daemon.start(failpoints="dataset.chunk=kill")
    make(os.path.join(data, "gone.txt"), LARGE)
    assert post(daemon, "gone", "gone.txt")[0] == 202
    daemon.process.wait(lagd.slow(30))
    os.unlink(os.path.join(data, "gone.txt"))
    daemon.start()
    gone = daemon.get("/datasets/gone")
    assert gone["state"] == "failed" and "gone.txt" in gone["reason"], gone
    daemon.terminate()


def one_that_is_refused_says_why(folder):
    daemon, data = opened(folder)
    path = os.path.join(data, "t.bin")
    make_tokens(path, late=b"\xff\xff")
    # Nobody waits: the row tells.
    assert post(daemon, "t", "t.bin", **TOKENS)[0] == 202
    lagd.until(lambda: daemon.get("/datasets/t")["state"] != "registering", 60)
    failed = daemon.get("/datasets/t")
    assert failed["state"] == "failed" and "ids must be below 500" in failed["reason"], failed
    assert told(daemon, "t") == ["registering", "failed"]
    assert "ids must be below 500" in refused(daemon, 409, "POST", "/runs", run_body("r", "t"))["detail"]
    # Who waits is told, and nothing is left behind.
    problem = post(daemon, "waited", "t.bin", "?wait=60", **TOKENS)
    assert problem[0] == 422 and "ids must be below 500" in problem[2]["detail"], problem
    refused(daemon, 404, "GET", "/datasets/waited")
    # What its beginning tells is told at once.
    make(os.path.join(data, "z.txt"), LARGE)
    with open(os.path.join(data, "z.txt"), "r+b") as f:
        f.write(b"\x1f\x8b\x08\x00\0\0\0\0\0\x03")  # as gzip begins
    problem = post(daemon, "z", "z.txt")
    assert problem[0] == 422, problem
    # A failed one gives its name up.
    make_tokens(path)
    assert post(daemon, "t", "t.bin", "?wait=60", **TOKENS)[0] == 201
    assert [d["name"] for d in daemon.get("/datasets")["items"]] == ["t"]
    # A failed upload takes its file with it.
    query = "?name=sent&wait=0&format=nanogpt&vocab_size=3&file_name=s.bin"
    status, _, body = daemon.request("POST", f"/api/v1/datasets{query}", b"\0\0" * (300 << 10) + b"\5\0",
                                     {"Content-Type": "application/octet-stream"})
    assert status == 202, body
    lagd.until(lambda: daemon.get("/datasets/sent")["state"] == "failed", 20)
    id = daemon.get("/datasets/sent")["id"]
    lagd.until(lambda: not os.path.exists(os.path.join(daemon.state_dir, "datasets", id)), 10)
    daemon.call("DELETE", "/datasets/sent")
    refused(daemon, 404, "GET", "/datasets/sent")
    daemon.terminate()


def it_waits_for_what_comes_back(folder):
    """Memory that is short, and a disk that is full: nothing that was taken is given up, and lagd is not stuck."""
    if not lagd.has_failpoints():
        return
    daemon = Daemon(folder)
    daemon.start(failpoints="dataset.no_memory=fail,dataset.scanned=sleep:1000",
                 env={"WATCHDOG_USEC": "1000000", "LAGD_PATIENCE_MS": "1500"})
    status, _, body = daemon.request("POST", "/api/v1/datasets?name=sent&wait=0", lagd.text(),
                                     {"Content-Type": "text/plain"})
    assert status == 202, body
    n_log = os.path.getsize(daemon.log_path) + 4096  # what it says still fits
    assert os.path.getsize(daemon.state_dir + "/lagd.db-wal") > n_log
    hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (n_log, hard))
    lagd.until(lambda: "waiting until it works again" in daemon.log(), 20)
    time.sleep(3)
    assert "waits to be read" in daemon.log() and "makes no progress" not in daemon.log(), daemon.log()
    assert daemon.get("/datasets/sent")["state"] == "registering"
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    sent = daemon.wait_for("/datasets/sent", lambda d: d["state"] != "registering")
    assert sent["state"] == "ready" and sent["n_tokens"] == len(lagd.text()), sent
    daemon.terminate()


def one_that_cannot_begin_was_not_asked(folder):
    """There is no memory for its job: who asks again, with the same key, gets what he asked for."""
    if not lagd.has_failpoints():
        return
    daemon = Daemon(folder)
    daemon.start(failpoints="dataset.begin=fail")
    for name, query in (("small", ""), ("later", "&wait=-1")):
        answers = [daemon.request("POST", f"/api/v1/datasets?name={name}{query}", lagd.text(),
                                  {"Content-Type": "text/plain", "Idempotency-Key": name}) for _ in range(2)]
        assert name == "later" or answers[0][0] >= 400, answers
        assert answers[1][0] in (201, 202), answers
        found = daemon.wait_for(f"/datasets/{name}", lambda d: d["state"] != "registering")
        assert found["state"] == "ready", found
        daemon.kill()
        daemon.start(failpoints="dataset.begin=fail" if name == "later" else None)
    assert len(os.listdir(daemon.state_dir + "/datasets")) == 2
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_large_file_is_a_job, others_are_not_held_up, a_person_ends_it, it_goes_on_after_a_crash,
              one_that_is_refused_says_why, it_waits_for_what_comes_back, one_that_cannot_begin_was_not_asked)
