"""lagctl against a real daemon: every command once, forms of output, exit statuses, following, waiting, terminals."""
import fcntl
import hashlib
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tarfile
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def program():
    return os.environ.get("LAGCTL") or os.path.join(os.path.dirname(lagd.LAGD), "cli", "lagctl")


def environment(**more):
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("LAGD_", "LC_", "LANG", "NO_COLOR"))}
    return {**plain, "LANG": "C.UTF-8", "TERM": "xterm", **more}


class Client:
    def __init__(self, daemon, *options, **more):
        self.options = list(options)
        self.env = environment(**({"LAGD_SOCKET": daemon.socket} if daemon else {}), **more)

    def command(self, *words):
        return [program()] + self.options + list(words)

    def __call__(self, *words, status=0, stdin=None, error=None, folder=None, timeout=60):
        """Standard output; asserts exit status, standard error, and that a pipe gets no control sequences."""
        done = subprocess.run(self.command(*words), input=stdin, capture_output=True, text=True,
                              timeout=lagd.slow(timeout),
                              env=self.env, cwd=folder, check=False)
        said = f"{words}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == status, said
        assert not CONTROL.search(done.stdout + done.stderr), said
        assert error is None or error in done.stderr, said
        assert error is not None or status or not done.stderr, said
        return done.stdout

    def json(self, *words, **more):
        return json.loads(self(*words, "-o", "json", **more))

    def spawn(self, *words):
        return subprocess.Popen(self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.env)


def write(folder, name, value):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(value if isinstance(value, str) else json.dumps(value))
    return path


def started(folder, **more):
    daemon = Daemon(folder, **more)
    daemon.start()
    return daemon, Client(daemon)


GROWTH = ("--to", "3", "--at", "20", "--lag", "8", "--eval-every", "4", "--pool", "stack,midas")


def a_run_from_text_to_files(folder):
    """The tour of the README, by lagctl alone."""
    daemon, ctl = started(folder)
    text = write(folder, "old book.txt", lagd.text())
    assert "old-book: 60000 tokens, vocabulary 256" in ctl("dataset", "add", text)
    assert ctl("dataset", "list", "-o", "name") == "old-book\n"
    assert "60.0k" in ctl("dataset", "show", "old-book")
    body = run_body("one", "old-book", schedule={"max_steps": 60}, checkpoint={"every_steps": 20})
    path = write(folder, "run.json", body)
    assert re.search(r"^fits +yes$", ctl("run", "create", "-f", path, "--dry-run"), re.M)
    assert ctl.json("run", "list")["items"] == []
    assert ctl("run", "create", "-f", path, "--paused") == "one: paused, step 0 of 60\n"
    made = ctl.json("run", "create", "-f", "-", "--name", "two", "--paused", stdin=json.dumps(body))
    assert made["name"] == "two" and made["state"] == "paused", made
    plan = ctl("grow", "one", *GROWTH, "--dry-run")
    assert "midas" in plan and "at once takes about" in plan, plan
    pools_have_rules(ctl, folder)
    growth = ctl.json("grow", "one", *GROWTH)["id"]
    assert "shape     2 to 3 layers at step 20, lag 8 steps" in ctl("grow", "show", growth)  # it waits for that step
    assert ctl("grow", "list", "one", "-o", "name") == growth + "\n"
    assert re.fullmatch(r"one: (queued|running|growing|completed), step \d+ of 60\n",
                        ctl("run", "resume", "one", "-r", "go"))
    ctl("wait", "one", "--for", "step=30", "--timeout", "60s")
    assert ctl("wait", "one", "--timeout", "60s") == "one: completed, step 60\n"
    assert ctl("wait", growth) == growth + ": applied\n"
    ctl("wait", "one", "--for", "state=failed", status=1, error="one is completed")
    shown = ctl("grow", "show", growth)
    assert "<- chosen" in shown and "After a lag of 8 steps" in shown, shown
    assert "shape     2 to 3 layers at step 20" in shown, shown
    decision = ctl.json("grow", "show", growth)["decision"]
    assert f"\nbasis     {decision['basis']}\n{decision['verdict']}\n" in shown, shown
    ranked = ctl("grow", "rank", growth, "--at-step", "4")
    assert "after 4 steps" in ranked and "stack" in ranked, ranked
    assert ctl("grow", "report", growth).startswith("#") and "midas" in ctl("grow", "report", growth)
    assert json.loads(ctl("grow", "report", growth, "--format", "json"))
    ckpt = ctl("ckpt", "list", "one", "-o", "name").split()[-1]
    assert ctl("run", "fork", "one", "-c", ckpt, "--name", "three", "--seed", "5", "--steps", "90", "--schedule",
               "constant", "--paused") == "three: paused, step 20 of 90\n"
    assert re.search(r"^forked from +one$", ctl("run", "show", "three"), re.M)
    ctl("run", "rm", "three")
    told = ctl("run", "extend", "one", "--steps", "80", "--after", "rewarm", "--warmup", "4", "--dry-run")
    assert "steps 60 to 80: the learning rate warms up again over 4 steps" in told and "\n     79  " in told, told
    ctl("run", "extend", "one", status=2, error="needs --steps")
    assert ctl("run", "extend", "two", "--steps", "60") == "two: queued, step 0 of 60\n"
    ctl("run", "pause", "two")
    see_the_run(ctl, folder, growth)
    daemon.terminate()


