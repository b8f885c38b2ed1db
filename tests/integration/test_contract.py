"""The HTTP contract of a real daemon: framing, hosts, origins, methods, limits, problems, schema, pages, files,
metrics."""
import hashlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hf_folder
import lagd
from lagd import Daemon, run_body, slow, until


def raw(port, data, timeout=5):
    """Sends bytes, returns what comes back until the peer closes or stays silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=slow(timeout)) as s:
        s.sendall(data)
        s.settimeout(slow(1.5))
        out = b""
        try:
            while True:
                block = s.recv(65536)
                if not block:
                    break
                out += block
        except (socket.timeout, ConnectionResetError):
            pass
        return out


def statuses(answer):
    return [int(s) for s in re.findall(rb"HTTP/1\.[01] (\d{3})", answer)]


def ready(folder, *flags, config=None):
    daemon = Daemon(folder, *flags, config=config)
    daemon.start()
    return daemon, daemon.port()


def framing_is_guarded(folder):
    daemon, port = ready(folder)
    host = f"Host: 127.0.0.1:{port}\r\n".encode()
    post = b"POST /api/v1/runs HTTP/1.1\r\n" + host
    smuggled = b"GET /api/v1/version HTTP/1.1\r\n" + host + b"\r\n"
    bad = [
        post + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + smuggled,
        post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
        post + b"Transfer-Encoding: gzip\r\n\r\n{}" + smuggled,
        post + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + smuggled,
        post + b"Content-Length : 3\r\n\r\n{} " + smuggled,
        post + b"Content-Length: +2\r\n\r\n{}" + smuggled,
        post + b"Content-Length: 0x2\r\n\r\n{}" + smuggled,
        b"GET /api/v1/version HTTP/1.1\r\n" + host + host + b"\r\n",
        b"GET /api/v1/version HTTP/1.1\r\n\r\n",
        b"GET http://evil/api/v1/version HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /api/v1/%00version HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /api\\v1 HTTP/1.1\r\n" + host + b"\r\n",
        b"POST /api/v1/runs HTTP/1.0\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ]
    for data in bad:
        got = statuses(raw(port, data))
        # Lengths that libmicrohttpd 0.9.75 refuses itself come with their status line twice, before one closing.
        own = b"Content-Length: +" in data or b"Content-Length: 0x" in data
        assert 1 <= len(got) <= 1 + own and set(got) <= {400, 405, 411, 501}, (data[:120], got)
    for name in (b"evil.example", b"localhost.evil.example", b"127.0.0.1.nip.io", b"169.254.1.1"):
        got = statuses(raw(port, b"GET /api/v1/version HTTP/1.1\r\nHost: " + name + b"\r\n\r\n"))
        assert got == [421], (name, got)
    for name in (b"localhost", b"LOCALHOST:7437", b"127.0.0.1", b"[::1]:80"):
        got = statuses(raw(port, b"GET /api/v1/version HTTP/1.1\r\nHost: " + name + b"\r\nConnection: close\r\n\r\n"))
        assert got == [200], (name, got)
    assert statuses(raw(port, b"GET /api/v1/version HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")) == [200]
    daemon.terminate()


def methods_origins_and_types(folder):
    daemon, port = ready(folder)
    host = f"Host: 127.0.0.1:{port}\r\n".encode()
    for method in (b"BREW", b"PROPFIND", b"PUT", b"TRACE"):
        answer = raw(port, method + b" /api/v1/runs HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
        assert statuses(answer) == [405] and b"\r\nAllow: " in answer, (method, answer[:200])
    checks = [
        ("POST", {"Sec-Fetch-Site": "cross-site"}, 403), ("POST", {"Origin": "http://evil.example"}, 403),
        ("POST", {"Origin": "null"}, 403), ("POST", {"Sec-Fetch-Site": "same-origin"}, 404), ("POST", {}, 404),
    ]
    for method, headers, status in checks:
        got = daemon.request(method, "/api/v1/runs/nobody/pause", headers=headers)
        assert got[0] == status, (headers, got)
        assert got[1]["Content-Type"].startswith("application/problem+json"), got
        body = json.loads(got[2])
        assert body["status"] == status and body["request_id"] and body["title"], body
    got = daemon.request("POST", "/api/v1/runs", "{}", {"Content-Type": "text/plain"})
    assert got[0] == 415, got
    got = daemon.request("POST", "/api/v1/runs", b" " * 70000, {"Content-Type": "application/json"})
    assert got[0] == 413, got
    for body in (b"[" * 5000, b'{"name":"a","name":"b"}', b'{"seed":1e999}', b'{"seed":99999999999999999999}',
                 b'{"name":"\xff"}',
                 b"[]", b"null", b"", b'{"seed":1.5}', b'{"seed":"1"}', b'{"schedule":{"max_steps":-5}}',
                 b'{"seed":9223372036854775808}'):
        got = daemon.request("POST", "/api/v1/runs", body, {"Content-Type": "application/json"})
        assert got[0] in (400, 422), (body[:40], got)
        assert json.loads(got[2])["detail"], got
    for path in ("/", "/nowhere", "/api/v1/nowhere", "/api/v2/runs", "/api/v1/runs/x/y/z",
                 "/api/v1/checkpoints/x/files/..%2f..%2fetc%2fpasswd"):
        got = daemon.request("GET", path)
        assert got[0] == 404 or path == "/", (path, got)
        assert got[1]["X-Content-Type-Options"] == "nosniff" and got[1]["Referrer-Policy"] == "no-referrer", got
    got = daemon.request("HEAD", "/api/v1/version")
    assert got[0] == 200 and got[2] == b""
    got = daemon.request("GET", "/api/v1/runs?limit=x")
    assert got[0] == 400, got
    daemon.terminate()


def configuration_tells_where_it_is_from(folder):
    daemon = lagd.Daemon(folder, config="[train]\nmax_runs = 3\n[storage]\nkeep_checkpoints = 5\n")
    daemon.start(env={"LAGD_STORAGE_MIN_FREE_BYTES": "1M"})
    keys = {item["key"]: item for item in daemon.get("/config")["items"]}

    def told(key):
        return tuple(keys[key][name] for name in ("value", "source", "where", "reloadable", "waiting"))
    path = os.path.join(folder, "lagd.conf")
    assert told("train/max_runs") == ("3", "file", path + ":2", True, False), told("train/max_runs")
    assert told("storage/keep_checkpoints") == ("5", "file", path + ":4", False,
                                                False), told("storage/keep_checkpoints")
    assert told("storage/min_free_bytes")[1:4] == ("environment", "LAGD_STORAGE_MIN_FREE_BYTES", False)
    assert told("server/listen") == ("127.0.0.1:0", "flag", None, False, False), told("server/listen")
    assert told("log/level") == ("info", "default", None, True, False), told("log/level")
    with open(path, "w") as f:
        f.write("[storage]\nkeep_checkpoints = 9\n[train]\n\nmax_runs = 4\n")
    daemon.process.send_signal(signal.SIGHUP)
    assert lagd.until(lambda: daemon.get("/config")["train"]["max_runs"] == 4, 10)
    keys = {item["key"]: item for item in daemon.get("/config")["items"]}
    assert told("train/max_runs") == ("4", "file", path + ":5", True, False), told("train/max_runs")
    assert told("storage/keep_checkpoints") == ("5", "file", path + ":4", False, True), told("storage/keep_checkpoints")
    daemon.terminate()


def schema_holds(folder):
    import jsonschema
    daemon, _ = ready(folder, config=f"[storage]\ndataset_roots = {folder}\n")
    doc = daemon.get("/openapi.json")
    assert doc["openapi"].startswith("3.1")
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            assert method in ("get", "post", "put", "delete", "patch"), (path, method)
            assert operation["summary"] and operation["responses"], (path, method)
            for name in re.findall(r"{(\w+)}", path):
                assert any(p["name"] == name for p in operation.get("parameters", [])), (path, name)
    jsonschema.Draft202012Validator.check_schema({"$defs": doc["components"]["schemas"]})
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 30}, start=False))
    daemon.post("/runs/one/growths", {"target": {"n_layer": 3}, "when": {"at_step": 10},
                                      "probe": {"steps": 4, "eval_every": 2}, "pool": ["stack", "midas"]})
    daemon.post("/runs/one/resume")
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    growth = daemon.get("/growths")["items"][0]["id"]
    candidate = daemon.get(f"/growths/{growth}/candidates")["items"][0]["id"]
    checkpoint = daemon.get("/runs/one/checkpoints")["items"][0]["id"]
    parent = next(c["id"] for c in daemon.get("/runs/one/checkpoints")["items"] if c["kind"] == "pre_growth")
    daemon.post("/studies", {"name": "two", "parent": {"run": "one", "checkpoint": parent}, "target": {"n_layer": 3},
                             "pool": ["stack", "midas", "random"], "horizon": 60, "eval": {"batches": 2}})
    daemon.wait_for("/studies/two", lambda s: s["state"] == "completed")
    fill = {"{study}": "two", "{r}": "one", "{run}": "one", "{g}": growth, "{growth}": growth, "{k}": candidate,
            "{candidate}": candidate,
            "{c}": checkpoint, "{checkpoint}": checkpoint, "{d}": "words", "{dataset}": "words", "{slug}": "validation",
            "{name}": "config.json", "{model}": "brought", "{tokenizer}": "made"}
    hf_folder.write(os.path.join(folder, "gpt2"), hf_folder.files_of(hf_folder.FOLDERS["f16"]))
    daemon.post("/models", {"name": "brought", "path": "gpt2"})
    daemon.wait_for("/models/brought", lambda m: m["state"] == "ready")
    daemon.post("/tokenizers", {"name": "made", "train": {"dataset": "words", "vocab_size": 300}})
    daemon.wait_for("/tokenizers/made", lambda t: t["state"] == "ready")
    daemon.post("/runs", run_body("planned", "words", start=False, schedule={"max_steps": 1000}))
    stages = [{"target": {"n_layer": 3 + i}, "trigger": trigger, "pool": pool}
              for i, (trigger, pool) in enumerate((({"step": 40}, "default"), ({"slope": {"below": 1}}, ["stack"])))]
    plan = {"$ref": "#/components/schemas/Plan", "components": doc["components"]}
    jsonschema.Draft202012Validator(plan).validate(daemon.call("PUT", "/runs/planned/plan", {"stages": stages}))
    checked = 0
    for path, item in doc["paths"].items():
        if "get" not in item:
            continue
        url = path
        for key, value in fill.items():
            url = url.replace(key, value)
        assert "{" not in url, url
        if "/tokenizers/" in url:
            url = url.replace("config.json", "tokenizer.json")
        if url.endswith("/series"):
            url += "?key=cpu/share" if "/system/" in url else "?key=val/loss"
        if url.endswith("/compare"):
            url += "?runs=one"
        status, headers, data = daemon.request("GET", url)
        assert status == 200, (url, status, data[:300])
        declared = item["get"]["responses"]["200"].get("content", {})
        kind = headers["Content-Type"].split(";")[0]
        assert not declared or kind in declared, (url, kind, list(declared))
        schema = declared.get(kind, {}).get("schema")
        if schema and kind == "application/json":
            # $ref points into the document itself
            whole = {**json.loads(json.dumps(schema)), "components": doc["components"]}
            jsonschema.Draft202012Validator(whole).validate(json.loads(data))
            checked += 1
    assert checked >= 12, checked
    daemon.terminate()


def datasets_below_the_roots_only(folder):
    roots = os.path.join(folder, "texts")
    os.mkdir(roots)
    secret = os.path.join(folder, "secret.txt")
    for path in (secret, os.path.join(roots, "good.txt")):
        with open(path, "w") as f:
            f.write(lagd.text(5000))
    os.symlink(secret, os.path.join(roots, "link.txt"))
    os.mkfifo(os.path.join(roots, "fifo"))
    daemon, _ = ready(folder, config=f"[storage]\ndataset_roots = {roots}\n")
    for path in (secret, "../secret.txt", "link.txt", "fifo", roots + "/../secret.txt", "missing.txt", "/etc/passwd",
                 ""):
        got = daemon.request("POST", "/api/v1/datasets", {"name": "x", "path": path})
        assert got[0] in (400, 404, 422), (path, got)
        assert json.loads(got[2])["detail"]
    made = daemon.post("/datasets", {"name": "good", "path": "good.txt"})
    assert made["n_tokens"] == 5000 and made["sha256"] == hashlib.sha256(lagd.text(5000).encode()).hexdigest()
    got = daemon.request("POST", "/api/v1/datasets", {"name": "good", "path": "good.txt"})
    assert got[0] == 409, got
    # nanoGPT and llm.c token files as they are
    import array
    ids = array.array("H", [(i * 7) % 300 for i in range(4000)])
    with open(os.path.join(roots, "train.bin"), "wb") as f:
        ids.tofile(f)
    header = array.array("i", [20240520, 1, 4000] + [0] * 253)
    with open(os.path.join(roots, "shard.bin"), "wb") as f:
        header.tofile(f)
        ids.tofile(f)
    with open(os.path.join(roots, "short.bin"), "wb") as f:
        header.tofile(f)
        ids[:100].tofile(f)
    a = daemon.post("/datasets", {"name": "nano", "path": "train.bin"})
    b = daemon.post("/datasets", {"name": "llmc", "path": "shard.bin"})
    assert (a["format"], a["n_tokens"], a["max_id"]) == ("nanogpt", 4000, 299), a
    assert (b["format"], b["n_tokens"]) == ("llmc_u16", 4000), b
    got = daemon.request("POST", "/api/v1/datasets", {"name": "short", "path": "short.bin"})
    assert got[0] == 422 and b"short.bin" in got[2], got
    # what is no training data is refused by name, and tokens of another width with the likely one
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d7a2146" * 8 + b"\nsize 1234567\n"
    wide = array.array("I", [(i * 7) % 500 for i in range(3000)])
    for name, data, says in (("pointer.txt", pointer, b"Git LFS"), ("pointer.bin", pointer[:-1], b"Git LFS"),
                             ("model.txt", b"GGUF" + bytes(2000), b"GGUF"), ("WIDE.BIN", wide.tobytes(), b"uint32")):
        with open(os.path.join(roots, name), "wb") as f:
            f.write(data)
        got = daemon.request("POST", "/api/v1/datasets", {"name": name, "path": name})
        assert got[0] == 422 and says in got[2] and name.encode() in got[2], got
        got = daemon.request("POST", f"/api/v1/datasets?name={name}&file_name={name}", data,
                             {"Content-Type": "application/octet-stream"})
        assert got[0] == 422 and says in got[2], got
    made = daemon.post("/datasets", {"name": "wide", "path": "WIDE.BIN", "format": "u32"})
    assert (made["format"], made["n_tokens"], made["max_id"]) == ("u32", 3000, 499), made
    made = daemon.post("/datasets", {"name": "model", "path": "model.txt", "format": "text"})
    assert made["format"] == "text", made
    # uploads
    got = daemon.request("POST", "/api/v1/datasets?name=small", "tiny", {"Content-Type": "text/plain"})
    assert got[0] == 422, got
    big = (lagd.text(100000) * 30).encode()
    made = daemon.call("POST", "/datasets?name=big", big, {"Content-Type": "application/octet-stream"})
    assert made["n_bytes"] == len(big) and made["sha256"] == hashlib.sha256(big).hexdigest()
    assert not os.listdir(os.path.join(daemon.state_dir, "uploads"))
    daemon.call("DELETE", "/datasets/big")
    daemon.terminate()


def upload_over_the_limit(folder):
    daemon, port = ready(folder, config="[server]\nupload_limit_bytes = 1M\n")
    # told before the body is sent, to a client that asks as curl does
    head = b"POST /api/v1/datasets?name=big HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
    assert statuses(raw(port, head + b"Content-Length: 1200000\r\nExpect: 100-continue\r\n\r\n")) == [413]
    # and when the length is not told before
    with socket.create_connection(("127.0.0.1", port)) as s:
        answer = b""
        try:
            s.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(20):
                s.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
            s.sendall(b"0\r\n\r\n")
            answer = s.recv(4096)
        except OSError:
            pass
        assert not answer or statuses(answer) == [413], answer
    # an upload that breaks off leaves nothing
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"POST /api/v1/datasets?name=half HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                  b"Content-Length: 900000\r\n\r\n" + b"x" * 1000)
        time.sleep(slow(0.2))
    assert until(lambda: not os.listdir(os.path.join(daemon.state_dir, "uploads")), 10)
    daemon.terminate()


def events_resume_by_cursor(folder):
    daemon, _ = ready(folder)
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 30}))
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    events = daemon.events()
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    states = [e["state"] for e in events if e["type"] == "run.state"]
    assert states[-1] == "completed" and "running" in states, states
    _, _, data = daemon.request("GET", f"/api/v1/events?after={events[2]['seq']}&limit=2")
    assert [json.loads(line)["seq"] for line in data.splitlines()] == [4, 5]
    # a waiting reader is answered by the next event
    answer = {}
    last = events[-1]["seq"]

    def wait():
        begin = time.monotonic()
        answer["data"] = daemon.request("GET", f"/api/v1/events?after={last}&wait=20")[2]
        answer["seconds"] = time.monotonic() - begin
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(slow(0.3))
    daemon.post("/runs", run_body("two", "words", start=False))
    thread.join()
    assert json.loads(answer["data"].splitlines()[0])["seq"] == last + 1 and answer["seconds"] < slow(5), answer
    daemon.terminate()


def no_event_is_lost_between_look_and_wait(folder):
    """An event that comes when a reader has looked and does not wait yet must not be slept through."""
    daemon = Daemon(folder)
    daemon.start(failpoints="events.looked=sleep:2000@3")
    daemon.upload("words", lagd.text(3000))
    last = daemon.events()[-1]["seq"]  # that takes two looks
    for _ in range(2):  # the second one waits as always
        begin, answers = time.monotonic(), []
        thread = threading.Thread(target=lambda: answers.append(
            # pylint: disable=cell-var-from-loop
            daemon.request("GET", f"/api/v1/events?after={last}&wait=60", timeout=90)[2]))
        thread.start()
        time.sleep(0.5)
        daemon.upload(f"words{last}", lagd.text(3000))
        thread.join()
        assert [json.loads(line)["seq"] for line in answers[0].splitlines()] == [last + 1], answers
        assert time.monotonic() - begin < 30, "it slept until the end of its patience"
        last += 1
    daemon.terminate()


def checkpoints_are_files(folder):
    daemon, _ = ready(folder)
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 200}))
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    items = daemon.get("/runs/one/checkpoints")["items"]
    assert 1 <= len([c for c in items if not c["keep"]]) <= 3 and items[0]["step"] == 200, items
    for f in daemon.get(f"/checkpoints/{items[0]['id']}")["files"]:
        status, headers, data = daemon.request("GET", f"/api/v1/checkpoints/{items[0]['id']}/files/{f['name']}")
        assert status == 200 and hashlib.sha256(data).hexdigest() == f["sha256"] and len(data) == f["n_bytes"], f
    runs = os.path.join(daemon.state_dir, "runs")

    def on_disk():
        return sum(name.startswith("ckpt-") for _, names, _ in os.walk(runs) for name in names)
    assert until(lambda: on_disk() == len(items), 10), (on_disk(), items)
    config = json.loads(daemon.request("GET", f"/api/v1/checkpoints/{items[0]['id']}/files/config.json")[2])
    assert config["architectures"] == ["GPT2LMHeadModel"] and config["n_layer"] == 2
    daemon.terminate()


def whole_body_and_retention(folder):
    """Every key of a run's body at once, and what its retention keeps."""
    daemon, _ = ready(folder)
    daemon.upload("words", lagd.text())
    body = {
        "name": "ts-6L", "dataset": "words", "seed": 1,
        "model": {"arch": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 16, "vocab_size": 300},
        "optim": {"name": "adamw", "lr": 6e-4, "betas": [0.9, 0.95], "weight_decay": 0.1, "grad_clip": 1.0},
        "schedule": {"kind": "cosine", "warmup_steps": 20, "max_steps": 200, "min_lr": 6e-5},
        "batch": {"sequences": 4, "tokens_per_sequence": 16, "accumulate": 1},
        "eval": {"every_steps": 10, "batches": 2},
        "checkpoint": {"every_steps": 10, "keep_last": 3, "keep_best": 1, "keep_every": 100},
        "threads": 0, "on_crash": "resume", "tags": ["demo"]}
    run = daemon.post("/runs", body)
    for key, value in body.items():
        told = {k: run[key].get(k) for k in value} if isinstance(value, dict) else run[key]
        assert told == value, (key, told)
    daemon.wait_for("/runs/ts-6L", lambda r: r["state"] == "completed")
    steps = [c["step"] for c in daemon.get("/runs/ts-6L/checkpoints")["items"]]
    losses = daemon.get("/runs/ts-6L/series?key=val/loss&from=1&max_points=1000")
    best = min(zip(losses["series"]["val/loss"]["last"], losses["step"]))[1]
    assert steps[:3] == [200, 190, 180] and 100 in steps and best in steps and len(steps) <= 5, (steps, best)
    daemon.terminate()


