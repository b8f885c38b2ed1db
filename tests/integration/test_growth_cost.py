"""What a dry run of a growth predicts: memory against the peak that is then measured, on the safe side; time, and from
what."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

MB = 1e6


def memory_bytes(daemon, key):
    with open(f"/proc/{daemon.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":")) * 1024


def growth(daemon, run, workers, steps, mode):
    """The plan, and by how much the daemon grew at its peak."""
    body = {"target": {"n_layer": 8}, "probe": {"steps": steps, "parallel": workers, "eval_every": 1},
            "pool": "default",
            "mode": mode}
    plan = daemon.post(f"/runs/{run}/growths?dry_run=true", body)
    with open(f"/proc/{daemon.process.pid}/clear_refs", "w") as f:
        f.write("5")  # the peak begins anew
    asked = daemon.post(f"/runs/{run}/growths", body)
    ended = ("awaiting_approval",) if mode == "manual" else ("applied",)
    daemon.wait_for(f"/growths/{asked['id']}", lambda g: g["state"] in ended + ("failed", "cancelled"))
    done = daemon.get(f"/growths/{asked['id']}")
    assert done["state"] in ended, done
    assert len([c for c in done["candidates"] if c["state"] == "completed"]) >= 10, done
    return plan, memory_bytes(daemon, "VmHWM")


def memory_is_predicted(folder):
    if any(name in lagd.BEFORE for name in lagd.SANITIZERS):
        print("  (under a sanitizer memory is another thing)")
        return
    cases = [(1, "auto", "fp32", False), (2, "auto", "fp32", False), (2, "manual", "fp32", False),
             (2, "auto", "fp32", True)]
    if lagd.has_bf16():
        cases += [(1, "auto", "bf16", False), (2, "auto", "bf16", False)]
    for workers, mode, precision, recompute in cases:
        name = f"{workers} at once, {mode}, {precision}" + (", recomputed" if recompute else "")
        place = os.path.join(folder, name.replace(", ", "-"))
        os.mkdir(place)
        daemon = Daemon(place, "--threads", "2")
        daemon.start()
        daemon.upload("words", lagd.text(200000))
        rest = memory_bytes(daemon, "VmRSS")
        daemon.post("/runs", run_body("job", "words",
                                      model={"n_layer": 4, "n_embd": 128, "n_head": 4, "n_positions": 128},
                                      precision=precision, recompute=recompute, batch={"sequences": 12},
                                      schedule={"max_steps": 100000},
                                      eval={"every_steps": 100000}, checkpoint={"every_steps": 100000}))
        daemon.wait_for("/runs/job", lambda r: r["step"] >= 2)
        plan, peak = growth(daemon, "job", workers, 1, mode)
        assert plan["n_workers"] == workers, plan
        predicted, measured = plan["memory_peak_bytes"], peak - rest
        share = predicted / measured
        print(f"  {name}: predicted {predicted / MB:.1f} MB, measured {measured / MB:.1f} MB, {share:.3f}")
        assert 1.0 <= share <= 1.12, f"{name}: predicted {predicted}, measured {measured}"
        assert 0 < plan["memory_bytes"] < plan["memory_peak_bytes"], plan
        daemon.kill()


def time_is_told_from_the_run(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    daemon.post("/runs", run_body("job", "words", schedule={"max_steps": 100000}, start=False))
    body = {"target": {"n_layer": 8}, "probe": {"steps": 10}, "pool": "default"}
    guess = daemon.post("/runs/job/growths?dry_run=true", body)
    assert guess["time_basis"] == "machine" and guess["seconds_guess"] > 0, guess
    daemon.post("/runs/job/resume")
    daemon.wait_for("/runs/job", lambda r: r["step"] >= 20)
    known = daemon.post("/runs/job/growths?dry_run=true", body)
    assert known["time_basis"] == "run" and known["seconds_guess"] > 0, known
    longer = daemon.post("/runs/job/growths?dry_run=true", dict(body, probe={"steps": 100}))
    assert longer["seconds_guess"] > 3 * known["seconds_guess"], (known, longer)
    if not any(name in lagd.BEFORE for name in lagd.SANITIZERS):
        daemon.terminate()  # what it measured is kept, for the process that goes on
        daemon.start()
        again = daemon.post("/runs/job/growths?dry_run=true", body)
        assert again["time_basis"] == "run", again
        assert 0.2 < again["seconds_guess"] / known["seconds_guess"] < 5, (known, again)
    daemon.kill()


def time_left_counts_what_is_planned(folder):
    daemon = lagd.started(folder)
    daemon.post("/runs", run_body("job", "words", schedule={"max_steps": 10**6}, start=False))
    assert daemon.get("/runs/job")["seconds_left"] is None  # it does not go on by itself
    daemon.post("/runs/job/resume")
    # its own speed is the best that was seen, so it settles soon
    daemon.wait_for("/runs/job", lambda r: r["step"] >= 500)
    plain = daemon.get("/runs/job")
    assert plain["seconds_left"] > 0, plain
    assert daemon.get("/runs")["items"][0]["seconds_left"] > 0
    body = {"target": {"n_layer": 8}, "when": {"at_step": 500000}, "probe": {"steps": 1000, "eval_every": 100}}
    growth = daemon.post("/runs/job/growths", body)["id"]
    assert daemon.get(f"/growths/{growth}")["seconds_left"] is None  # it is planned
    with_growth = daemon.get("/runs/job")["seconds_left"]
    # half of its steps are made by four times the layers
    assert 1.5 < with_growth / plain["seconds_left"] < 4, (plain["seconds_left"], with_growth)
    daemon.post(f"/growths/{growth}/cancel")
    again = daemon.wait_for("/runs/job", lambda r: r["growth"] is None)["seconds_left"]
    assert again < 0.8 * with_growth, (again, with_growth)
    # a probe that takes longer than all the steps together, while it goes on
    body = {"target": {"n_layer": 8}, "probe": {"steps": 400000, "eval_every": 100000}}
    growth = daemon.post("/runs/job/growths", body)["id"]
    probing = daemon.wait_for("/runs/job", lambda r: r["state"] == "growing" and r["seconds_left"])
    assert probing["seconds_left"] > 1.5 * again, (probing["seconds_left"], again)
    of_probe = daemon.wait_for(f"/growths/{growth}", lambda g: g["seconds_left"] is not None)["seconds_left"]
    assert again / 2 < of_probe <= 1.5 * probing["seconds_left"], (of_probe, probing["seconds_left"])
    assert daemon.get("/runs/job/growths")["items"][-1]["seconds_left"] > 0
    client = os.environ.get("LAGCTL") or os.path.join(os.path.dirname(lagd.LAGD), "cli", "lagctl")
    said = subprocess.run([client, "--socket", daemon.socket, "run", "show", "job"], capture_output=True, text=True,
                          check=True).stdout
    assert "time left" in said, said
    daemon.post(f"/growths/{growth}/cancel")
    daemon.wait_for("/runs/job", lambda r: r["state"] == "running")
    assert daemon.get(f"/growths/{growth}")["seconds_left"] is None
    daemon.post("/runs/job/pause")
    assert daemon.wait_for("/runs/job", lambda r: r["state"] == "paused")["seconds_left"] is None
    daemon.kill()


def two_dry_runs_agree(folder):
    """Whatever was trained meanwhile, and in a later process."""
    daemon = lagd.started(folder, "--threads", "1")
    shape = {"n_layer": 2, "n_embd": 64, "n_head": 2, "n_positions": 64}
    daemon.post("/runs", run_body("job", "words", model=shape, schedule={"max_steps": 400},
                                  checkpoint={"every_steps": 100000}))
    daemon.wait_for("/runs/job", lambda r: r["state"] == "completed")
    daemon.post("/runs", run_body("like", "words", model=shape, schedule={"max_steps": 10000}, start=False))
    body = {"target": {"n_layer": 8}, "probe": {"steps": 100}, "pool": "default"}
    first = daemon.post("/runs/like/growths?dry_run=true", body)
    # tiny ones, whose operations take many times as long, and whose checkpoints take the time of their syncs
    for i in range(3):
        tiny = {"n_layer": 1, "n_embd": 8, "n_head": 1, "n_positions": 8}
        daemon.post("/runs", run_body(f"tiny{i}", "words", model=tiny, batch={"sequences": 1},
                                      schedule={"max_steps": 300}, checkpoint={"every_steps": 10}))
        daemon.wait_for(f"/runs/tiny{i}", lambda r: r["state"] == "completed")
    second = daemon.post("/runs/like/growths?dry_run=true", body)
    assert first["time_basis"] == second["time_basis"] == "other_runs", (first, second)
    assert abs(second["seconds_guess"] / first["seconds_guess"] - 1) < 0.15, (first, second)
    daemon.terminate()
    daemon.start()
    third = daemon.post("/runs/like/growths?dry_run=true", body)
    assert abs(third["seconds_guess"] / second["seconds_guess"] - 1) < 0.15, (second, third)
    daemon.kill()


if __name__ == "__main__":
    lagd.main(memory_is_predicted, time_is_told_from_the_run, time_left_counts_what_is_planned, two_dry_runs_agree)