def pools_have_rules(ctl, folder):
    """Options find their place beside the pool, whichever comes first, and whether it is a name, a list or a file's."""
    def rules(*options):
        plan = ctl.json("grow", "one", "--to", "4", "--lag", "8", *options, "--dry-run")
        return [(c["names"].split(",")[0], c["strategy"]["optimizer"], c["strategy"]["lr"], c["strategy"]["freeze_old"])
                for c in plan["candidates"][:-1]]

    usual = [("stack", "inherit", "continue", 0), ("g_stack", "reset", "restart", 0)]
    assert rules("--pool", "stack,g_stack") == usual
    ruled = [("stack", "reset_new", "rewarm", None), ("g_stack", "reset", "restart", 0)]
    said = ("--optimizer", "reset_new", "--lr", "rewarm", "--freeze-old", "keep")
    assert rules("--pool", "stack,g_stack", *said) == ruled
    assert rules(*said, "--pool", "stack,g_stack") == ruled
    path = write(folder, "pool.json", {"pool": ["stack", "g_stack"]})
    assert rules("-f", path, *said) == ruled
    assert {one[1:] for one in rules("--freeze-old", "30")} == {("inherit", "continue", 30)}
    published = rules("--pool", "published")
    assert ("g_stack", "reset", "restart", 0) in published
    assert ("llama_pro_frozen", "reset", "restart", None) in published
    plan = ctl.json("grow", "one", "--to", "n_positions=96", "--lag", "8", "--sequence", "64", "--dry-run")
    assert plan["batch"]["tokens_per_sequence"] == 64, plan["batch"]
    ctl("grow", "one", "--to", "4", "--pool", "published", "--lr", "rewarm", status=1,
        error="recipes have rules of their own")


