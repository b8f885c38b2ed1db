#!/usr/bin/python3
"""Tries lagd's verdicts where the right answer is known: equal candidates, and a lag that is too short.

usage: checks.py LAGD [FOLDER]      by ./dev study-checks

equal  twenty growths whose candidates differ by the seed of their new layers only: at most one verdict may be other
       than tied or nothing_to_decide (alpha is 0.05)
short  growths with a lag of 50 steps, where the loss favours what ends last: nothing may be verified
FOLDER (build-studies/checks) keeps lagd's state and is emptied before. What came out is printed as two tables.
"""
import collections
import os
import shutil
import sys
import time

import study

UNDECIDED = ("tied", "nothing_to_decide")

# What is grown: layers, target, width, heads, context, age of the parent, steps after the growth, probe
EQUAL = (2, 4, 32, 2, 32, 300, 600, {"steps": 200, "eval_every": 25, "eval_batches": 64, "delta": 0})
SHORT = [("3→12", 3, 12, 32, 2, 32, 1500, 600, {"steps": 50, "eval_every": 10, "eval_batches": 64}),
         ("2→6", 2, 6, 32, 2, 32, 2000, 4000, {"steps": 50, "eval_every": 10, "eval_batches": 64})]
EQUAL_SEEDS, SHORT_SEEDS = range(1, 21), range(1, 4)


def grow(lagd, name, seed, setting, pool):
    """A run of its own, and what its growth decided."""
    layers, target, width, heads, context, age, after, probe = setting
    lagd.ask("POST", "/runs", {
        "name": name, "dataset": "bible", "seed": seed, "start": False, "optim": {"lr": study.LR},
        "model": {"n_layer": layers, "n_embd": width, "n_head": heads, "n_positions": context},
        "batch": {"sequences": study.SEQUENCES}, "schedule": {"kind": "wsd", "max_steps": age + after},
        "eval": {"every_steps": 500, "batches": 8}})
    growth = lagd.ask("POST", f"/runs/{name}/growths", {
        "target": {"n_layer": target}, "when": {"at_step": age}, "pool": pool, "probe": probe})["id"]
    lagd.ask("POST", f"/runs/{name}/resume")
    while (row := lagd.ask("GET", f"/growths/{growth}"))["decision"] is None:
        if row["state"] in ("failed", "cancelled"):
            sys.exit(f"checks: the growth of {name} is {row['state']}: {row['reason']}")
        time.sleep(0.2)
    lagd.ask("POST", f"/runs/{name}/cancel")
    return row


def told(growth):
    """The pick's operator, the basis and how many are tied."""
    decision = growth["decision"]
    winner = next(c for c in growth["candidates"] if c["id"] == decision["candidate"])
    return winner["operator"], decision["basis"], len(decision["tied_set"])


def check_equal(lagd):
    pool = [{"operator": "random", "params": {"at": -1}, "seed": seed, **study.PLAIN} for seed in (101, 102, 103, 104)]
    bases = collections.Counter(told(grow(lagd, f"equal.{seed}", seed, EQUAL, pool))[1] for seed in EQUAL_SEEDS)
    print("\n| basis | growths with equal candidates |\n|---|---:|")
    print("\n".join(f"| {basis} | {n} |" for basis, n in sorted(bases.items())))
    return sum(n for basis, n in bases.items() if basis not in UNDECIDED) <= 1


def check_short(lagd):
    print("\n| growth | seed | picked at 50 | basis | tied |\n|---|---:|---|---|---:|")
    bases = set()
    for name, *setting in SHORT:
        for seed in SHORT_SEEDS:
            operator, basis, n_tied = told(grow(lagd, f"short.{setting[1]}.{seed}", seed, setting, study.POOL))
            print(f"| {name} | {seed} | {operator} | {basis} | {n_tied} |", flush=True)
            bases.add(basis)
    return "verified" not in bases


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1])
    folder = os.path.abspath(sys.argv[2] if len(sys.argv) == 3 else "build-studies/checks")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    began = time.monotonic()
    lagd = study.Lagd(os.path.abspath(sys.argv[1]), folder)
    try:
        lagd.ask("POST", "/datasets?name=bible&wait=60", study.read_text("bible"), "text/plain")
        wrong = [check.__name__ for check in (check_equal, check_short) if not check(lagd)]
    finally:
        lagd.end()
    print(f"\n{time.monotonic() - began:.0f} s")
    if wrong:
        sys.exit(f"checks: {', '.join(wrong)}: more was decided than is known")


if __name__ == "__main__":
    main()
