"""A database of schema 2, which knew growths by their depths: after the upgrade every answer about its growths has the
members and values that lagd gave before it, and the shapes beside them."""
import hashlib
import json
import os
import sqlite3
import sys
from contextlib import closing

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import lagd
from lagd import Daemon

ROOT = os.path.join(HERE, "..", "..")
CONFIG = ("dataset=kjv\nmodel/n_layer=3\nmodel/n_head=4\nmodel/n_embd=128\nmodel/n_inner=512\nmodel/n_positions=64\n"
          "model/vocab_size=256\nbatch/tokens_per_sequence=64\nschedule/max_steps=600\n")
REQUEST = ("target/n_layer=6\nwhen/at_step=300\nprobe/steps=50\nprobe/max_eval_share=0.25\n"
           "mode=auto\nreason=it stalled\n")
FROM = {"n_layer": 3, "n_head": 4, "n_embd": 128, "n_inner": 512, "n_positions": 64, "vocab_size": 256,
        "head_dim": 32}
TO = dict(FROM, n_layer=6)


def make_old(state_dir):
    """As lagd 0.1.0 with schema 2 left it: a run that ended, and a growth that was applied."""
    os.makedirs(state_dir, exist_ok=True)
    with closing(sqlite3.connect(os.path.join(state_dir, "lagd.db"))) as db:
        for number, name in enumerate(("001_initial", "002_idempotency"), 1):
            with open(f"{ROOT}/storage/migrations/{name}.sql", encoding="ascii") as f:
                text = f.read()
            db.executescript(text)
            if number == 1:
                with open(f"{ROOT}/tests/storage/golden_schema_1.sql", encoding="ascii") as f:
                    db.executescript(f.read())
            db.execute("INSERT INTO schema_history VALUES (?, '0.1.0', ?, 1)",
                       (number, hashlib.sha256(text.encode()).hexdigest()))
        db.execute("UPDATE runs SET state = 'completed', growth_id = NULL, n_layer = 6, config = ?", (CONFIG,))
        db.execute("UPDATE growths SET state = 'applied', reason = 'it stalled', request = ?", (REQUEST,))
        db.execute("UPDATE candidates SET state = 'completed', strategy = ?",
                   ("midas block=1 optimizer=inherit lr=continue seed=1",))
        db.execute(f"PRAGMA application_id = {0x6c616764}")
        db.execute("PRAGMA user_version = 2")
        db.commit()


# Members of growths, candidates, decisions, rankings and runs that this version added.
ADDED = {"gated", "masked_until", "tokenizer", "tokenizer_id", "tokenizer_sha256", "documents", "document_field",
         "text_bytes", "text_sha256",
         "tokens_per_byte", "gain_flops", "gain_flops_interval", "gain_flops_t", "head_dim",
         "eval_stride", "change", "with", "with_params", "parents", "fused",
         "label", "delta", "basis", "tied_set", "tied_at_0", "p_now", "p_end", "gain", "gain_interval",
         "short_by", "n_tied", "n_evaluations", "n_reached", "freeze_old", "allocator", "max_steps", "rungs", "lag",
         "stopped", "prior", "audit", "effect", "best", "waiting_for", "seconds_left", "health", "marks",
         "from_model", "from_model_id", "tokens_per_sequence"}
# What the rule of a growth says since then.
CLOSE = (" Where those that cannot be told apart lie closer than the difference that matters, the first of them by "
         "the prior is, or, without one, in the pool.")


