#!/usr/bin/python3
"""The operator table, measured: ./dev bench --operators, or bench_operators.py BUILD [NAME…]

Each operator grows a small model in double and in float (how far logits and moments are from what they should be, and
whether copies part), and makes a state of GPT-2's 124 million parameters (seconds, memory). Prints a table in Markdown,
then JSON lines. Seconds are the lowest of ROUNDS: those of the wall are upper bounds where other programs run, and hold
what the kernel takes for new pages; those of the processor are the growth's own.
"""
import json
import math
import os
import subprocess
import sys

ROUNDS = 3


def rows(program, *arguments):
    said = subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {row["name"]: row for row in map(lambda line: json.loads(line.replace("nan", "NaN")), said.splitlines())}


def text(value):
    return "0" if value == 0 else f"{value:.0e}" if value < 1e-3 else f"{value:.2g}"


def main(build, *names):
    place = os.path.join(build, "tests", "bench")
    double, single = (rows(os.path.join(place, name), "exact", *names)
                      for name in ("bench_operators64", "bench_operators"))
    rounds = [rows(os.path.join(place, "bench_operators"), "apply", *names) for _ in range(ROUNDS)]
    applied = {name: {**one, **{key: min(each[name][key] for each in rounds) for key in ("wall_s", "cpu_s")}}
               for name, one in rounds[0].items()}
    print("| operator | logits, double | logits, float | moments, double | copies part | wall s | CPU s | memory |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, exact in double.items():
        one = applied[name]
        apart = single[name]["apart"]
        part = "–" if math.isnan(apart) else f"by {text(apart)}" if apart > 1e-4 else "no"
        errors = (exact["logits"], single[name]["logits"], exact["moments"])
        print(f"| `{name}` | {' | '.join(map(text, errors))} | {part} "
              f"| {one['wall_s']:.2f} | {one['cpu_s']:.2f} | {one['memory']:.2f} |")
    for name in double:
        print(json.dumps({"double": double[name], "float": single[name], "apply": applied[name]}), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
