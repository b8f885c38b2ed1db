#!/usr/bin/python3
"""Makes states.js, the daemon's tables of states for the dashboard: make_states.py OPENAPI.json > states.js"""
import json
import sys

HEAD = """// The states of runs, growths, candidates, datasets and models: the daemon's tables, by docs/openapi.json.
export const STATES = %s;

/** Is it an end? An unknown one is none. */
export const hasEnded = (machine, state) => STATES[machine][state]?.terminal ?? false;

/** What it means, for people. */
export const meaning = (machine, state) => STATES[machine][state]?.help ?? '';
"""

with open(sys.argv[1], encoding="utf-8") as file:
    machines = json.load(file)["x-lagd-states"]
table = {machine: {row["name"]: {"terminal": row["terminal"], "help": row["help"]} for row in rows}
         for machine, rows in machines.items()}
sys.stdout.write(HEAD % json.dumps(table, indent=2, ensure_ascii=False))
