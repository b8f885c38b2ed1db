"""What a dry run of a growth predicts: memory against the peak that is then measured, on the safe side; time, and from
what."""
import os
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


if __name__ == "__main__":
    lagd.main(memory_is_predicted, time_is_told_from_the_run)
