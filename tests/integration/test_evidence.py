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


def t_central(nu, t, n=4000):
    """P(|T| <= t) by integrating the density with Simpson's rule."""
    scale = math.exp(math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)) / math.sqrt(nu * math.pi)

    def density(x):
        return scale * (1 + x * x / nu) ** (-(nu + 1) / 2)

    # x = t·s^3 puts more points near 0 for large t; the integral over [-t, t] is twice that over [0, t]
    h = 1.0 / n
    total = 0.0
    for i in range(n + 1):
        s = i * h
        weight = 1 if i in (0, n) else 4 if i % 2 else 2
        total += weight * density(t * s ** 3) * 3 * t * s * s
    return 2 * total * h / 3


def t_quantile(nu, confidence=0.95):
    """By bisecting; checked against the printed table."""
    low, high = 0.0, 64.0
    for _ in range(60):
        middle = (low + high) / 2
        if t_central(nu, middle) < confidence:
            low = middle
        else:
            high = middle
    if nu <= len(T_TABLE) and confidence == 0.95:
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


# --- the verdict from its definitions ---

def phase(candidate, t):
    return ((t > candidate["rewarm_steps"] and t > candidate["warmup"]) + (t > candidate["decays_from"]))


def find_phases(candidate, growth, config):
    """Steps since the growth at which a warm-up ends and WSD's decay begins."""
    start = growth["start_step"]
    origin = start if "lr=restart" in (candidate["strategy"] or "") else 0
    warm, last = origin + int(config["schedule/warmup_steps"]), int(config["schedule/max_steps"])
    candidate["warmup"], candidate["decays_from"] = max(0, warm - start), math.inf
    if config["schedule/kind"] == "wsd" and last > warm:
        stable = 1 - float(config["schedule/decay_fraction"])
        first = next(s for s in range(warm, last + 2) if (s - warm) / (last - warm) > stable)
        candidate["decays_from"] = max(0, first - start)


def compare(a, b, tail):
    """(mean, standard error, degrees of freedom) of a - b over the tail."""
    rows = [[x - y for x, y in zip(a["losses"][t], b["losses"][t])] for t in tail]
    m, n = len(rows), len(rows[0])
    batches = [mean([row[j] for row in rows]) for j in range(n)]
    middle = mean(batches)
    over_batches = sum((x - middle) ** 2 for x in batches) / (n - 1) / n
    if m == 1:
        return middle, math.sqrt(over_batches), n - 1
    means = [mean(row) for row in rows]
    slope, centre = 0.0, mean(tail)
    if m > 2:
        slope = (sum((t - centre) * (u - mean(means)) for t, u in zip(tail, means))
                 / sum((t - centre) ** 2 for t in tail))
    rest = [u - mean(means) - slope * (t - centre) for t, u in zip(tail, means)]
    squares, df = sum(e * e for e in rest), m - 2 if m > 2 else 1
    rho = max(0, sum(x * y for x, y in zip(rest, rest[1:])) / squares) if squares else 0
    over_times = (1 + 2 * rho) * squares / df / m
    both = over_batches + over_times
    nu = both ** 2 / (over_batches ** 2 / (n - 1) + over_times ** 2 / df) if over_times else n - 1
    return middle, math.sqrt(both), max(1, math.floor(nu + 1e-9))


def chance(pair):
    middle, error, nu = pair
    if middle == 0 or error == 0:
        return 0.5 if middle == 0 else float(middle > 0)
    t = abs(middle) / error
    closed = {1: 2 / math.pi * math.atan(t), 2: t / math.sqrt(2 + t * t)}  # their tails are too long to integrate
    half = (closed[nu] if nu in closed else t_central(nu, min(64.0, t))) / 2
    return 0.5 + half if middle > 0 else 0.5 - half


def interval(pair):
    half = t_quantile(pair[2]) * pair[1] if pair[1] else 0.0
    return pair[0], pair[0] - half, pair[0] + half