def see_the_run(ctl, folder, growth):
    assert re.search(r"^one +completed +60 +60 +3 ", ctl("run", "list", "--state", "completed"), re.M)
    assert re.search(r"^two +paused", ctl("ps"), re.M)
    assert "completed" not in ctl("ps") and "completed" in ctl("ps", "-a")
    assert re.search(r"^state +completed$", ctl("run", "show", "one"), re.M)
    assert len(ctl.json("run", "list", "-n", "1")["items"]) == 1
    keys = ctl("metrics", "one", "-o", "name").split()
    assert "train/loss" in keys and "val/loss" in keys
    rows = ctl("metrics", "one", "-k", "train/loss", "-k", "val/loss", "--from", "11", "--to", "20", "-o", "tsv")
    rows = [row.split("\t") for row in rows.splitlines()]
    assert rows[0] == ["step", "train/loss", "val/loss"] and [r[0] for r in rows[1:]] == [str(s) for s in range(11, 21)]
    plot = ctl("metrics", "one", "--plot")
    assert re.search("[\u2801-\u28ff]", plot) and "step 20: growth 2 to 3 layers" in plot, plot
    ascii_ctl = Client(None, **{**ctl.env, "LC_ALL": "C"})
    assert ascii_ctl("metrics", "one", "--plot").isascii() and ascii_ctl("top").isascii() and ascii_ctl("ps").isascii()
    log = ctl("logs", "one").splitlines()
    assert any("run.state  completed  step 60" in line for line in log) and not any(growth in line for line in log)
    assert ctl("logs", "one", "-n", "2").splitlines() == log[-2:]
    events = [json.loads(line) for line in ctl("events", "-o", "jsonl").splitlines()]
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    after = ctl("events", "--after", "3", "--run", "two", "-o", "tsv").splitlines()
    assert after[0].startswith("SEQ\tTIME") and all(int(line.split("\t")[0]) > 3 for line in after[1:])
    lines = [json.loads(line) for line in ctl("export", "one", "--format", "jsonl", "--from", "31").splitlines()]
    assert [line["step"] for line in lines] == list(range(31, 61))
    write_on = ("generate", "one", "And the", "-n", "12", "--seed", "3", "-t", "0.5")
    assert ctl(*write_on).startswith("And the") and ctl(*write_on) == ctl(*write_on)
    see_files(ctl, folder)
    assert re.search(r"^state +ready$", ctl("status"), re.M)
    assert "runs training" in ctl("top") and "one" in ctl("top")
    assert {row["state"] for row in ctl.json("doctor")["items"]} <= {"ok", "warning"}
    assert re.search(r"^lagctl +\d+\.\d+\.\d+\nlagd +\d", ctl("version"))
    assert json.loads(ctl("api", "GET", "/version"))["version"]
    assert json.loads(ctl("api", "POST", "/runs?dry_run=true", "-d", json.dumps(run_body("x", "old-book"))))["fits"]
    assert "lagd_build_info" in ctl("api", "GET", "/metrics")
    assert "Commands:\n  run create" in ctl("help", "run") == ctl("run", "--help")
    assert "Usage: lagctl run pause RUN" in ctl("help", "run", "pause")
    assert "_lagctl" in ctl("completion", "bash") and ctl("completion", "zsh").startswith("#compdef lagctl\n")
    assert ctl("run", "checkpoint", "one", status=4, error="completed") == ""
    assert ctl("run", "cancel", "two", "-o", "json", "-r", "enough").startswith('{\n  "id"')
    ctl("dataset", "rm", "old-book", status=4, error="is used by run one")
    assert ctl("run", "rm", "two") == "deleted two\n" and ctl("run", "rm", "one", "-q") == ""
    assert ctl("dataset", "rm", "old-book") == "deleted old-book\n"


def see_files(ctl, folder):
    items = ctl.json("ckpt", "list", "one")["items"]
    newest = items[0]["id"]
    assert newest in ctl("ckpt", "list") and items[0]["step"] == 60
    ctl("ckpt", "pull", newest, folder=folder)
    for file in items[0]["files"]:
        with open(os.path.join(folder, newest, file["name"]), "rb") as f:
            assert hashlib.sha256(f.read()).hexdigest() == file["sha256"]
    pulled = ctl("ckpt", "pull", newest, "-d", "mine/deep", folder=folder)
    assert "mine/deep/model.safetensors" in pulled
    assert sorted(os.listdir(os.path.join(folder, "mine/deep"))) == sorted(f["name"] for f in items[0]["files"])
    told = subprocess.run(ctl.command("ckpt", "export", newest, "--dtype", "bf16"), capture_output=True, env=ctl.env,
                          check=False)
    assert told.returncode == 0 and not told.stderr, told.stderr
    with tarfile.open(fileobj=io.BytesIO(told.stdout)) as archive:
        config = json.load(archive.extractfile(newest + "-hf/config.json"))
    assert config["torch_dtype"] == "bfloat16", config
    ctl("ckpt", "export", newest, "--format", "onnx", status=2, error="'onnx' is none of hf")
    ctl("ckpt", "export", newest, "--format", "gguf", "--dtype", "bf16", error="f32, f16", status=1)
    assert ctl.json("ckpt", "keep", newest)["keep"] is True
    assert ctl("ckpt", "keep", newest, "--off") == newest + ": kept no\n"
    kept = [c["id"] for c in items if c["keep"]][0]
    ctl("ckpt", "rm", kept, status=4, error="is kept: leave it to retention first")
    assert ctl("ckpt", "rm", newest) == f"deleted {newest}\n" and newest not in ctl("ckpt", "list")


