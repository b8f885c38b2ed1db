"""What lagd concludes can be concluded again from lagd.db by somebody else: here with Python's sqlite3 alone.

Independent of the daemon's code: ranks, picks, margin with its Student-t interval, Kendall's tau, FLOPs of a decision;
learning rates by the schedule and the rules of a growth; tokens, FLOPs and ages of the grown run.
"""
import json
import math
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lagd
from lagd import Daemon, run_body

# Two-sided 95 % quantiles of Student's t for 1 … 15 degrees of freedom, as tables print them.
T_TABLE = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131]


def t_quantile(nu, confidence=0.95):
    """By integrating the density with Simpson's rule and bisecting; checked against the printed table."""
    scale = math.exp(math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)) / math.sqrt(nu * math.pi)

    def density(x):
        return scale * (1 + x * x / nu) ** (-(nu + 1) / 2)

    def central(t, n=4000):
        # x = t·s^3 puts more points near 0 for large t; the integral over [-t, t] is twice that over [0, t]
        h = 1.0 / n
        total = 0.0
        for i in range(n + 1):
            s = i * h
            weight = 1 if i in (0, n) else 4 if i % 2 else 2
            total += weight * density(t * s ** 3) * 3 * t * s * s
        return 2 * total * h / 3

    low, high = 0.0, 64.0
    for _ in range(60):
        middle = (low + high) / 2
        if central(middle) < confidence:
            low = middle
        else:
            high = middle
    if nu <= len(T_TABLE):
        assert abs(low - T_TABLE[nu - 1]) < 6e-4, (nu, low)
    return low


def tau_b(a, b):
    """Kendall's tau_b from the definition: pairs, ties counted on each side."""
    n = len(a)
    concordant = discordant = ties_a = ties_b = 0
    for i in range(n):
        for j in range(i):
            x, y = a[i] - a[j], b[i] - b[j]
            ties_a += x == 0
            ties_b += y == 0
            if x * y > 0:
                concordant += 1
            elif x * y < 0:
                discordant += 1
    pairs = n * (n - 1) // 2
    below = math.sqrt((pairs - ties_a) * (pairs - ties_b))
    return (concordant - discordant) / below if below else None


def mean(values):
    return sum(values) / len(values)


class Database:
    def __init__(self, daemon):
        path = os.path.join(daemon.state_dir, "lagd.db")
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.db.row_factory = sqlite3.Row

    def rows(self, sql, *args):
        return [dict(row) for row in self.db.execute(sql, args)]

    def one(self, sql, *args):
        rows = self.rows(sql, *args)
        assert len(rows) == 1, (sql, args, rows)
        return rows[0]

    def losses(self, number):
        """{t: [loss per batch]}"""
        curves = {}
        for row in self.rows("SELECT t, batch, loss FROM probe_losses WHERE candidate = ? ORDER BY t, batch", number):
            curves.setdefault(row["t"], []).append(row["loss"])
        return curves


