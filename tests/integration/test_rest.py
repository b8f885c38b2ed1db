"""The larger answers of a real daemon and its conditional requests: reports, patches, retries, archives, comparisons."""
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

def started(folder, *flags, config=None):
    daemon = Daemon(folder, *flags, config=config)
    daemon.start()
    daemon.upload("words", lagd.text())
    return daemon


def grown(daemon, name="one", mode="auto", pool=("stack", "midas", "interleave")):
    """A run that has grown from 2 to 4 layers (or waits for approval); its growth's id."""
    daemon.post("/runs", run_body(name, "words", schedule={"max_steps": 80}, start=False))
    body = {"target": {"n_layer": 4}, "when": {"at_step": 20}, "probe": {"steps": 8, "eval_every": 4}, "pool": list(pool),
            "mode": mode, "reason": "deeper | *better*"}
    growth = daemon.post(f"/runs/{name}/growths", body)["id"]
    daemon.post(f"/runs/{name}/resume")
    until = "applied" if mode == "auto" else "awaiting_approval"
    daemon.wait_for(f"/growths/{growth}", lambda g: g["state"] == until)
    return growth


def report_tells_what_was_tried(folder):
    daemon = started(folder)
    growth = grown(daemon)
    daemon.wait_for("/runs/one", lambda r: r["state"] == "completed")
    report = daemon.get(f"/growths/{growth}/report")
    db = sqlite3.connect(f"file:{daemon.state_dir}/lagd.db?mode=ro", uri=True)
    rows = db.execute("SELECT c.id, c.position, c.eligible, p.t, avg(p.loss) FROM candidates c JOIN probe_losses p "
                      "ON p.candidate = c.number WHERE c.growth_id = ? GROUP BY c.id, p.t", (growth,)).fetchall()
    assert report["times"] == sorted({row[3] for row in rows}) and report["times"][0] == 0, report["times"]
    assert len(report["curves"]) == 4, report["curves"]  # none runs along
    means = {(row[0], row[3]): row[4] for row in rows}
    eligible = {row[0] for row in rows if row[2]}
    for k, t in enumerate(report["times"]):
        order = sorted(eligible, key=lambda c: means[c, t])
        for curve in report["curves"]:
            assert abs(curve["mean"][k] - means[curve["candidate"], t]) < 1e-12, (curve, t)
            expected = order.index(curve["candidate"]) + 1 if curve["candidate"] in eligible else None
            assert curve["rank"][k] == expected, (curve, t, order)
            assert len(curve["sparkline"]) == len(report["times"]), curve
    decision = report["growth"]["decision"]
    assert report["winner"] == decision["candidate"]
    assert report["winner"] == min(eligible, key=lambda c: means[c, report["times"][-1]])
    cost = db.execute("SELECT sum(flops) FROM candidates WHERE growth_id = ?", (growth,)).fetchone()[0]
    assert abs(report["probe_flops"] / cost - 1) < 1e-12
    origin = report["origin"]
    assert origin["seed"] == 11 and origin["parent_checkpoint"] == report["growth"]["parent_checkpoint"]
    assert origin["dataset_sha256"] == daemon.get("/datasets/words")["sha256"]
    stored = dict(db.execute("SELECT name, sha256 FROM checkpoint_files WHERE checkpoint_id = ?", (origin["parent_checkpoint"],)))
    assert origin["parent_sha256"] == stored, origin

    status, headers, data = daemon.request("GET", f"/api/v1/growths/{growth}/report?format=md")
    assert status == 200 and headers["Content-Type"].startswith("text/markdown"), headers
    text = data.decode()
    assert text.startswith("# Growth of one from 2 to 4 layers\n"), text[:80]
    assert "deeper \\| \\*better\\*" in text, text  # people's words do not format
    for curve in report["curves"]:
        assert f"`{curve['strategy']}`" in text and curve["sparkline"] in text, curve
    for word in ["## Rule", "## Decision", "## Candidates", "## Rank at every evaluated step", "## Cost", "seed of the run: 11",
                 origin["dataset_sha256"], *stored.values()]:
        assert word in text, word
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in table), table
    assert "nan" not in text.lower().replace("nano", ""), text
    assert daemon.request("GET", f"/api/v1/growths/{growth}/report?format=pdf")[0] == 400
    assert daemon.request("GET", "/api/v1/growths/gr_none/report")[0] == 404
    # a growth that has not begun has a report too
    daemon.post("/runs", run_body("two", "words", start=False))
    waiting = daemon.post("/runs/two/growths", {"target": {"n_layer": 3}, "pool": ["stack"]})["id"]
    empty = daemon.get(f"/growths/{waiting}/report")
    assert empty["times"] == [] and empty["winner"] is None and len(empty["curves"]) == 2
    assert b"Nothing was decided." in daemon.request("GET", f"/api/v1/growths/{waiting}/report?format=md")[2]
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(report_tells_what_was_tried)