def decisions_by_hand(folder):
    daemon, ctl = started(folder)
    daemon.upload("words", lagd.text())
    growths = {}
    for name in ("approved", "chosen", "rejected", "cancelled"):
        daemon.post("/runs", run_body(name, "words", schedule={"max_steps": 40}, start=False))
        growths[name] = ctl("grow", name, *GROWTH, "--manual", "-o", "name").strip()
        ctl("run", "resume", name)
    for growth in growths.values():
        ctl("wait", growth, "--for", "state=awaiting_approval", "--timeout", "60s")
    assert "It waits for you: lagctl grow approve" in ctl("grow", "show", growths["approved"])
    ctl("grow", "approve", growths["approved"])
    ctl("grow", "approve", growths["chosen"], "-c", "nobody", status=3, error="no candidate nobody")
    ctl("grow", "approve", growths["chosen"], "-c", "stack", "-r", "I like it")
    assert ctl.json("grow", "reject", growths["rejected"])["state"] == "rejected"
    assert ctl("grow", "cancel", growths["cancelled"]) == growths["cancelled"] + ": cancelled\n"
    ctl("grow", "approve", growths["rejected"], status=4)
    ctl("wait", growths["chosen"], "--timeout", "60s")
    chosen = ctl.json("grow", "show", growths["chosen"])
    assert next(c for c in chosen["candidates"] if c["id"] == chosen["decision"]["candidate"])["operator"] == "stack"
    assert "\ndecided   by a person: I like it\n" in ctl("grow", "show", growths["chosen"])
    ctl("wait", growths["rejected"], status=1, error="is rejected")
    daemon.terminate()


def grow_waits_for_the_decision(folder):
    daemon, ctl = started(folder)
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 10**6}, start=False))
    waiting = ctl.spawn("grow", "one", *GROWTH, "--wait")
    daemon.wait_for("/growths", lambda page: page["items"])
    ctl("run", "resume", "one")
    out, err = waiting.communicate(timeout=lagd.slow(60))
    assert waiting.returncode == 0 and "After a lag of 8 steps" in out, (waiting.returncode, out, err)
    assert "applied" in err and not CONTROL.search(out + err), err
    # manual: it ends when a person is needed; a growth that is withdrawn has failed
    ctl("run", "pause", "one")
    for said, model in (("n_layer=4,n_embd=64", (4, 64)), ("n_embd=64", (3, 64)), ("5", (5, 32))):
        plan = ctl.json("grow", "one", "--to", said, "--dry-run")
        assert (plan["to"]["n_layer"], plan["to"]["n_embd"]) == model, plan["to"]
    ctl("grow", "one", "--to", "n_embd=wide", "--dry-run", status=1, error="n_embd")
    both = ctl.json("grow", "one", "--to", "n_layer=4,n_embd=64", "--pool", "width", "--dry-run")
    assert {c["strategy"]["with"] for c in both["candidates"][:-1]} > {"clone_width", "lemon"}, both
    told = ctl("operators")
    assert re.search("^midas +depth +no +block=1, noise=0", told, re.M) and "recipes: stackbert, g_stack" in told, told
    told = ctl("operators", "one", "--to", "n_layer=4,n_embd=48")
    assert re.search("^lemon +width +while mix is 0 +beside stack ", told, re.M), told
    assert re.search("^clone_diagonal: .*not 48; nearest: 4 layers", told, re.M), told
    ctl("operators", "one", status=1, error="belong together")
    body = {"target": {"n_layer": 9}, "pool": ["stack"], "probe": {"steps": 4, "eval_every": 2}}
    path = write(folder, "growth.json", body)
    waiting = ctl.spawn("grow", "one", "-f", path, "--to", "4", "--wait", "-q", "-o", "json")
    growth = daemon.wait_for("/growths", lambda page: len(page["items"]) == 2)["items"][-1]
    assert growth["target"]["n_layer"] == 4, growth
    ctl("grow", "cancel", growth["id"])
    out, err = waiting.communicate(timeout=lagd.slow(60))
    assert waiting.returncode == 1 and json.loads(out)["state"] == "cancelled" and err == "", (waiting.returncode, err)
    daemon.terminate()