def recompute(database, growth_id):
    """The decision of a growth from its rows, by the definitions of the method."""
    growth = database.one("SELECT * FROM growths WHERE id = ?", growth_id)
    text = database.one("SELECT config FROM runs WHERE id = ?", growth["run_id"])["config"]
    config = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    candidates = database.rows("SELECT * FROM candidates WHERE growth_id = ? ORDER BY position", growth_id)
    lag = growth["probe_steps"]
    for candidate in candidates:
        candidate["losses"] = database.losses(candidate["number"])
        find_phases(candidate, growth, config)
        for t, batches in candidate["losses"].items():  # full, or what the run itself validates on
            n_small = growth["n_batches"] // growth["eval_stride"]
            assert len(batches) in (growth["n_batches"], n_small), (candidate["op"], t)
            assert t not in (0, lag) or len(batches) == growth["n_batches"]
    living = [c for c in candidates if c["state"] == "completed"]
    times = sorted(set.intersection(*(set(c["losses"]) for c in living)))
    assert times[0] == 0 and times[-1] == lag
    ranked = [c for c in living if c["eligible"]]
    reference = next((c for c in living if c["op"] == "none"), None)
    tail = [t for t in times if lag // 2 < t and all(phase(c, t) == phase(c, lag) for c in ranked)
            and len(ranked[0]["losses"][t]) == growth["n_batches"]]

    def at(c, t):
        return mean(c["losses"][t])

    def order(t):
        return sorted(ranked, key=lambda c: (at(c, t), c["position"]))

    half = max(t for t in times if t <= lag // 2)
    first, second = (order(lag) + [None])[:2]
    lowest = [c["id"] for c in ranked if at(c, 0) == min(at(one, 0) for one in ranked)]
    alpha = 6 * 0.05 / math.pi ** 2
    tied = [c for c in ranked if c is first or not any(
        other is not c and chance(compare(c, other, tail)) > 1 - alpha / (len(ranked) - 1) for other in ranked)]
    others = [c for c in ranked if c is not first]
    ahead = [compare(c, first, tail) for c in others]
    short = [reference is not None and reference is not first
             and not all(at(first, t) < at(reference, t) for t in times[-2:]),
             any(0 < c["rewarm_steps"] >= lag for c in ranked), any(0 < c["warmup"] >= lag for c in ranked),
             any(lag > c["decays_from"] for c in ranked)]
    spread = [compare(c, first, tail)[0] for c in tied if c is not first] + [0]
    if len(tied) > 1:
        basis = "nothing_to_decide" if max(spread) - min(spread) < 0.005 else "tied"
    else:
        verified = others and not any(short) and all(chance(pair) > 1 - alpha / 2 for pair in ahead)
        basis = "verified" if verified else "provisional"
    pick = tied[0] if basis == "nothing_to_decide" else first
    result = {"pick_at_0": lowest[0],
              "tied_at_0": ",".join(lowest) if len(lowest) > 1 else None, "pick_at_lag": first["id"],
              "candidate": pick["id"], "basis": basis, "tied_set": ",".join(c["id"] for c in tied),
              "ranks": {t: [c["id"] for c in order(t)] for t in times},
              "tau": tau_b([at(c, half) for c in ranked], [at(c, lag) for c in ranked]),
              "tau_0": tau_b([at(c, 0) for c in ranked], [at(c, lag) for c in ranked]),
              "flops": sum(c["flops"] for c in candidates), "tied": len(tied) > 1, "lag_short": any(short),
              "short_by": sum(flag << i for i, flag in enumerate(short)),
              "p_now": max(0.0, 1 - sum(1 - chance(pair) for pair in ahead))}
    if second:
        middle, low, high = interval(compare(second, first, tail))
        result.update(runner_up=second["id"], margin=middle, margin_low=low, margin_high=high)
    if reference and reference is not pick:
        result["gain"], result["gain_low"], result["gain_high"] = interval(compare(reference, pick, tail))
    return growth, candidates, result


def close(a, b, tolerance=1e-9):
    if a is None or b is None:
        return a is None and b is None
    return abs(a - b) <= tolerance * max(1, abs(a), abs(b))


def check_decision(daemon, database, growth_id):
    growth, candidates, again = recompute(database, growth_id)
    stored = database.one("SELECT * FROM decisions WHERE growth_id = ?", growth_id)
    by_person = stored["decided_by"] == "user"
    for key in ("pick_at_0", "tied_at_0", "pick_at_lag", "runner_up", "tied_set"):
        assert stored[key] == again.get(key), (key, stored[key], again.get(key))
    for key in () if by_person else ("candidate", "basis"):
        assert stored[key] == again[key], (key, stored[key], again[key])
    for key, tolerance in (("margin", 1e-12), ("tau", 1e-12), ("tau_0", 1e-12), ("flops", 1e-12), ("margin_low", 1e-7),
                           ("margin_high", 1e-7), ("p_now", 1e-7), ("gain", 1e-12), ("gain_low", 1e-7),
                           ("gain_high", 1e-7)):
        if by_person and key.startswith("gain"):
            continue  # of what the rule proposed
        assert close(stored[key], again.get(key), tolerance), (key, stored[key], again.get(key))
    for key in ("tied", "lag_short", "short_by"):
        assert stored[key] == again[key], (key, stored, again)
    shown = daemon.get(f"/growths/{growth_id}/decision")
    assert shown["tied_set"] == stored["tied_set"].split(",") and shown["p_end"] is None and shown["delta"] == 0.005
    assert shown["pick_at_lag"] in shown["tied_set"]
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
                "probe": {"steps": 11, "eval_every": 3, "eval_batches": 9, "max_eval_share": 0.9}},
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
        if name == "odd":
            counts = {t: len(batches) for t, batches in candidates[0]["losses"].items()}
            assert growth["eval_stride"] == 4 and set(counts.values()) == {2, 8}, counts
        seen[name] = stored
        if name == "odd":
            assert stored["candidate"] == other["id"] and stored["basis"] == "person", stored
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