def pages_and_metrics(folder):
    daemon, _ = ready(folder)
    daemon.upload("words", lagd.text())
    for i in range(7):
        daemon.post("/runs", run_body(f"r{i}", "words", start=False))
    seen, cursor = [], None
    while True:
        page = daemon.get("/runs?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        seen += [r["name"] for r in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert seen == [f"r{i}" for i in reversed(range(7))], seen
    assert len(daemon.get("/runs?state=paused")["items"]) == 7
    assert daemon.get("/runs?state=running,queued")["items"] == []
    text = daemon.request("GET", "/metrics")[2].decode()
    for name in ("lagd_build_info", "process_resident_memory_bytes", "lagd_http_requests_total", "lagd_runs"):
        assert re.search(rf"^{name}[ {{]", text, re.M), name
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})? [-+0-9.eEinfNa]+',
                                                    line), line
    assert daemon.request("GET", "/healthz")[2].strip() == b"ok"
    checks = json.loads(daemon.request("GET", "/readyz")[2])
    assert checks
    daemon.terminate()


def a_list_is_never_older_than_its_runs(folder):
    """The list of runs is told again from memory while the database is the same: never beyond that, neither after a
    change nor while one has been committed that nobody was told of yet (the storage thread is held up there)."""
    daemon = Daemon(folder)
    daemon.start(failpoints="store.committed=sleep:700@20" if lagd.has_failpoints() else None)
    daemon.upload("words", lagd.text(3000))
    daemon.post("/runs", run_body("one", "words", start=False))
    over, n_seen = threading.Event(), []

    def compare():
        while not over.is_set():
            revision = daemon.get("/runs/one")["revision"]
            for _ in range(3):
                n_seen.append(daemon.get("/runs")["items"][0]["revision"] - revision)
    threads = [threading.Thread(target=compare) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for i in range(40):
            changed = daemon.call("PATCH", "/runs/one", {"note": f"note {i}"})
            item = daemon.get("/runs")["items"][0]
            assert (item["note"], item["revision"]) == (f"note {i}", changed["revision"]), (i, item)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(n_seen) > 100 and min(n_seen) >= 0, (len(n_seen), min(n_seen))
    # what was kept of one target is not told for another one
    daemon.post("/runs", run_body("two", "words", start=False))
    assert [len(daemon.get(path)["items"]) for path in ("/runs", "/runs?limit=1", "/runs",
                                                        "/runs?limit=1")] == [2, 1, 2, 1]
    link = [daemon.request("GET", "/api/v1/runs?limit=1")[1].get("Link") for _ in range(2)]
    assert link[0] and link[0] == link[1], link
    ids = [daemon.request("GET", "/api/v1/runs")[1]["X-Request-Id"] for _ in range(2)]
    assert ids[0] != ids[1], ids
    daemon.terminate()


def token_is_asked_for(folder):
    path = os.path.join(folder, "token")
    with open(path, "w") as f:
        f.write("correct horse battery staple\n")
    os.chmod(path, 0o600)
    daemon = Daemon(folder, config=f"[auth]\ntoken_file = {path}\n")
    daemon.spawn()
    deadline = time.monotonic() + slow(20)
    while time.monotonic() < deadline:
        try:
            if daemon.request("GET", "/healthz")[0] == 200:
                break
        except OSError:
            time.sleep(0.02)
    port = daemon.port()
    ask = f"GET /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode()
    answer = raw(port, ask + b"\r\n")
    assert statuses(answer) == [401] and b"WWW-Authenticate: Bearer" in answer, answer
    assert statuses(raw(port, ask + b"Authorization: Bearer wrong\r\n\r\n")) == [401]
    assert statuses(raw(port, ask + b"Authorization: Bearer correct horse battery staple\r\n\r\n")) == [200]
    assert statuses(raw(port, ask + b"\r\n")) == [401]  # also when the answer is known
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(configuration_tells_where_it_is_from, framing_is_guarded, methods_origins_and_types, schema_holds,
              datasets_below_the_roots_only, upload_over_the_limit, events_resume_by_cursor,
              no_event_is_lost_between_look_and_wait, checkpoints_are_files, whole_body_and_retention,
              pages_and_metrics,
              a_list_is_never_older_than_its_runs, token_is_asked_for)