def exit_statuses(folder):
    token = write(folder, "token", "correct horse battery staple\n")
    os.chmod(token, 0o600)
    wrong = write(folder, "wrong", "wrong horse battery staple\n")
    daemon, ctl = started(folder)
    daemon.upload("words", lagd.text())
    path = write(folder, "run.json", run_body("one", "words", start=False))
    bad = write(folder, "bad.json", run_body("bad", "words", schedule={"max_steps": 0}))
    broken = write(folder, "broken.json", '{"name": ,}')
    ctl("run", "create", "-f", path)
    nowhere = Client(None, "--socket", os.path.join(folder, "none.sock"))
    table = [
        (ctl, ["ps"], 0, None), (ctl, ["--help"], 0, None), (ctl, ["--version"], 0, None),
        (ctl, [], 2, None), (ctl, ["fly"], 2, "no command 'fly'"), (ctl, ["run"], 2, "needs one of"),
        (ctl, ["run", "show"], 2, "needs RUN"), (ctl, ["ps", "-o", "xml"], 2, "none of"),
        (ctl, ["grow", "one"], 2, "--to"),
        (ctl, ["run", "create"], 2, "-f FILE"), (ctl, ["wait", "one", "--for", "x"], 2, "neither"),
        (ctl, ["--host", "a", "--socket", "b", "ps"], 2, "not both"), (ctl, ["api", "GET", "runs"], 2, "begins with"),
        (ctl, ["dataset", "add"], 2, "FILE"), (ctl, ["help", "fly"], 2, "no command"),
        (ctl, ["run", "create", "-f", bad], 1, "/schedule/max_steps: "),
        (ctl, ["run", "create", "-f", broken], 1, "broken.json:1:"),
        (ctl, ["run", "create", "-f", "/nonexistent"], 1, "nonexistent"),
        (ctl, ["dataset", "add", folder], 1, "is a folder"),
        (ctl, ["run", "show", "nobody"], 3, "nobody does not exist"), (ctl, ["logs", "nobody"], 3, "nobody"),
        (ctl, ["grow", "show", "gr_x"], 3, "gr_x"), (ctl, ["api", "GET", "/nowhere"], 3, ""),
        (ctl, ["run", "show", "a/b"], 3, ""),
        (ctl, ["run", "create", "-f", path], 4, "one"), (ctl, ["run", "checkpoint", "one"], 4, "possible now: resume"),
        (ctl, ["wait", "one", "--timeout", "200ms"], 7, "one is still paused"),
        (ctl, ["--token-file", "/nonexistent", "ps"], 5, "token file"),
        (nowhere, ["ps"], 6, "is lagd running"), (nowhere, ["events", "-f"], 6, "none.sock"),
        (nowhere, ["doctor"], 6, None),
        (Client(None, "-H", "127.0.0.1:1"), ["status"], 6, "127.0.0.1:1"),
        (nowhere, ["version"], 0, None), (nowhere, ["completion", "bash"], 0, None),
    ]
    for client, words, status, error in table:
        client(*words, status=status, error=error)
    problem = json.loads(ctl("run", "show", "nobody", "-o", "json", status=3, error="nobody"))
    assert problem["status"] == 404 and problem["request_id"], problem
    assert "systemctl start lagd" in nowhere("doctor", status=6)
    daemon.terminate()
    asks_for_a_token(folder, token, wrong)


def asks_for_a_token(folder, token, wrong):
    inner = os.path.join(folder, "inner")
    os.mkdir(inner)
    daemon = Daemon(inner, config=f"[auth]\ntoken_file = {token}\n")
    daemon.spawn()
    ctl = Client(daemon)
    ask = ctl.command("api", "GET", "/healthz")
    assert lagd.until(lambda: subprocess.run(ask, env=ctl.env, capture_output=True, check=False).returncode == 0,
                      30), daemon.log()
    port = daemon.port()
    tcp = Client(None, LAGD_HOST=f"127.0.0.1:{port}")
    tcp("ps", status=5, error="")
    tcp("--token-file", wrong, "ps", status=5, error="")
    assert "LAGD_TOKEN_FILE" in tcp("doctor", status=5)
    Client(None, LAGD_HOST=f"127.0.0.1:{port}", LAGD_TOKEN_FILE=token)("ps", error="no run goes on")
    # white space at the ends of a file is no part of the token, on either side
    with open(token) as f:
        words = f.read().strip()
    spaced = write(folder, "spaced", f"\ufeff  {words}\t\r\n\n")
    tcp("--token-file", spaced, "ps", error="no run goes on")
    os.chmod(spaced, 0o600)
    daemon.terminate()
    daemon.spawn(env={"LAGD_AUTH_TOKEN_FILE": spaced})
    assert lagd.until(lambda: subprocess.run(ask, env=ctl.env, capture_output=True, check=False).returncode == 0,
                      30), daemon.log()
    ctl("--token-file", token, "ps", error="no run goes on")
    daemon.terminate()


