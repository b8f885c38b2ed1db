"""The live stream of events: hundreds of clients, slow and dead ones, kills in between, pruned cursors, points."""
import json
import os
import re
import selectors
import signal
import socket
import sqlite3
import struct
import sys
import threading
import time
from contextlib import closing
from datetime import datetime

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, Problem, run_body


class Stream:
    """One client of /events. Reads without blocking; pump() or read_until() move it on."""

    def __init__(self, daemon, query="", last_id=None, sse=True, port=None, version="1.1", receive_buffer=None,
                 token=None):
        if port:
            self.socket = socket.socket()
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.connect(("127.0.0.1", port))
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(daemon.socket)
        head = f"GET /api/v1/events{query} HTTP/{version}\r\nHost: localhost\r\n"
        head += "Accept: text/event-stream\r\n" if sse else ""
        head += f"Last-Event-ID: {last_id}\r\n" if last_id is not None else ""
        head += f"Authorization: Bearer {token}\r\n" if token else ""
        self.socket.sendall((head + "\r\n").encode())
        self.socket.setblocking(False)
        self.sse, self.raw, self.body, self.head = sse, b"", b"", None
        self.chunked, self.ended, self.events, self.beats, self.last_id = False, False, [], 0, last_id
        self.times = []

    def fileno(self):
        return self.socket.fileno()

    def pump(self):
        """Takes what is there."""
        while not self.ended:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.ended = not data
            self.raw += data
            self.parse()

    def parse(self):
        if self.head is None:
            if b"\r\n\r\n" not in self.raw:
                return
            head, self.raw = self.raw.split(b"\r\n\r\n", 1)
            self.head = head.decode()
            self.chunked = "chunked" in self.head
        if self.chunked:
            while True:
                match = re.match(rb"([0-9a-fA-F]+)\r\n", self.raw)
                if not match or len(self.raw) < match.end() + int(match[1], 16) + 2:
                    break
                size = int(match[1], 16)
                self.body += self.raw[match.end():match.end() + size]
                self.raw = self.raw[match.end() + size + 2:]
                self.ended = self.ended or size == 0
        else:
            self.body, self.raw = self.body + self.raw, b""
        *blocks, self.body = self.body.split(b"\n\n" if self.sse else b"\n")
        for block in blocks:
            self.take(block.decode())

    def take(self, block):
        if not self.sse:
            self.events.append(json.loads(block))
            self.times.append(time.time())
            return
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        if block == ": hb":
            self.beats += 1
        elif block != "retry: 2000":
            event = json.loads(fields["data"])
            assert event["type"] == fields["event"], block
            if "id" in fields:
                self.last_id = int(fields["id"])
                assert event.get("seq", event.get("cursor")) == self.last_id, block
            self.events.append(event)
            self.times.append(time.time())

    def read_until(self, done, timeout=30):
        deadline = time.monotonic() + lagd.slow(timeout)
        while not done(self):
            assert time.monotonic() < deadline, f"after {timeout} s: {self.head} {self.events[-5:]} {self.ended}"
            with selectors.DefaultSelector() as selector:
                selector.register(self, selectors.EVENT_READ)
                selector.select(0.2)
            before = self.ended
            self.pump()
            assert not before or done(self), f"ended: {self.head} {self.events[-5:]}"
        return self

    def until_type(self, kind, timeout=30):
        return self.read_until(lambda s: any(e["type"] == kind for e in s.events), timeout)

    def stored(self):
        return [e["seq"] for e in self.events if "seq" in e]

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def metric(daemon, name):
    text = daemon.request("GET", "/metrics")[2].decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])


def when(event):
    return datetime.fromisoformat(event["ts"].replace("Z", "+00:00")).timestamp()


