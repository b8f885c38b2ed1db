#!/usr/bin/python3
"""Growths in width, and in depth and width at once, on a text: what LAG makes of them, and what studies say of that.

usage: growths.py LAGD TEXT [FOLDER] [--quick]

For each way, and for a parent that has trained a little and one that has trained long: a study of the operators to a
horizon, and loss curves at equal FLOPs of runs that grow by LAG early or late, and of one that trains from scratch.
FOLDER (build-studies/growths) keeps lagd's state: a second call goes on where the first one ended, also after kill -9.
Reports and curves are written to FOLDER/reports as JSON, Markdown and SVG. About 20 minutes of one core; --quick
takes a hundredth of the steps and one seed, to see that all of it works.
"""
import os
import sys

import plans
import study

WAYS = {"wide": ({"n_embd": 64}, {"n_embd": 64, "n_head": 4},
                 ["clone_width", "lemon", "zero_fanout", "random_width"]),
        "both": ({"n_layer": 4, "n_embd": 64}, {"n_layer": 4, "n_embd": 64, "n_head": 4},
                 ["stack with=clone_width", "stack with=lemon", "zero_stack with=zero_fanout",
                  "random with=random_width"])}
AGES = {"early": 400, "late": 3000}
HORIZON, LAG, BUDGET, SEEDS = 1000, 200, 4000, [1, 2, 3, 4, 5]
MODEL = {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": 32}


def entries(pool):
    """As objects, under one rule for moments and one for the learning rate."""
    split = [one.split(" with=") for one in pool]
    return [{"operator": one[0], **({"with": one[1]} if one[1:] else {}), **study.PLAIN} for one in split]


def setting_of(way, age, pace):
    target = WAYS[way][0]
    return (f"{way}-{age}", "text", MODEL["n_layer"], target, MODEL["n_embd"], MODEL["n_head"], MODEL["n_positions"],
            max(8, AGES[age] // pace // 4 * 4), max(20, HORIZON // pace), SEEDS if pace == 1 else SEEDS[:1],
            ["none", "scratch"])


def curves_of(way, pace):
    """Runs that grow by LAG, early or late, and one from scratch: their losses against all that they were charged."""
    target, model, pool = WAYS[way]
    lag = max(4, LAG // pace)
    arms = [{"name": age, "plan": {"stages": [{
        "target": target, "trigger": {"step": max(8, AGES[age] // 3 * 2 // pace)}, "pool": entries(pool),
        "probe": {**plans.LAG, "steps": lag, "eval_every": max(1, lag // 5)}}]}} for age in AGES]
    run = plans.merged(plans.BASE["run"], {"model": MODEL, "eval": {"every_steps": max(50, 200 // pace)}})
    return {**plans.BASE, "name": f"{way}-curves", "dataset": "text", "seeds": SEEDS if pace == 1 else SEEDS[:1],
            "target": model, "budget": {"target_steps": max(400, BUDGET // pace)}, "run": run,
            "arms": [*arms, {"name": "scratch", "model": model}]}


def run_all(lagd, reports, pace):
    rows = []
    for way, (_, _, pool) in WAYS.items():
        for age in AGES:
            done = study.run_study(lagd, setting_of(way, age, pace), entries(pool))
            if done["state"] != "completed":
                print(f"study {done['name']} is {done['state']}: {done['reason']}")
                continue
            rows.append((done["name"], study.write_report(lagd, done["name"], reports)))
        plans.compare(lagd, curves_of(way, pace), reports)
    return rows


def main():
    words = [word for word in sys.argv[1:] if word != "--quick"]
    if len(words) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1])
    quick = "--quick" in sys.argv
    folder = os.path.abspath(words[2] if len(words) == 3 else f"build-studies/growths{'-quick' if quick else ''}")
    reports = os.path.join(folder, "reports")
    os.makedirs(reports, exist_ok=True)
    with open(words[1], "rb") as file:
        text = file.read()
    lagd = study.Lagd(os.path.abspath(words[0]), folder)
    try:
        if not lagd.ask("GET", "/datasets/text"):
            lagd.ask("POST", "/datasets?name=text&wait=60", text, "text/plain")
        rows = run_all(lagd, reports, 100 if quick else 1)
    finally:
        lagd.end()
    print("\n" + study.HEAD)
    print("\n".join(study.row_of(name, report) for name, report in rows))
    print(f"\nReports and curves: {reports}")


if __name__ == "__main__":
    main()
