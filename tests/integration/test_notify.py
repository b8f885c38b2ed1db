"""Notifications: a webhook that fails now and then, a command, the log, lagd-notify; none is lost by kill -9.

LAGD_NOTICES=n and LAGD_KILLS=m set how many are told over how many kills (default 24 over 3): ./dev notify has 1,000
over 20. Signatures are checked against Python's own hmac."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import random
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, grown, run_body, slow, until

LAGCTL = os.environ["LAGCTL"]
NOTIFY = os.environ["COURIER"]
SECRET = "a-secret-of-the-test"
TINY = {"model": {"n_layer": 1, "n_head": 1, "n_embd": 8, "n_positions": 8}, "batch": {"sequences": 1},
        "schedule": {"warmup_steps": 0, "max_steps": 1}, "eval": {"every_steps": 1, "batches": 1}}


class Receiver:
    """A webhook's server; answers(n) says with which status the n-th request is answered, None: not at all."""

    def __init__(self, folder=None, answers=lambda n: 200, context=None):
        self.requests = []  # (path, headers, body, status)
        self.lock = threading.Lock()
        self.answers = answers
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    status = receiver.answers(len(receiver.requests))
                    receiver.requests.append((self.path, dict(self.headers), body, status))
                if status is None:
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

            def address_string(self):
                return "test"

        if folder:
            class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
                pass
            self.path = os.path.join(folder, "hook.sock")
            self.server = UnixServer(self.path, Handler)
        else:
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            self.port = self.server.server_address[1]
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def taken(self):
        """{id: [bodies]} of those that were answered by 200."""
        found = {}
        with self.lock:
            for _, headers, body, status in self.requests:
                if status == 200:
                    found.setdefault(headers["webhook-id"], []).append(body)
        return found

    def rules(self):
        return [json.loads(bodies[0])["rule"] for bodies in self.taken().values()]


def secret_file(folder, text=SECRET):
    path = os.path.join(folder, "secret")
    with open(path, "w") as f:
        f.write(text + "\n")
    os.chmod(path, 0o600)
    return path


def config_of(folder, **keys):
    return "[notify]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def signed(headers, body, key):
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def sink(daemon, name):
    return next(one for one in daemon.get("/notify")["items"] if one["sink"] == name)


def lagctl(daemon, *args):
    done = subprocess.run([LAGCTL, "--socket", daemon.socket, *args], capture_output=True, text=True, check=False,
                          env={k: v for k, v in os.environ.items() if not k.startswith("LAGD_")})
    return done.returncode, done.stdout, done.stderr


def told_of_what_happens(folder):
    """A growth that waits, its decision and the end, signed; and a reload that changes the sink."""
    hook = Receiver()
    with open(os.path.join(folder, "lagd.conf"), "w") as f:
        f.write(config_of(folder, webhook_url=f"http://127.0.0.1:{hook.port}/hook?a=b",
                          webhook_secret_file=secret_file(folder), dashboard_url="http://localhost:7437/"))
    daemon = Daemon(folder, "--config", os.path.join(folder, "lagd.conf"))
    daemon.start()
    daemon.upload("words", lagd.text())
    growth = grown(daemon, mode="manual", pool=("stack", "midas"))
    assert until(lambda: "waiting" in hook.rules(), 20), hook.requests
    daemon.post(f"/growths/{growth}/decision", {"approve": True})
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    assert until(lambda: "completed" in hook.rules(), 20), hook.requests
    assert sorted(hook.rules()) == ["completed", "decided", "waiting"], hook.rules()
    for path, headers, body, _ in hook.requests:
        assert path == "/hook?a=b" and headers["Content-Type"] == "application/json", (path, headers)
        assert headers["webhook-signature"] == signed(headers, body, SECRET.encode()), headers
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < slow(60)
        note = json.loads(body)
        assert note["id"] == headers["webhook-id"] and note["run_name"] == "one" and "Run one " in note["text"], note
        event = next(e for e in daemon.events() if e["seq"] == note["event"])
        assert event["rule"] == note["rule"] and event["ts"] == note["at"], (event, note)
    waiting = next(json.loads(body) for _, _, body, _ in hook.requests if b'"waiting"' in body)
    assert waiting["growth"] == growth and waiting["severity"] == "warning", waiting
    assert waiting["link"] == f"http://localhost:7437/#/growths/{growth}", waiting
    # it is written down after the answer has come
    assert until(lambda: (sink(daemon, "webhook")["delivered"], sink(daemon, "webhook")["waiting"]) == (3, 0), 20), \
        sink(daemon, "webhook")
    status, _, text = daemon.request("GET", "/metrics")
    assert b'lagd_notify_delivered_total{sink="webhook"} 3\n' in text, text[-2000:]
    # nothing shows the address or the secret
    shown = daemon.request("GET", "/api/v1/config")[2].decode() + daemon.log()
    assert "hook?a=b" not in shown and SECRET not in shown
    # only some rules, and a key in Base64
    secret_file(folder, "whsec_" + base64.b64encode(b"another key").decode())
    with open(os.path.join(folder, "lagd.conf"), "a") as f:
        f.write("webhook_on = failed, trouble\n")
    daemon.process.send_signal(signal.SIGHUP)
    assert until(lambda: sink(daemon, "webhook")["rules"] == ["failed", "trouble"], 10)
    n = len(hook.requests)
    code, out, err = lagctl(daemon, "notify", "test", "webhook")
    assert code == 0 and "webhook" in out, (code, out, err)
    _, headers, body, _ = hook.requests[n]
    assert json.loads(body)["rule"] == "test" and json.loads(body)["event"] is None, body
    assert headers["webhook-signature"] == signed(headers, body, b"another key"), headers
    daemon.post("/runs", run_body("tiny", "words", **TINY))
    daemon.wait_for("/runs/tiny", lambda r: r["state"] == "completed")
    last = daemon.events()[-1]["seq"]
    assert until(lambda: sink(daemon, "webhook")["after"] >= last, 10)
    assert len(hook.requests) == n + 1, hook.requests[n:]
    daemon.terminate()


