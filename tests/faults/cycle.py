"""One cycle of a daemon's life, as its clients see it, while something fails; then the same daemon without faults.

A cycle: start; a dataset is uploaded and one registered; two runs, of which one grows; a note, a checkpoint, words made
by the model, reports; stop in good order; start; both runs end; one is deleted; stop. A client asks again, under the
same key, for what was refused. What was answered with 2xx is acknowledged, and has to be there at the end. An
undisturbed cycle gives the numbers that every other one has to give again, to the last bit.
"""
import glob
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import lagd
from lagd import Daemon, run_body, slow

import plan

GROWTH = {"target": {"n_layer": 3}, "when": {"at_step": 12}, "probe": {"steps": 4, "eval_every": 2},
          "pool": ["stack", "llama_pro"]}
GROWS = {"start": False, "schedule": {"max_steps": 36, "warmup_steps": 4}, "eval": {"every_steps": 12},
         "checkpoint": {"every_steps": 8}, "model": {"n_embd": 16}}
BESIDE = {"seed": 12, "schedule": {"max_steps": 10, "warmup_steps": 4}, "eval": {"every_steps": 5},
          "checkpoint": {"every_steps": 5}, "model": {"n_embd": 16, "n_layer": 1}}
NOTE = "kept"
TRIES = 5           # of a client, one after the other
EXACT = ("step", "tokens", "flops", "n_params")

# Failures that end a cycle early. The word before the colon is its class in the figures of walk.py.
CLASSES = ("crash", "sanitizer", "hang", "lost", "wrong bits", "cannot go on", "run failed", "growth failed", "refused",
           "ended", "damage told", "left over", "database")