def wait_until(done, timeout, what):
    begin = time.monotonic()
    while not done():
        assert time.monotonic() - begin < lagd.slow(timeout), f"{what}: not after {timeout} s"
        time.sleep(0.05)
    return time.monotonic() - begin


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def serving_seconds(pid):
    """Processor time of the threads that serve HTTP and events."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as f:
            name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
        if name == "lagd-events" or name.startswith("MHD"):
            total += sum(int(v) for v in rest.split()[11:13])
    return total / os.sysconf("SC_CLK_TCK")


class Crowd:
    """Many streams, read by one thread of the test; some are never read. Once deaf, what comes is thrown away unread:
    the test shall not take the processor that it measures."""

    def __init__(self, daemon, n, n_mute, query=""):
        self.deaf, self.waste = False, bytearray(1 << 20)
        port = daemon.port()
        self.streams = [Stream(daemon, query, port=port) for _ in range(n)]
        self.readers = self.streams[n_mute:]
        self.stop = False
        self.selector = selectors.DefaultSelector()
        for stream in self.readers:
            self.selector.register(stream, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.stop:
            for key, _ in self.selector.select(0.05):
                if self.deaf:
                    key.fileobj.socket.recv_into(self.waste)
                    continue
                key.fileobj.pump()
                if key.fileobj.ended:
                    self.selector.unregister(key.fileobj)

    def all_have(self, kind):
        return all(any(e["type"] == kind for e in s.events) for s in self.readers)

    def close(self):
        self.stop = True
        self.thread.join()
        for stream in self.streams:
            stream.close()


def make_events(daemon, n, pace):
    for i in range(n):
        daemon.upload(f"d{i}", lagd.text(2000))
        time.sleep(pace)


def trained_steps(daemon, seconds):
    before, begin = metric(daemon, "lagd_train_steps_total"), time.monotonic()
    served = serving_seconds(daemon.process.pid)
    time.sleep(seconds)
    elapsed = time.monotonic() - begin
    return ((metric(daemon, "lagd_train_steps_total") - before) / elapsed,
            (serving_seconds(daemon.process.pid) - served) / elapsed)


def five_hundred_clients(folder):
    daemon = Daemon(folder, config="[server]\nmax_streams = 500\nconnection_limit = 16\n[train]\nthreads = 1\n")
    daemon.start()
    pid = daemon.process.pid
    tasks, memory = len(os.listdir(f"/proc/{pid}/task")), rss_bytes(pid)
    crowd = Crowd(daemon, 500, 50, "?after=0")
    try:
        wait_until(lambda: crowd.all_have("caught-up"), 20, "caught-up for all")
        assert metric(daemon, "lagd_sse_clients") == 500
        assert len(os.listdir(f"/proc/{pid}/task")) == tasks
        try:
            refused = daemon.call("GET", "/events?follow=true")
            raise AssertionError(f"the 501st was let in: {refused}")
        except Problem as problem:
            assert problem.status == 503 and problem.body["type"].endswith("/too-many-streams"), problem
        assert int(daemon.request("GET", "/api/v1/events?follow=true")[1]["Retry-After"]) > 0
        make_events(daemon, 40, 0.05)
        last = daemon.events()[-1]["seq"]
        wait_until(lambda: all(s.last_id == last for s in crowd.readers), 10, "delivery")
        delays = []
        for stream in crowd.readers:
            assert stream.stored() == list(range(1, last + 1))
            for event, seen in zip(stream.events, stream.times):
                if "seq" in event:
                    delays.append(seen - when(event))
        delays.sort()
        grown = rss_bytes(pid) - memory
        print(f"        500 clients: {grown / 2**20:.1f} MiB more resident memory, delivery "
              f"p50 {delays[len(delays) // 2] * 1e3:.0f} ms, p99 {delays[len(delays) * 99 // 100] * 1e3:.0f} ms")
        assert lagd.SLOW > 1 or grown < 60 * 2**20, grown
        seconds = daemon.terminate()
        print(f"        SIGTERM with 500 streams open: {seconds:.2f} s")
        assert seconds <= 5, seconds
        wait_until(lambda: all(s.ended for s in crowd.readers), 5, "the end")
        assert crowd.all_have("bye")
    finally:
        crowd.close()


def training_beside_clients(folder):
    """Prints what 500 clients cost; the machine may be busy with other things, so nothing is asserted."""
    daemon = Daemon(folder, config="[server]\nmax_streams = 1000\n[train]\nthreads = 1\n")
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("busy", "words", model={"n_layer": 4, "n_embd": 64}, schedule={"max_steps": 10**7},
                                  checkpoint={"every_steps": 10**6}, eval={"every_steps": 1000}))
    daemon.wait_for("/runs/busy", lambda r: r["step"] > 5)
    alone, _ = trained_steps(daemon, 2)
    print(f"        one run alone: {alone:.0f} steps/s")
    for what, query in (("without points", "?topics=run,growth,candidate,system"), ("with points", "")):
        crowd = Crowd(daemon, 500, 50, query)
        try:
            wait_until(lambda: crowd.all_have("caught-up"), 20, "caught-up for all")
            crowd.deaf = True
            beside, served = trained_steps(daemon, 2)
        finally:
            crowd.close()
        print(f"        beside 500 clients {what}: {beside:.0f} steps/s ({(1 - beside / alone) * 100:.1f} % slower); "
              f"serving them took {served * 100:.1f} % of a processor")
    daemon.terminate()


def dead_and_slow_clients(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text(2000))
    daemon.terminate()
    with closing(sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db"))) as db, db:
        db.executemany("INSERT INTO events (ts_ms, type, step, message) VALUES (?, 'system.warning', -1, ?)",
                       ((int(time.time() * 1000), f"made up {i} " + "x" * 300) for i in range(20000)))
    daemon.start()
    port, memory = daemon.port(), rss_bytes(daemon.process.pid)
    begin = time.monotonic()
    slow = Stream(daemon, "?after=0", port=port, receive_buffer=65536)
    alive = Stream(daemon, port=port).until_type("caught-up")
    halved = Stream(daemon, port=port).until_type("caught-up")
    halved.socket.shutdown(socket.SHUT_WR)  # says no more, but listens
    lost = [Stream(daemon, "", port=port).until_type("caught-up") for _ in range(20)]
    lost += [Stream(daemon, "").until_type("caught-up") for _ in range(5)]
    assert metric(daemon, "lagd_sse_clients") == 28
    for i, stream in enumerate(lost):
        stream.close(reset=i % 2 == 0)
    seconds = wait_until(lambda: metric(daemon, "lagd_sse_clients") <= 3, 30, "dead peers")
    print(f"        25 dead peers were gone after {seconds:.1f} s")
    # the slow one: cut off, and what it missed comes when it asks again
    wait_until(lambda: metric(daemon, "lagd_sse_clients") == 2, 30 - seconds, "the slow one")
    print(f"        a client that does not read was cut off after {time.monotonic() - begin:.1f} s")
    assert lagd.SLOW > 1 or rss_bytes(daemon.process.pid) - memory < 8 * 2**20
    slow.read_until(lambda s: s.ended)
    seen = slow.stored()
    assert 0 < len(seen) < 20001, len(seen)
    rest = Stream(daemon, last_id=slow.last_id).until_type("caught-up")
    assert seen + rest.stored() == list(range(1, 20002))
    # the living ones are still there
    alive.read_until(lambda s: s.beats > 0, 20)
    daemon.upload("more", lagd.text(2000))
    for stream in (alive, halved):
        stream.until_type("dataset.added")
    daemon.terminate()


def no_gap_and_no_repeat_over_kills(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("job", "words", model={"n_layer": 3}, start=False, checkpoint={"every_steps": 10},
                                  schedule={"max_steps": 1500 if lagd.SLOW == 1 else 300}))
    daemon.post("/runs/job/growths", {"target": {"n_layer": 6}, "when": {"at_step": 60},
                                      "pool": ["stack", "midas", "random"],
                                      "probe": {"steps": 20, "eval_every": 5}, "mode": "auto"})
    streams, done = [], threading.Event()

    def follow():
        while not done.is_set():
            last_id = streams[-1].last_id if streams else 0
            try:
                stream = Stream(daemon, "?topics=run,growth,candidate,dataset,system", last_id=last_id)
            except OSError:
                time.sleep(0.02)
                continue
            streams.append(stream)
            while not stream.ended and not done.is_set():
                with selectors.DefaultSelector() as selector:
                    selector.register(stream, selectors.EVENT_READ)
                    selector.select(0.05)
                stream.pump()
            stream.close()

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        daemon.post("/runs/job/resume")
        for wanted in ("run", "growth", "candidate"):
            end = time.monotonic() + lagd.slow(60)
            while not any(e["type"].startswith(wanted) and e.get("state") in ("running", "probing")
                          for e in daemon.events()):
                assert time.monotonic() < end, daemon.events()
            daemon.kill()
            daemon.start()
        for _ in range(5):
            time.sleep(0.15)
            daemon.kill()
            daemon.start()
        daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
        stored = [e["seq"] for e in daemon.events()]
        wait_until(lambda: streams[-1].last_id == stored[-1], 10, "the last event")
    finally:
        done.set()
        follower.join()
    seen = [seq for stream in streams for seq in stream.stored()]
    assert not any(e["type"] == "reset" for stream in streams for e in stream.events)
    assert len(streams) >= 9, len(streams)
    assert seen == stored == list(range(1, stored[-1] + 1)), (seen, stored)
    daemon.terminate()


def points_and_filters(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    for name in ("one", "two"):
        daemon.post("/runs", run_body(name, "words", model={"n_layer": 3}, start=False, schedule={"max_steps": 400}))
    growth = daemon.post("/runs/one/growths", {"target": {"n_layer": 4}, "when": {"at_step": 100},
                                               "pool": ["stack", "random"],
                                               "probe": {"steps": 40, "eval_every": 10}, "mode": "auto"})
    everything, one = Stream(daemon), Stream(daemon, "?run=one&follow=true", sse=False)
    states, points = Stream(daemon, "?topics=run,growth"), Stream(daemon, "?topics=metric&run=two")
    old = Stream(daemon, "?run=one", version="1.0")
    for stream in (everything, one, states, points, old):
        stream.until_type("caught-up")
    for name in ("one", "two"):
        daemon.post(f"/runs/{name}/resume")
    ids = {}

    def done(run):
        for stream in (everything, one, states, points, old):
            stream.pump()
        ids[run["name"]] = run["id"]
        return run["state"] == "completed"

    for name in ("one", "two"):
        daemon.wait_for(f"/runs/{name}", done)
    for stream in (everything, points):  # the last points come after the last step
        stream.read_until(lambda s: any(400 in e["step"]
                                        for e in s.events if e["type"] == "run.metric" and e["run"] == ids["two"]))
    for stream, rows in ((everything, daemon.events()), (one, daemon.events("one")), (old, daemon.events("one"))):
        wanted = [e["seq"] for e in rows if e["seq"] > stream.events[0]["cursor"]]
        stream.read_until(lambda s: s.stored()[-1:] == wanted[-1:])  # pylint: disable=cell-var-from-loop
        assert stream.stored() == wanted, (stream.events, wanted)
    for stream in (one, old):
        assert {e["run"] for e in stream.events if "run" in e} == {ids["one"]}
    assert {e["type"].split(".")[0] for e in states.events if "seq" in e} == {"run", "growth"}
    assert not any("step" in e and isinstance(e["step"], list) for e in states.events) and not points.stored()
    assert {e["run"] for e in points.events if e["type"] == "run.metric"} == {ids["two"]}
    batches = [e for e in everything.events if e["type"].endswith(".metric")]
    assert {e["growth"] for e in batches if e["type"] == "candidate.metric"} == {growth["id"]}
    assert len([e for e in batches if e["type"] == "candidate.metric"]) >= 2
    exported = daemon.points("two")
    for batch in (e for e in batches if e["run"] == ids["two"]):
        assert all(len(column) == len(batch["step"]) for column in batch["series"].values()), batch
        for step, loss in zip(batch["step"], batch["series"].get("train/loss", [])):
            assert loss is None or loss == exported[step]["train/loss"], (step, loss, exported[step])
    numbers = [e["number"] for e in batches if e["run"] == ids["two"]]
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    times = [when(e) for e in batches if e["run"] == ids["two"]]
    assert len(times) <= 2 + 4 * (times[-1] - times[0]), times
    daemon.terminate()


def a_new_token_ends_streams(folder):
    path = os.path.join(folder, "token")

    def write(token):
        with open(path, "w") as f:
            f.write(token + "\n")
        os.chmod(path, 0o600)

    write("a-first-token-of-some-length")
    daemon = Daemon(folder, config=f"[auth]\ntoken_file = {path}\n")
    daemon.start()
    stream = Stream(daemon, token="a-first-token-of-some-length").until_type("caught-up")
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    stream.pump()
    assert not stream.ended  # the same token stays good
    write("another-token-of-some-length")
    daemon.process.send_signal(signal.SIGHUP)
    stream.until_type("bye", 5).read_until(lambda s: s.ended, 5)
    again = Stream(daemon, token="a-first-token-of-some-length").read_until(lambda s: s.head)
    assert " 401 " in again.head, again.head
    Stream(daemon, token="another-token-of-some-length").until_type("caught-up")
    daemon.terminate()


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    lagd.main(five_hundred_clients, training_beside_clients, dead_and_slow_clients, no_gap_and_no_repeat_over_kills,
              points_and_filters, a_new_token_ends_streams)