def none_is_lost(folder):
    """A server that fails often, a daemon that is killed often: each is told, repeats have the same id and body."""
    n_notices = int(os.environ.get("LAGD_NOTICES", "24"))
    n_kills = int(os.environ.get("LAGD_KILLS", "3"))
    rng = random.Random(int(os.environ.get("LAGD_SEED", "1")))
    often = min(0.25, 8 / n_notices)
    hook = Receiver(folder, answers=lambda n: rng.choice([500, None]) if rng.random() < often else 200)
    daemon = Daemon(folder, config=config_of(folder, webhook_url=f"unix:{hook.path}:/in",
                                             webhook_secret_file=secret_file(folder)))
    daemon.start()
    daemon.upload("words", lagd.text(4000))
    n_made = 0
    for i in range(n_kills + 1):
        share = n_notices * (i + 1) // (n_kills + 1)
        while n_made < share:
            daemon.post("/runs", run_body(f"tiny{n_made}", "words", **TINY))
            n_made += 1
        if i == n_kills:
            break
        # while it still delivers, or between a delivery and the cursor
        wanted = len(hook.taken()) + rng.randrange(1, max(2, n_notices // (2 * n_kills)))
        until(lambda: len(hook.taken()) >= wanted, 5)
        daemon.kill()
        if lagd.has_failpoints() and i % 2 == 0:
            daemon.start(failpoints="notify.taken=kill@%d" % rng.randrange(1, 4))
            until(lambda: not daemon.alive(), 5)
            daemon.kill()
        daemon.start()

    def completed():
        return [e for e in daemon.events() if e["type"] == "run.state" and e["state"] == "completed"]

    assert until(lambda: len(completed()) == n_notices, 60 + n_notices), len(completed())
    expected = {e["seq"] for e in completed()}
    assert until(lambda: len(hook.taken()) >= len(expected), 60 + n_notices), sink(daemon, "webhook")
    taken = hook.taken()
    assert {json.loads(bodies[0])["event"] for bodies in taken.values()} == expected
    n_repeats = 0
    for name, bodies in taken.items():
        assert len(set(bodies)) == 1, bodies
        assert json.loads(bodies[0])["id"] == name
        n_repeats += len(bodies) - 1
    with hook.lock:  # in order, but for repeats
        order = [json.loads(body)["event"] for _, _, body, status in hook.requests if status == 200]
    firsts = list(dict.fromkeys(order))
    assert firsts == sorted(firsts), firsts
    print(f"  {len(taken)} notifications over {n_kills} kills in {len(hook.requests)} requests, {n_repeats} repeated")
    assert until(lambda: sink(daemon, "webhook")["waiting"] == 0, 10)
    daemon.terminate()


def a_crash_between_repeats(folder):
    """The sink has taken it, and lagd dies before it knows: told again, with the same id."""
    if not lagd.has_failpoints():
        return
    hook = Receiver()
    daemon = Daemon(folder, config=config_of(folder, webhook_url=f"http://localhost:{hook.port}"))
    daemon.start()
    daemon.upload("words", lagd.text(4000))
    daemon.post("/runs", run_body("tiny", "words", start=False, **TINY))
    before = daemon.events()[-1]["seq"]
    assert until(lambda: sink(daemon, "webhook")["after"] >= before, 10)
    daemon.terminate()
    daemon.start(failpoints="notify.taken=kill")
    daemon.post("/runs/tiny/resume")
    assert until(lambda: not daemon.alive(), 30)
    assert [json.loads(b)["rule"] for _, _, b, _ in hook.requests] == ["completed"], hook.requests
    daemon.start()
    assert until(lambda: len(hook.requests) == 2, 20), hook.requests
    assert hook.requests[0][1]["webhook-id"] == hook.requests[1][1]["webhook-id"]
    assert hook.requests[0][2] == hook.requests[1][2]
    assert "webhook-signature" not in hook.requests[0][1]
    daemon.terminate()


def a_command_and_the_log(folder):
    """Arguments as they are, the body on standard input; one that fails is tried again, one that hangs is ended."""
    out = os.path.join(folder, "out")
    program = os.path.join(folder, "program")
    with open(program, "w") as f:
        f.write("#!/bin/sh\nprintf '%s|' \"$@\" \"$LAGD_RULE\" \"$LAGD_NOTIFICATION\" >>" + out + "\ncat >>" + out
                + "\necho >>" + out + "\n[ -e " + folder + "/good ] || { echo 'no, not now' >&2; exit 3; }\n")
    os.chmod(program, 0o755)
    daemon = Daemon(folder, config=config_of(folder, command=f"{program}, two words,$HOME;ls", journal="true",
                                             command_on="completed", journal_on="completed", command_timeout_s=5))
    daemon.start()
    daemon.upload("words", lagd.text(4000))
    daemon.post("/runs", run_body("tiny", "words", **TINY))
    assert until(lambda: sink(daemon, "command")["state"] == "failing", 20), daemon.get("/notify")
    state = sink(daemon, "command")
    assert state["last_error"] == "it ended with status 3: no, not now" and state["waiting"] == 1, state
    assert state["next_try_at"] > state["last_error_at"], state
    open(os.path.join(folder, "good"), "w").close()
    assert until(lambda: sink(daemon, "command")["state"] == "ok", 20), daemon.get("/notify")
    with open(out) as f:
        lines = f.read().split("\n\n")[:-1]  # the body is a line
    assert len(set(lines)) == 1 and len(lines) >= 2, lines
    first, second, rule, name, body = lines[0].split("|", 4)
    assert (first, second, rule) == ("two words", "$HOME;ls", "completed"), lines[0]
    assert json.loads(body)["id"] == name, lines[0]
    assert until(lambda: sink(daemon, "journal")["delivered"] == 1, 10)
    assert "Run tiny is completed at step 1.\n" in daemon.log(), daemon.log()
    code, text, err = lagctl(daemon, "notify")
    assert code == 0 and "command" in text and "off" in text, (code, text, err)
    code, text, err = lagctl(daemon, "notify", "test")
    assert code == 0 and "journal" in text and "command" in text, (code, text, err)
    code, text, err = lagctl(daemon, "notify", "test", "webhook")
    assert code == 1 and "set notify/webhook_url" in text, (code, text, err)
    # it hangs
    with open(program, "w") as f:
        f.write("#!/bin/sh\nsleep 600 & sleep 600\n")
    daemon.call("POST", "/notify/test", {"sink": "journal"})
    begin = time.monotonic()
    outcome = daemon.post("/notify/test", {"sink": "command"})["items"][0]
    assert not outcome["delivered"] and "did not end in time" in outcome["detail"], outcome
    assert 4.5 < time.monotonic() - begin < slow(30)
    assert daemon.terminate() < slow(10)


def certificate(folder):
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                           "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                           os.path.join(folder, "key.pem"), "-out", os.path.join(folder, "cert.pem")],
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return os.path.join(folder, "cert.pem")


def https_by_the_helper(folder):
    """lagd-notify: certificates are checked, hosts may be limited, and what fails is told as it was found."""
    cert = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, os.path.join(folder, "key.pem"))
    hook = Receiver(context=context)
    helper = os.path.join(folder, "helper.sock")
    config = config_of(folder, webhook_url=f"https://localhost:{hook.port}/secret-path", helper=helper,
                       webhook_secret_file=secret_file(folder))
    daemon = Daemon(folder, config=config)
    daemon.start()

    def outcome(*options):
        process = subprocess.Popen([NOTIFY, "--socket", helper, *options], stderr=subprocess.PIPE)
        assert until(lambda: os.path.exists(helper), 10)
        found = daemon.post("/notify/test", {"sink": "webhook"})["items"][0]
        process.terminate()
        process.wait()
        os.unlink(helper)
        assert b"secret-path" not in process.stderr.read()
        assert "secret-path" not in json.dumps(found), found
        return found

    found = daemon.post("/notify/test", {"sink": "webhook"})["items"][0]
    assert not found["delivered"] and "lagd-notify.socket" in found["detail"], found
    found = outcome()
    assert not found["delivered"] and "certificate" in found["detail"], found
    found = outcome("--ca", cert, "--allow", "hooks.example.org")
    assert not found["delivered"] and "--allow" in found["detail"], found
    assert not hook.requests
    found = outcome("--ca", cert, "--allow", "hooks.example.org", "--allow", "localhost")
    assert found["delivered"], found
    path, headers, body, _ = hook.requests[0]
    assert path == "/secret-path" and headers["Host"] == f"localhost:{hook.port}", (path, headers)
    assert headers["webhook-signature"] == signed(headers, body, SECRET.encode()), headers
    hook.answers = lambda n: 410
    found = outcome("--ca", cert)
    assert not found["delivered"] and found["detail"] == "the answer was HTTP status 410", found
    # what is no request for it
    process = subprocess.Popen([NOTIFY, "--socket", helper, "--ca", cert], stderr=subprocess.DEVNULL)
    assert until(lambda: os.path.exists(helper), 10)
    for text, answer in ((b"GET https://localhost/ HTTP/1.1\r\n\r\n", b"502"),
                         (b"POST http://192.0.2.1/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"unencrypted"),
                         (b"POST file:///etc/passwd HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"only https"),
                         (b"POST https://localhost/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"502"),
                         (b"POST https://u:p@localhost/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"plain host")):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(helper)
            client.sendall(text)
            got = client.makefile("rb").read()
            assert got.startswith(b"HTTP/1.1 502 ") and answer in got, (text, got)
    process.terminate()
    process.wait()
    daemon.terminate()


def what_cannot_be_meant_is_refused(folder):
    open_file = os.path.join(folder, "open")
    with open(open_file, "w") as f:
        f.write("https://localhost/\n")
    os.chmod(open_file, 0o644)
    for keys, text in (
            ({"webhook_url": "http://example.org/x"}, "notify/webhook_url: the webhook's address would send"),
            ({"webhook_url": "ftp://secret-address/"}, "is none that lagd knows"),
            ({"webhook_url": "https://user:pass@example.org/"}, "holds a user or password"),
            ({"webhook_url": "https://example.org/", "webhook_on": "waiting,fialed"}, "did you mean failed?"),
            ({"webhook_url": "https://example.org/", "webhook_url_file": open_file}, "both set"),
            ({"webhook_url_file": open_file}, "chmod 600"),
            ({"webhook_url": "https://example.org/", "helper": ""}, "set notify/helper"),
            ({"webhook_url": "https://example.org/", "webhook_secret_file": "/nonexistent"}, "cannot read"),
            ({"command": "mail,root"}, "absolute path"),
            ({"command_timeout_s": "0"}, "between 1 and 600")):
        with open(os.path.join(folder, "wrong.conf"), "w") as f:
            f.write(config_of(folder, **keys))
        done = subprocess.run([lagd.LAGD, "--check-config", "--config", os.path.join(folder, "wrong.conf"),
                               "--state-dir", folder], capture_output=True, text=True, check=False)
        assert done.returncode == 78 and text in done.stderr, (keys, done.stderr)
        assert "secret-address" not in done.stderr and "user:pass" not in done.stderr, done.stderr


def a_run_that_stalls_is_told_of(folder):
    if not lagd.has_failpoints():
        return
    hook = Receiver()
    daemon = Daemon(folder, config=config_of(folder, webhook_url=f"http://[::1]:{hook.port}/", webhook_on="stalled"))
    daemon.flags += ["--set", f"notify/webhook_url=http://127.0.0.1:{hook.port}/"]
    daemon.start(failpoints="run.before_step=sleep:2500@3", env={"LAGD_PATIENCE_MS": "700"})
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 20}))
    assert until(lambda: hook.requests, 20), daemon.log()
    note = json.loads(hook.requests[0][2])
    assert note["rule"] == "stalled" and "in a training step" in note["text"], note
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    assert len(hook.requests) == 1, hook.requests
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(told_of_what_happens, none_is_lost, a_crash_between_repeats, a_command_and_the_log, https_by_the_helper,
              what_cannot_be_meant_is_refused, a_run_that_stalls_is_told_of)