def strip_shapes(value):
    """An answer without what this version added; each added shape is looked at on the way."""
    if isinstance(value, list):
        return [strip_shapes(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "n_layer_from" in value:
        assert value["from"] == FROM and value["to"] == TO, value
        assert value.get("grew", True) is (True if value.get("state", "applied") == "applied" else None), value
        value = {key: item for key, item in value.items() if key not in ("from", "to", "grew")}
    if "short_by" in value:  # a decision of before is never called verified
        assert value["basis"] == "provisional" and value["tied_set"] == [value["pick_at_lag"]], value
        assert value["short_by"] == value["tied_at_0"] == [] and value["p_now"] is value["gain"] is None, value
        value = {key: item for key, item in value.items() if key != "run_flops"}
    if "eval_stride" in value:
        assert value["eval_stride"] == 1, value  # each of its evaluations was on all batches
    if "n_reached" in value:  # a ranking
        value = {key: item for key, item in value.items() if key != "n_candidates"}
    value = {key: item for key, item in value.items() if key not in ADDED}
    if "origin" in value and "stages" in value:
        assert value.pop("origin") is None, value  # no run was forked
    if "allowed_actions" in value:  # an old decision can be audited
        value["allowed_actions"] = [action for action in value["allowed_actions"] if action != "audit"]
    if "rule" in value:
        assert CLOSE in value["rule"], value["rule"]
        value["rule"] = value["rule"].replace(CLOSE, "")
    if "from_step" in value:
        assert value["shape"] == (FROM if value["from_step"] == 0 else TO), value
        value = {key: item for key, item in value.items() if key != "shape"}
    return {key: strip_shapes(item) for key, item in value.items()}


def answers_stay(folder):
    daemon = Daemon(folder)
    make_old(daemon.state_dir)
    daemon.start()
    with open(os.path.join(HERE, "growths_of_schema_2.json"), encoding="utf-8") as f:
        before = json.load(f) # what lagd answered about this database when its schema was 2
    assert len(before) == 6
    for path, expected in before.items():
        answer = strip_shapes(daemon.get(path))
        assert answer == expected, (path, answer, expected)
    status, _, text = daemon.request("GET", "/api/v1/growths/gr_1/report?format=md")
    assert status == 200 and text.decode().startswith("# Growth of first from 3 to 6 layers\n"), text
    assert os.path.exists(os.path.join(daemon.state_dir, "lagd.db.schema-2"))
    daemon.terminate()


def a_row_of_another_version_harms_nobody(folder):
    """A run with a family, precision or schedule that this lagd does not know is paused with the reason, and shown as
    it is stored; others go on."""
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    bad = {"model/arch": "llama", "precision": "fp8", "schedule/kind": "linear"}
    for name in ("good", *(str(i) for i in range(len(bad)))):
        daemon.post("/runs", lagd.run_body(name, "words", start=name == "good", schedule={"max_steps": 400}))
    daemon.wait_for("/runs/good", lambda r: r["step"] >= 20)
    daemon.terminate()
    with closing(sqlite3.connect(os.path.join(daemon.state_dir, "lagd.db"))) as db, db:
        for i, (key, value) in enumerate(bad.items()):
            config = db.execute("SELECT config FROM runs WHERE name = ?", (str(i),)).fetchone()[0]
            lines = [f"{key}={value}" if line.startswith(key + "=") else line for line in config.split("\n")]
            assert "\n".join(lines) != config
            db.execute("UPDATE runs SET config = ?, state = 'interrupted' WHERE name = ?", ("\n".join(lines), str(i)))
    daemon.start()
    daemon.wait_for("/runs/good", lambda r: r["state"] == "completed")
    listed = {run["name"]: run for run in daemon.get("/runs")["items"]}
    assert len(listed) == 1 + len(bad)
    for i, (key, value) in enumerate(bad.items()):
        run = daemon.get(f"/runs/{i}")
        assert run == listed[str(i)] and run["state"] == "paused" and run["step"] == 0, run
        told = "is not known: only gpt2 is supported" if key == "model/arch" else "must be one of "
        assert run["reason"].startswith(f"{key} {told}") and f"(got {value})" in run["reason"], run
        shown = run
        for part in key.split("/"):
            shown = shown[part]
        assert shown == value, run
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(answers_stay, a_row_of_another_version_harms_nobody)