class Fault(Exception):
    """The daemon did what it must not do: (class, text)."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


class Stop(Exception):
    """A lasting fault has lasted long enough; the cycle is to be ended by SIGTERM."""


class Cycle:
    """One daemon's folder. limit: seconds after which what is waited for counts as hung."""

    def __init__(self, folder, library, limit, armed=None, lasting=None):
        os.makedirs(os.path.join(folder, "disk", "data"))
        with open(os.path.join(folder, "disk", "data", "verses.txt"), "w", encoding="utf-8") as file:
            file.write(lagd.text(9000, seed=5))
        self.folder, self.limit, self.lasting = folder, limit, lasting
        self.daemon = Daemon(folder, "--set", "train/threads=1", "--set", "storage/min_free_bytes=1M", "--set",
                             f"storage/dataset_roots={folder}/disk/data")
        self.daemon.state_dir = os.path.join(folder, "disk", "state")
        self.plan = plan.Plan(os.path.join(folder, "faults.map"))
        self.library = library
        self.asked, self.acked, self.told, self.faults = {}, {}, [], []
        self.now = time.monotonic  # what asked and seen note: power.py counts otherwise
        self.seen = {}
        self.since = None  # when the fault began
        self.stopping = False
        if armed:
            self.plan.arm(*armed)

    # --- the daemon ---

    def environment(self):
        if not self.library:
            return {}
        if callable(self.library):  # another library: what starts a program under it
            return self.library(self)
        return plan.environment(self.library, self.plan.path, os.path.join(self.folder, "disk"))

    def is_up(self, path="/readyz"):
        try:
            return self.request_meanwhile("GET", path, None, None, self.limit / lagd.SLOW)[0] == 200
        except TimeoutError:
            raise Fault("hang", f"{path} is not answered") from None
        except (OSError, lagd.http.client.HTTPException):
            return False

    def look_at_end(self, what):
        """The process is gone: by a signal that nobody sent? SIGTERM ends it at once in its first and last moments."""
        status = self.daemon.process.wait()
        if status < 0 and not (self.stopping and status == -signal.SIGTERM):
            raise Fault("crash", f"signal {-status} {what}: {self.last_words()}")
        return status

    def last_words(self):
        lines = [line for line in self.daemon.log().splitlines()
                 if " error: " in line or " warning: " in line or line.startswith("lagd: ")]
        return (lines or self.daemon.log().splitlines() or ["(nothing)"])[-1][:300]

    def bring_up(self):
        """Starts it until it is ready: a start that is refused says why, and the next one may go well."""
        tries = 0
        while tries < TRIES:
            tries += not self.lasting  # what lasts is waited for
            self.daemon.spawn(env=self.environment())
            deadline = time.monotonic() + self.limit
            while self.daemon.alive() and not self.is_up():
                self.tick()
                if time.monotonic() > deadline:
                    raise Fault("hang", f"not ready: {self.last_words()}")
                time.sleep(0.01)
            if self.daemon.alive():
                return
            status = self.look_at_end("at a start")
            self.told.append(f"a start ended with {status}: {self.last_words()}")
            if "error: " not in self.last_words() and "lagd: " not in self.last_words():
                raise Fault("ended", f"a start ended with {status} and does not say why: {self.last_words()}")
            self.pause()
        raise Fault("cannot go on", f"it does not start any more: {self.last_words()}")

    def wait_for_end(self):
        """One that answers no more, as its socket is gone or it said so, is given the time to end."""
        deadline = time.monotonic() + self.limit
        while self.daemon.alive() and not self.is_up("/livez"):
            self.tick()
            if time.monotonic() > deadline:
                raise Fault("hang", f"it neither answers nor ends: {self.last_words()}")
            time.sleep(0.02)

    def pause(self):
        """Between two tries; what lasts is given the time to pass."""
        if self.lasting:
            deadline = time.monotonic() + 0.3
            while time.monotonic() < deadline:
                self.tick()
                time.sleep(0.02)

    def tick(self):
        """A lasting fault is mended after its time, or the daemon stopped under it."""
        if not self.lasting or (self.since is None and not self.plan.failed()[0]):
            return
        self.since = self.since or time.monotonic()
        seconds, stop = self.lasting
        if time.monotonic() - self.since >= seconds:
            self.lasting = None
            if stop:
                raise Stop
            self.plan.mend()

    def request_meanwhile(self, *request):
        """A request. A lasting fault is mended, or the daemon stopped, also while it waits for its answer: what waits
        for a full disk is answered once that has room."""
        if not self.lasting:
            return self.daemon.request(*request)
        ended = []

        def run():
            try:
                ended.append((self.daemon.request(*request), None))
            except Exception as error:  # the caller's
                ended.append((None, error))
        asking = threading.Thread(target=run, daemon=True)
        asking.start()
        while asking.is_alive():
            self.tick()
            asking.join(0.02)
        answer, error = ended[0]
        if error:
            raise error
        return answer

    def stop(self):
        if not self.daemon.alive():
            self.look_at_end("before it was stopped")
            return
        self.stopping = True
        self.daemon.process.send_signal(signal.SIGTERM)
        try:
            self.daemon.process.wait(self.limit)
        except subprocess.TimeoutExpired:
            raise Fault("hang", f"SIGTERM does not end it: {self.last_words()}") from None
        status = self.look_at_end("at SIGTERM")
        self.stopping = False
        if status:
            self.told.append(f"the stop ended with {status}: {self.last_words()}")

    # --- a client ---

    def ask(self, what, method, path, body=None, kind=None):
        """An answer with 2xx, or a Fault. A client asks again when the daemon refused or the connection broke."""
        headers = {} if method in ("GET", "PATCH", "DELETE") else {"Idempotency-Key": what.replace(" ", "-")}
        if kind:
            headers["Content-Type"] = kind
        self.asked.setdefault(what, self.now())
        answer = "none"
        tries = 0
        while tries < TRIES or self.lasting:
            tries += 1
            self.tick()
            if not self.daemon.alive():
                self.look_at_end(f"at {what}")
                self.told.append(f"ended at {what}: {self.last_words()}")
                self.bring_up()
            try:
                seconds = self.limit / lagd.SLOW
                status, about, data = self.request_meanwhile(
                    method, "/api/v1" + path, body, headers, seconds)
                if status < 300:
                    is_json = about.get("Content-Type", "").startswith("application/json")
                    return self.acknowledge(what, json.loads(data) if is_json else data)
                answer = f"{status}: {json.loads(data)['detail'] if data[:1] == b'{' else data[:200]}"
                if method == "DELETE" and status == 404 and tries > 1:
                    return None
            except TimeoutError:
                raise Fault("hang", f"{what} is not answered") from None
            except (OSError, lagd.http.client.HTTPException) as error:
                answer = repr(error)
            self.told.append(f"{what} {answer}"[:400])
            self.wait_for_end()
            self.pause()
        if not self.daemon.alive():
            self.look_at_end(f"at {what}")
        raise Fault("refused", f"{what}, {TRIES} times: {answer}")

    def acknowledge(self, what, answer):
        self.acked[what] = answer
        self.seen[what] = self.now()
        return answer

    def follow(self, run, ok):
        """Until the run is as it should be: one that waits is told to go on, as its owner would."""
        deadline = time.monotonic() + self.limit
        seen, asked = None, 0
        while True:
            row = self.ask(f"look at {run}", "GET", f"/runs/{run}")
            if row["state"] == "completed":
                self.acknowledge(f"{run} completed", row)
            if ok(row):
                return row
            if row["state"] in ("failed", "cancelled", "completed"):
                raise Fault("run failed", f"{run} is {row['state']} at {row['step']}: {row['reason']}")
            if row["state"] == "paused":
                self.told.append(f"{run} paused at {row['step']}: {row['reason']}")
                asked += 1
                if asked > TRIES and not self.lasting:
                    raise Fault("cannot go on", f"{run} at {row['step']}: {row['reason']}")
                self.ask(f"resume {run} {len(self.told)}", "POST", f"/runs/{run}/resume")
                self.pause()
            if (row["state"], row["step"]) != seen:
                seen, deadline = (row["state"], row["step"]), time.monotonic() + self.limit
            elif time.monotonic() > deadline:
                raise Fault("hang", f"{run} stays {row['state']} at {row['step']}: {row['reason']}")
            time.sleep(0.01)

    # --- what they do ---

    def first_half(self):
        text = "text/plain"
        self.bring_up()
        self.ask("upload", "POST", "/datasets?name=words", lagd.text(12000), text)
        self.ask("register", "POST", "/datasets", {"name": "verses", "path": f"{self.folder}/disk/data/verses.txt"})
        self.ask("run", "POST", "/runs", run_body("grows", "words", **GROWS))
        self.ask("growth", "POST", "/runs/grows/growths", GROWTH)
        self.ask("run beside", "POST", "/runs", run_body("beside", "verses", **BESIDE))
        self.ask("start", "POST", "/runs/grows/resume")
        self.follow("grows", lambda r: r["step"] >= 14)
        self.ask("note", "PATCH", "/runs/grows", {"note": NOTE})
        row = self.ask("look at grows", "GET", "/runs/grows")
        if row["state"] == "running":
            self.ask_if_it_runs("checkpoint", "/runs/grows/checkpoint")
        self.ask("words", "POST", "/runs/grows/generate", {"prompt": "And", "n_tokens": 4})
        self.ask("report", "GET", f"/growths/{self.acked['growth']['id']}/report")
        newest = self.ask("checkpoints", "GET", "/runs/grows/checkpoints")["items"][0]
        self.ask("files", "GET", f"/checkpoints/{newest['id']}/archive.tar")
        self.ask("model", "GET", f"/checkpoints/{newest['id']}/hf.tar?dtype=f16")
        self.stop()

    def ask_if_it_runs(self, what, path):
        """Asks for what only a run that trains can do; it may have ended meanwhile."""
        try:
            self.ask(what, "POST", path)
        except Fault as fault:
            if fault.kind != "refused" or "409" not in fault.text:
                raise

    def second_half(self):
        self.bring_up()
        for run in ("beside", "grows"):
            self.follow(run, lambda r: r["state"] == "completed")
        self.ask("export", "GET", "/runs/grows/export")
        self.ask("beside's files", "GET", "/runs/beside/checkpoints")
        self.ask("delete", "DELETE", "/runs/beside")
        self.stop()

    def live(self):
        """The cycle under its fault. What must not be goes to self.faults."""
        try:
            self.first_half()
            self.second_half()
        except Stop:
            try:
                self.stop()
            except Fault as fault:
                self.faults.append(fault)
        except Fault as fault:
            self.faults.append(fault)
        finally:
            self.daemon.kill()
            self.plan.mend()

    # --- afterwards, without faults ---

    def have(self, path):
        try:
            return self.daemon.get(path)
        except lagd.Problem as problem:
            if problem.status != 404:
                raise
            return None

    def missing(self):
        """What was acknowledged and is not there."""
        growth = self.acked.get("growth") or {}
        for what, path in (("upload", "/datasets/words"), ("register", "/datasets/verses"), ("run", "/runs/grows"),
                           ("growth", f"/growths/{growth.get('id')}")):
            if what in self.acked and not self.have(path):
                yield f"{what} is gone ({path})"
        run = self.have("/runs/grows")
        if "note" in self.acked and (not run or run["note"] != NOTE):
            yield "the note of the run is gone"
        if "grows completed" in self.acked and (not run or run["state"] != "completed"):
            yield f"the run was completed, and is {run and run['state']}"
        if "run beside" in self.acked and "delete" not in self.asked and not self.have("/runs/beside"):
            yield "the run beside is gone"
        if "delete" in self.acked and self.have("/runs/beside"):
            yield "the run beside is back"

    def finish(self):
        """Makes up for what was never acknowledged, and lets the run that grows end."""
        text = {"Content-Type": "text/plain"}
        words = self.have("/datasets/words")
        if not words or words["state"] == "failed":  # its name is free
            self.daemon.call("POST", "/datasets?name=words", lagd.text(12000), text)
        if not self.have("/runs/grows"):
            self.daemon.post("/runs", run_body("grows", "words", **GROWS))
        if not self.daemon.get("/runs/grows/growths")["items"]:
            self.daemon.post("/runs/grows/growths", GROWTH)
        self.lasting = None
        self.follow("grows", lambda r: r["state"] == "completed")

    def harvest(self):
        run, growths = self.daemon.get("/runs/grows"), self.daemon.get("/runs/grows/growths")["items"]
        bad = [f"{g['state']}: {g['reason']}" for g in growths if g["state"] != "applied"]
        if bad or len(growths) != 1:
            raise Fault("growth failed", "; ".join(bad) or f"{len(growths)} growths")
        growth = self.daemon.get(f"/growths/{growths[0]['id']}")
        names = {c["id"]: c["operator"] for c in growth["candidates"]}
        return {"points": self.daemon.points("grows"), "weights": self.daemon.final_weights("grows"),
                "probes": sorted((c["operator"], c["loss_at_0"], c["loss_at_lag"]) for c in growth["candidates"]),
                "winner": names[growth["decision"]["candidate"]], **{name: run[name] for name in EXACT}}

    def compare(self, expected):
        found = self.harvest()
        for name in expected or {}:
            if found[name] != expected[name]:
                a, b = found[name], expected[name]
                if name == "points":
                    a, b = ({s: x.get(s) for s in set(a) | set(b) if a.get(s) != b.get(s)} for x in (a, b))
                self.faults.append(Fault("wrong bits", f"{name}: {str(a)[:200]}, not {str(b)[:200]}"))
        return found

    def look_for_traces(self):
        """Events and files that should not be there."""
        for event in self.daemon.events():
            if event["type"] in ("determinism.mismatch", "checkpoint.damaged"):
                kind = "wrong bits" if "mismatch" in event["type"] else "damage told"
                self.faults.append(Fault(kind, str(event.get("message"))[:300]))
        listed = {c["id"] for c in self.daemon.get("/runs/grows/checkpoints")["items"]}
        self.daemon.terminate(self.limit / lagd.SLOW)
        state = self.daemon.state_dir
        left = {path for pattern in ("uploads/*", "**/.*", "**/*.tmp-*")
                for path in glob.glob(f"{state}/{pattern}", recursive=True)}
        if left:
            self.faults.append(Fault("left over", ", ".join(os.path.relpath(p, state) for p in sorted(left)[:5])))
        if not listed:
            self.faults.append(Fault("lost", "the run has no checkpoint"))
        db = sqlite3.connect(f"file:{state}/lagd.db?mode=ro", uri=True)
        verdict = [row[0] for row in db.execute("PRAGMA integrity_check")]
        verdict += db.execute("PRAGMA foreign_key_check").fetchall()
        db.close()
        if verdict != ["ok"]:
            self.faults.append(Fault("database", str(verdict)[:300]))

    def judge(self, expected):
        """Starts once more, without faults, and looks at everything; the numbers of the run."""
        self.library, self.lasting, found = None, None, None
        try:
            self.bring_up()
            self.faults += [Fault("lost", what) for what in self.missing()]
            self.finish()
            found = self.compare(expected)
            self.look_for_traces()
        except Fault as fault:
            self.faults.append(fault)
        except (OSError, lagd.Problem, lagd.http.client.HTTPException, AssertionError) as error:
            self.faults.append(Fault("cannot go on", repr(error)[:400]))
        finally:
            self.daemon.kill()
        reports = lagd.sanitizer_reports(self.folder) + lagd.refused_moves(self.folder)
        self.faults += [Fault("sanitizer", report[:2000]) for report in reports[:2]]
        return found


def limit_of(seconds):
    """What takes so much longer than an undisturbed cycle hangs."""
    return slow(20) + 10 * seconds