def forms_of_output(folder):
    daemon, ctl = started(folder)
    ctl("run", "list", error="no runs; create one")
    ctl("ps", error="no run goes on or waits")
    assert ctl("run", "list", "-q") == "" and ctl.json("run", "list") == {"items": [], "next_cursor": None}
    daemon.upload("words", lagd.text())
    for i in range(3):
        daemon.post("/runs", run_body(f"r{i}", "words", start=False, optim={"lr": 0.1}, note="täglich"))
    assert ctl("run", "list", "-o", "name") == "r2\nr1\nr0\n"
    table = ctl("run", "list").splitlines()
    assert re.match(r"NAME +STATE +STEP +OF", table[0]) and len(table) == 4
    rows = ctl("run", "list", "-o", "tsv").splitlines()
    assert rows[0].split("\t")[:4] == ["NAME", "STATE", "STEP", "OF"]
    assert rows[1].split("\t")[:4] == ["r2", "paused", "0", "200"]
    assert len(ctl("run", "list", "-o", "tsv", "-q").splitlines()) == 3
    lines = [json.loads(line) for line in ctl("run", "list", "-o", "jsonl").splitlines()]
    assert [line["name"] for line in lines] == ["r2", "r1", "r0"]
    assert ctl.json("run", "list")["items"] == lines == daemon.get("/runs")["items"]
    assert '"lr": 0.1,' in ctl("run", "show", "r0", "-o", "json") and "täglich" in ctl("run", "show", "r0")
    # a reader that has enough is no error of ours
    pipe = f"'{program()}' api GET /openapi.json | head -c 10 >/dev/null; echo ${{PIPESTATUS[0]}}"
    shell = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, env=ctl.env, check=False)
    assert shell.stderr == "" and shell.stdout.strip() in ("0", "141"), shell
    with open("/dev/full", "w") as disk:
        full = subprocess.run(ctl.command("ps"), stdout=disk, stderr=subprocess.PIPE, env=ctl.env, check=False)
    assert full.returncode == 1 and b"cannot write" in full.stderr, full
    daemon.terminate()


class Reader:
    """What a lagctl says, line by line, as it comes."""

    def __init__(self, process):
        self.process, self.out, self.err = process, [], []
        self.threads = [threading.Thread(target=sink.extend, args=(stream,))
                        for sink, stream in ((self.out, process.stdout), (self.err, process.stderr))]
        for thread in self.threads:
            thread.start()

    def interrupt(self):
        """Its exit status after SIGINT."""
        assert lagd.until(lambda: heeds(self.process, signal.SIGINT), 30)
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(lagd.slow(10))
        for thread in self.threads:
            thread.join()
        return status


def heeds(process, signal_number):
    """The process has a handler for the signal by now."""
    with open(f"/proc/{process.pid}/status") as f:
        caught = next(line.split()[1] for line in f if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal_number - 1) & 1)


def n_streams(daemon):
    return int(re.search(r"^lagd_sse_clients (\d+)$", daemon.request("GET", "/metrics")[2].decode(), re.M)[1])