def recompute(database, growth_id):
    """The decision of a growth from its rows, by the definitions of the method."""
    growth = database.one("SELECT * FROM growths WHERE id = ?", growth_id)
    candidates = database.rows("SELECT * FROM candidates WHERE growth_id = ? ORDER BY position", growth_id)
    lag = growth["probe_steps"]
    for candidate in candidates:
        candidate["losses"] = database.losses(candidate["number"])
        for t, batches in candidate["losses"].items():
            assert len(batches) == growth["n_batches"], (candidate["op"], t)
    living = [c for c in candidates if c["state"] == "completed"]
    times = sorted(set.intersection(*(set(c["losses"]) for c in living)))
    assert times[0] == 0 and times[-1] == lag
    ranked = [c for c in living if c["eligible"]]

    def order(t):
        return sorted(ranked, key=lambda c: (mean(c["losses"][t]), c["position"]))

    half = max(t for t in times if t <= lag // 2)
    first, second = (order(lag) + [None])[:2]
    result = {"pick_at_0": order(0)[0]["id"], "pick_at_lag": first["id"],
              "ranks": {t: [c["id"] for c in order(t)] for t in times},
              "tau": tau_b([mean(c["losses"][half]) for c in ranked], [mean(c["losses"][lag]) for c in ranked]),
              "tau_0": tau_b([mean(c["losses"][0]) for c in ranked], [mean(c["losses"][lag]) for c in ranked]),
              "flops": sum(c["flops"] for c in candidates), "tied": False}
    if second:
        differences = [b - a for a, b in zip(first["losses"][lag], second["losses"][lag])]
        n, middle = len(differences), mean(differences)
        spread = math.sqrt(sum((d - middle) ** 2 for d in differences) / (n - 1) / n)
        half_width = t_quantile(n - 1) * spread
        result.update(runner_up=second["id"], margin=middle, margin_low=middle - half_width,
                      margin_high=middle + half_width, tied=middle - half_width <= 0 <= middle + half_width)
    result["lag_short"] = (any(c["rewarm_steps"] > 0 and lag <= c["rewarm_steps"] for c in ranked)
                           or mean(first["losses"][lag]) > growth["parent_loss"])
    return growth, candidates, result


def close(a, b, tolerance=1e-9):
    if a is None or b is None:
        return a is None and b is None
    return abs(a - b) <= tolerance * max(1, abs(a), abs(b))


def check_decision(daemon, database, growth_id):
    growth, candidates, again = recompute(database, growth_id)
    stored = database.one("SELECT * FROM decisions WHERE growth_id = ?", growth_id)
    for key in ("pick_at_0", "pick_at_lag", "runner_up"):
        assert stored[key] == again.get(key), (key, stored[key], again.get(key))
    for key, tolerance in (("margin", 1e-12), ("tau", 1e-12), ("tau_0", 1e-12), ("flops", 1e-12), ("margin_low", 1e-7),
                           ("margin_high", 1e-7)):
        assert close(stored[key], again.get(key), tolerance), (key, stored[key], again.get(key))
    assert bool(stored["tied"]) == again["tied"] and bool(stored["lag_short"]) == again["lag_short"], (stored, again)
    for t, ids in again["ranks"].items():
        ranking = daemon.get(f"/growths/{growth_id}/ranking?at_step={t}")
        shown = [e["candidate"] for e in sorted(ranking["items"], key=lambda e: e["rank"] or 10 ** 6) if e["rank"]]
        assert shown == ids, (t, shown, ids)
    for c in candidates:
        if c["state"] == "completed":
            assert c["loss_at_0"] == mean(c["losses"][0])
            assert c["loss_at_lag"] == mean(c["losses"][growth["probe_steps"]])
    return growth, candidates, stored



# --- decisions --------------------------------------------------------------------------------------------------------

def grown(daemon, name, growth, **changes):
    """A run that grows as asked and ends; the growth's id."""
    daemon.post("/runs", run_body(name, "words", start=False, **changes))
    growth = daemon.post(f"/runs/{name}/growths", growth)["id"]
    daemon.post(f"/runs/{name}/resume")
    return growth


def decisions_follow_from_rows(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    probe = {"steps": 24, "eval_every": 5}
    asked = {
        "many": {"target": {"n_layer": 5}, "when": {"at_step": 30}, "probe": probe, "pool": "default"},
        "one": {"target": {"n_layer": 3}, "when": {"at_step": 30}, "probe": {"steps": 7}, "pool": ["stack"]},
        "none": {"target": {"n_layer": 4}, "when": {"at_step": 30}, "probe": {"steps": 9}, "allow_none": True,
                 "pool": [{"operator": "stack", "optimizer": "reset", "lr": "rewarm", "rewarm_steps": 900},
                          {"operator": "midas", "optimizer": "reset", "lr": "rewarm", "rewarm_steps": 900}]},
        "short": {"target": {"n_layer": 4}, "when": {"at_step": 30}, "probe": {"steps": 4, "eval_every": 1},
                  "pool": [{"operator": "stack", "lr": "rewarm", "rewarm_steps": 4}, "llama_pro"]},
        "odd": {"target": {"n_layer": 4}, "when": {"at_step": 30}, "mode": "manual",
                "pool": ["stack", "midas", "llama_pro"],
                "probe": {"steps": 11, "eval_every": 3, "eval_batches": 2, "max_eval_share": 0.9}},
        "dropped": {"target": {"n_layer": 4}, "when": {"at_step": 30},
                    "pool": ["stack", "random", "llama_pro", "zero_stack"],
                    "probe": {"steps": 12, "eval_every": 2, "divergence_bound": 0.02}},
    }
    growths = {name: grown(daemon, name, body, schedule={"max_steps": 60}) for name, body in asked.items()}
    waiting = daemon.wait_for(f"/growths/{growths['odd']}", lambda g: g["state"] == "awaiting_approval")
    pick = waiting["decision"]["candidate"]
    other = next(c for c in waiting["candidates"] if c["operator"] != "none" and c["id"] != pick)
    daemon.post(f"/growths/{growths['odd']}/decision", {"candidate": other["id"], "reason": "a test"})
    for name in asked:
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
    database = Database(daemon)
    seen = {}
    for name, id in growths.items():
        if database.one("SELECT state FROM growths WHERE id = ?", id)["state"] == "failed":
            assert name == "dropped", name
            continue
        growth, candidates, stored = check_decision(daemon, database, id)
        assert growth["state"] == "applied"
        seen[name] = stored
        assert stored["candidate"] == (other["id"] if name == "odd" else stored["pick_at_lag"]), stored
    assert seen["one"]["runner_up"] is None and seen["one"]["margin"] is None and seen["one"]["tau"] is None
    assert seen["odd"]["decided_by"] == "user" and seen["many"]["decided_by"] == "lag"
    assert seen["short"]["lag_short"] and "lag is short" in seen["short"]["verdict"]
    none = database.one("SELECT id FROM candidates WHERE growth_id = ? AND op = 'none'", growths["none"])["id"]
    assert seen["none"]["candidate"] == none, seen["none"]["verdict"]
    assert daemon.get("/runs/none")["model"]["n_layer"] == 2
    daemon.terminate()


# --- learning rates, ages, tokens, FLOPs -----------------------------------------------------------------------------

def schedule_lr(config, step, origin=0):
    """Learning rate of the update that makes step + 1 of step (architecture: pure function of the step)."""
    schedule, peak = config["schedule"], config["optim"]["lr"]
    warmup, last, low = schedule.get("warmup_steps", 0), schedule["max_steps"], schedule.get("min_lr", 0)
    t = step - origin
    if t < warmup:
        return peak * (t + 1) / warmup
    part = min(1.0, (t - warmup) / (last - origin - warmup))
    if schedule["kind"] == "constant":
        return peak
    if schedule["kind"] == "cosine":
        return low + (peak - low) * (1 + math.cos(math.pi * part)) / 2
    decay = schedule.get("decay_fraction", 0.2)
    return peak if part <= 1 - decay else low + (peak - low) * (1 - part) / decay


def manifest_of(daemon, checkpoint):
    return json.loads(daemon.request("GET", f"/api/v1/checkpoints/{checkpoint}/files/manifest.json")[2])


def check_ages(daemon, name, rule, moments, start, last, ramp):
    """stack 2 → 4 copies layers 0 and 1 on top of themselves: 2 and 3 are new."""
    manifest = manifest_of(daemon, daemon.get(f"/runs/{name}/checkpoints")["items"][0]["id"])
    assert manifest["step"] == last and manifest["schedule_origin"] == (start if rule == "restart" else 0), manifest
    layers = set()
    for segment in manifest["segments"]:
        parts = segment["tensor"].split(".")
        layer = int(parts[2]) if parts[1] == "h" else None
        layers.add(layer)
        is_new = layer in (2, 3)
        fresh = moments == "reset" or moments == "reset_new" and is_new
        assert segment["age"] == (last - start if fresh else last), (name, segment)
        ramps = rule == "rewarm" or rule == "rewarm_new" and is_new
        wanted = (start, ramp) if ramps else (0, 0)
        assert (segment["rewarm_from"], segment["rewarm_steps"]) == wanted, (name, segment)
    assert layers == {None, 0, 1, 2, 3}


def flops_a_token(config, n_layer):
    """Training; an evaluation is a third of it (Kaplan et al.: 6 N, and attention's part)."""
    model = config["model"]
    d, context = model["n_embd"], model["n_positions"]
    n_params = 256 * d + n_layer * (12 * d * d + 13 * d) + 2 * d
    return 6 * n_params + 12 * n_layer * d * context


def check_accounts(daemon, database, name, config, growth_id, start, lag):
    """Tokens and FLOPs of a run that grew: its own steps and evaluations, and the winner's probe."""
    run = daemon.get(f"/runs/{name}")
    row = database.one("SELECT step, tokens, flops FROM runs WHERE name = ?", name)
    growth = database.one("SELECT * FROM growths WHERE id = ?", growth_id)
    last, every = config["schedule"]["max_steps"], config["eval"]["every_steps"]
    tokens = config["batch"]["sequences"] * config["model"]["n_positions"]
    assert row["step"] == last and row["tokens"] == last * tokens, row

    def part(begin, end, n_layer, at_begin=False):
        evaluations = [s for s in range(begin + 1, end + 1) if s % every == 0 or s == last] + [0] * at_begin
        each = flops_a_token(config, n_layer)
        return (end - begin) * tokens * each + len(evaluations) * config["eval"]["batches"] * tokens * each / 3

    winner = database.one("SELECT c.* FROM candidates c JOIN decisions d ON d.candidate = c.id WHERE d.growth_id = ?",
                          growth_id)
    after = growth["from_n_layer"] if winner["op"] == "none" else growth["to_n_layer"]
    n_times = len(database.losses(winner["number"]))
    eval_tokens = n_times * growth["n_batches"] * growth["eval_sequences"] * config["model"]["n_positions"]
    probe = (lag * tokens + eval_tokens / 3) * flops_a_token(config, after)
    assert close(winner["flops"], probe, 1e-12), (name, winner["flops"], probe)
    whole = part(0, start, growth["from_n_layer"], True) + probe + part(start + lag, last, after)
    assert close(row["flops"], whole, 1e-12), (name, row["flops"], whole, row["flops"] - whole)
    return run


def learning_rates_and_ages(folder):
    daemon = Daemon(folder)
    daemon.start()
    daemon.upload("words", lagd.text())
    start, lag, last, ramp = 20, 12, 60, 5
    cases = {}
    for kind in ("wsd", "cosine", "constant"):
        for rule in ("continue", "rewarm", "rewarm_new", "restart"):
            for moments in ("inherit", "reset", "reset_new"):
                if kind != "wsd" and moments != "reset_new":
                    continue
                cases[f"{kind}-{rule}-{moments}"] = (kind, rule, moments)
    growths = {}
    for name, (kind, rule, moments) in cases.items():
        strategy = {"operator": "stack", "lr": rule, "optimizer": moments}
        if rule.startswith("rewarm"):
            strategy["rewarm_steps"] = ramp
        body = {"target": {"n_layer": 4}, "when": {"at_step": start}, "probe": {"steps": lag}, "pool": [strategy]}
        growths[name] = grown(daemon, name, body, schedule={"kind": kind, "warmup_steps": 4, "max_steps": last},
                              model={"n_embd": 16}, eval={"every_steps": 15})
    database = Database(daemon)
    for name, (kind, rule, moments) in cases.items():
        daemon.wait_for(f"/runs/{name}", lambda r: r["state"] == "completed")
        config = run_body(name, "words", schedule={"kind": kind, "warmup_steps": 4, "max_steps": last})
        points = daemon.points(name)
        for step in range(last):
            grew = step >= start
            expected = schedule_lr(config, step, start if grew and rule == "restart" else 0)
            if grew and rule == "rewarm" and step - start < ramp:
                expected *= (step - start + 1) / ramp
            seen = points[step + 1]["optim/lr"]
            assert close(seen, expected, 1e-12), (name, step, seen, expected)
        check_ages(daemon, name, rule, moments, start, last, ramp)
        config["model"]["n_embd"], config["eval"]["every_steps"] = 16, 15
        check_accounts(daemon, database, name, config, growths[name], start, lag)
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(decisions_follow_from_rows, learning_rates_and_ages)
