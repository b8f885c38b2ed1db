"""Gives a stopped daemon many runs, copies of its oldest one with names of their own: make_runs.py STATE_DIR N"""
import os
import random
import sqlite3
import sys

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # of an id
rng = random.Random(5)
db = sqlite3.connect(os.path.join(sys.argv[1], "lagd.db"))
db.row_factory = sqlite3.Row
first = dict(db.execute("SELECT * FROM runs ORDER BY id LIMIT 1").fetchone())
series = [dict(row) for row in db.execute("SELECT * FROM series WHERE owner = ?", (first["id"],))]


def insert(table, row):
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


for i in range(int(sys.argv[2])):
    name, tags = f"run-{i:05}", ",".join(rng.sample(["seeds", "wide", "deep", "bible", "code", "rate"], 2))
    run_id = first["id"][:-8] + "".join(rng.choice(DIGITS) for _ in range(8))
    lines = dict(line.split("=", 1) for line in first["config"].splitlines())
    config = "".join(f"{key}={value}\n" for key, value in {**lines, "name": name, "tags": tags}.items())
    insert("runs", {**first, "id": run_id, "name": name, "config": config, "tags": tags, "step": rng.randrange(1000),
                    "words": f"{run_id} {name} {tags} {lines['note']}".lower()})
    loss = 2 + 3 * rng.random()
    for row in series:
        copy = {key: value for key, value in row.items() if key != "id"}
        if row["key"] == "val/loss":
            copy.update(last_value=loss + 0.1, min_value=loss, min_step=20)
        insert("series", {**copy, "owner": run_id, "n_points": 0})
db.commit()
db.close()