def following(folder):
    daemon, ctl = started(folder)
    daemon.upload("words", lagd.text())
    all_of_it = Reader(ctl.spawn("events", "-f", "-o", "jsonl"))
    from_now = Reader(ctl.spawn("events", "-f", "-n", "0", "-o", "name"))
    assert lagd.until(lambda: n_streams(daemon) == 2, 30)
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 30}))
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    # over a crash: nothing is missing, nothing comes twice
    daemon.kill()
    assert lagd.until(lambda: any("connection is lost" in line for line in all_of_it.err), 30), all_of_it.err
    daemon.start()
    daemon.post("/runs", run_body("two", "words", start=False))
    last = daemon.events()[-1]["seq"]
    logs = Reader(ctl.spawn("logs", "one", "-f"))
    lines = ctl("logs", "one").splitlines()
    assert len(lines) > 3 and ctl("logs", "one", "-n", "2").splitlines() == lines[-2:], lines
    assert ctl("logs", "one", "-n", "500").splitlines() == lines and ctl("logs", "one", "-n", "0") == ""
    ctl("logs", "none", "-n", "5", status=3, error="none")
    assert lagd.until(lambda: all_of_it.out and json.loads(all_of_it.out[-1])["seq"] >= last, 30), all_of_it.err
    assert lagd.until(lambda: from_now.out and int(from_now.out[-1]) >= last, 30), from_now.err
    assert lagd.until(lambda: any("run.state  completed" in line for line in logs.out), 30), logs.err
    assert [reader.interrupt() for reader in (all_of_it, from_now, logs)] == [130, 130, 130]
    assert [json.loads(line)["seq"] for line in all_of_it.out] == list(range(1, last + 1))
    assert [int(line) for line in from_now.out] == list(range(2, last + 1)), from_now.out
    assert Reader(ctl.spawn("wait", "two")).interrupt() == 130
    daemon.terminate()


def a_large_file_is_waited_for(folder):
    """dataset add stays until the daemon has read a large file, unless it shall not."""
    data = os.path.join(folder, "data")
    os.makedirs(data)
    daemon = Daemon(folder, config=f"[storage]\ndataset_roots = {data}\n")
    daemon.start()
    ctl = Client(daemon)
    with open(os.path.join(data, "big.txt"), "wb") as f:
        f.truncate(65 << 20)
    assert "big: 68157440 tokens, vocabulary 256" in ctl("dataset", "add", "--path", "big.txt")
    said = ctl("dataset", "add", "--path", "big.txt", "--name", "later", "--no-wait")
    assert said == "later: registering, 0 of 68157440 bytes are read\n", said
    assert re.search(r"^state +(registering|ready)$", ctl("dataset", "show", "later"), re.M)
    ctl("dataset", "add", "--path", "big.txt", "--name", "later", status=4, error="later is being registered already")
    assert ctl("dataset", "rm", "later") == "deleted later\n"
    with open(os.path.join(data, "bad.bin"), "wb") as f:
        f.truncate(65 << 20)
        f.seek(60 << 20)
        f.write(b"\xff\xff")
    ctl("dataset", "add", "--path", "bad.bin", "--format", "nanogpt", "--vocab-size", "9", status=1,
        error="ids must be below 9")
    assert ctl("dataset", "list", "-o", "name") == "big\n"
    daemon.terminate()


def files_are_pipes_too(folder):
    """'-', FIFOs and process substitution wherever a file is named; a byte order mark before JSON."""
    daemon = Daemon(folder)
    daemon.start()
    text = lagd.text(30000)
    with open(os.path.join(folder, "my.txt"), "w") as f:
        f.write(text)
    with open(os.path.join(folder, "run.json"), "w") as f:
        f.write("\ufeff" + json.dumps(run_body("marked", "piped", start=False)))
    ctl = Client(daemon)

    def shell(line, status=0):
        done = subprocess.run(["bash", "-c", line, program()], cwd=folder, env=ctl.env, capture_output=True, text=True,
                              timeout=lagd.slow(60), check=False)
        assert done.returncode == status, (line, done)
        return done.stdout + done.stderr

    sha256 = hashlib.sha256(text.encode()).hexdigest()
    shell('cat my.txt | "$0" dataset add - --name piped')
    shell('"$0" dataset add <(cat my.txt) --name substituted')
    shell('mkfifo fifo && (cat my.txt > fifo & "$0" dataset add fifo)')
    for name in ("piped", "substituted", "fifo"):
        made = daemon.get(f"/datasets/{name}")
        assert (made["n_bytes"], made["sha256"]) == (30000, sha256), made
    assert "--name" in shell('cat my.txt | "$0" dataset add -', status=2)
    shell('"$0" run create -f <(cat run.json)')
    assert daemon.get("/runs/marked")["state"] == "paused"
    shell('sed s/marked/again/ run.json | "$0" run create -f -')
    assert '"third"' in shell('sed s/marked/third/ run.json | "$0" api POST /runs --data @-')
    shell('sed s/marked/fourth/ run.json > fourth.json; "$0" api POST /runs --data @<(cat fourth.json)')
    for name in ("again", "third", "fourth"):
        daemon.get(f"/runs/{name}")
    assert "is a folder" in shell('"$0" run create -f .', status=1)
    daemon.terminate()