def check_ages(daemon, name, rule, moments, freeze, start, last, ramp):
    """stack 2 → 4 copies layers 0 and 1 on top of themselves: 2 and 3 are new, and all but them may be frozen."""
    until = {0: 0, "keep": 2 ** 63 - 1}.get(freeze, start + freeze if isinstance(freeze, int) else None)
    manifest = manifest_of(daemon, daemon.get(f"/runs/{name}/checkpoints")["items"][0]["id"])
    assert manifest["step"] == last and manifest["schedule_origin"] == (start if rule == "restart" else 0), manifest
    layers = set()
    for segment in manifest["segments"]:
        parts = segment["tensor"].split(".")
        layer = int(parts[2]) if parts[1] == "h" else None
        layers.add(layer)
        is_new = layer in (2, 3)
        fresh = moments == "reset" or moments == "reset_new" and is_new
        frozen = max(0, min(until, last) - start) if not is_new else 0
        assert segment["age"] == (last - start if fresh else last) - frozen, (name, segment)
        assert segment.get("frozen_until", 0) == (0 if is_new else until), (name, segment)
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
    n_batches = sum(len(batches) for batches in database.losses(winner["number"]).values())
    eval_tokens = n_batches * growth["eval_sequences"] * config["model"]["n_positions"]
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
                cases[f"{kind}-{rule}-{moments}"] = (kind, rule, moments, 0)
    cases["frozen"] = ("wsd", "continue", "inherit", 15)  # beyond the probe
    cases["kept"] = ("cosine", "restart", "reset", "keep")
    growths = {}
    for name, (kind, rule, moments, freeze) in cases.items():
        strategy = {"operator": "stack", "lr": rule, "optimizer": moments}
        if freeze:
            strategy["freeze_old"] = freeze
        if rule.startswith("rewarm"):
            strategy["rewarm_steps"] = ramp
        body = {"target": {"n_layer": 4}, "when": {"at_step": start}, "probe": {"steps": lag}, "pool": [strategy]}
        growths[name] = grown(daemon, name, body, schedule={"kind": kind, "warmup_steps": 4, "max_steps": last},
                              model={"n_embd": 16}, eval={"every_steps": 15})
    database = Database(daemon)
    for name, (kind, rule, moments, freeze) in cases.items():
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
        check_ages(daemon, name, rule, moments, freeze, start, last, ramp)
        config["model"]["n_embd"], config["eval"]["every_steps"] = 16, 15
        check_accounts(daemon, database, name, config, growths[name], start, lag)
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(decisions_follow_from_rows, learning_rates_and_ages)