def lost_answers(folder):
    """lagd dies once the run is made and before it says so: lagctl asks again, and there is one run."""
    daemon, ctl = started(folder)
    daemon.upload("words", lagd.text())
    daemon.kill()
    daemon.start("key.written=kill")
    body = run_body("x", "words", start=False)
    del body["name"]
    path = write(folder, "run.json", body)
    asking = ctl.spawn("run", "create", "-f", path, "-o", "json")
    daemon.process.wait(lagd.slow(30))
    daemon.start()
    out, told = asking.communicate(timeout=lagd.slow(30))
    assert asking.returncode == 0, told
    assert [r["id"] for r in daemon.get("/runs")["items"]] == [json.loads(out)["id"]]
    daemon.terminate()


def on_a_terminal(client, *words, keys=b"", signal_number=None, ready=None):
    """(exit status, what the terminal got) of a lagctl on a terminal of 120 columns. It gets the keys or the signal as
    soon as what it showed is ready."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(client.command(*words), stdin=slave, stdout=slave, stderr=slave, env=client.env)
    out, deadline, sent = b"", time.monotonic() + lagd.slow(30), False
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([master], [], [], 0.05)[0]:
            out += os.read(master, 65536)
        if ready and not sent and ready(out.decode(errors="ignore")):
            sent = True
            if keys:
                os.write(master, keys)
            if signal_number:
                process.send_signal(signal_number)
    while select.select([master], [], [], 0.05)[0]:
        out += os.read(master, 65536)
    status = process.wait(lagd.slow(5))
    assert termios.tcgetattr(slave)[3] == before[3], "the terminal is left in another mode"
    os.close(master)
    os.close(slave)
    return status, out.decode()


def terminals(folder):
    daemon, ctl = started(folder)
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("one", "words", schedule={"max_steps": 20}))
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    daemon.post("/runs", run_body("two", "words", start=False))
    status, out = on_a_terminal(ctl, "ckpt", "export", daemon.get("/runs/one/checkpoints")["items"][0]["id"])
    assert status == 2 and "nothing for a terminal: add '| tar x'" in out and len(out) < 500, out[:500]
    status, out = on_a_terminal(ctl, "ps")
    assert status == 0 and "\x1b[33mpaused\x1b[0m" in out, out
    plain = ((ctl, "--no-color"), (Client(daemon, NO_COLOR="1"), "-q"), (Client(daemon, TERM="dumb"), "-q"))
    for client, flag in plain:
        assert "\x1b" not in on_a_terminal(client, "ps", flag)[1]
    status, out = on_a_terminal(ctl, "top", "-d", "200ms", keys=b"q", ready=lambda out: out.count("q quits") > 2)
    assert status == 0 and re.search("[▁-█]", out), (status, out)
    assert out.rstrip().endswith("\x1b[?25h\x1b[?1049l"), out[-60:]
    status, out = on_a_terminal(ctl, "top", signal_number=signal.SIGINT, ready=lambda out: "q quits" in out)
    assert status == 130 and out.rstrip().endswith("\x1b[?25h\x1b[?1049l"), (status, out[-60:])
    status, out = on_a_terminal(ctl, "grow", "two", *GROWTH, "--wait", signal_number=signal.SIGINT,
                                ready=lambda out: "░" in out)
    assert status == 130 and "░" in out and "lagctl run resume two" in out, (status, out)
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(a_run_from_text_to_files, a_large_file_is_waited_for, files_are_pipes_too, decisions_by_hand,
              grow_waits_for_the_decision, exit_statuses, forms_of_output, following, lost_answers, terminals)
