"""Gives a run of a stopped daemon a long past: make_million.py DATABASE RUN POINTS

Loss and gradient norm get POINTS points, in place of what they have, the others fewer; one loss in a thousand is a
spike, so that thinning shows."""
import math
import random
import sqlite3
import sys

database, run, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
rng = random.Random(5)
db = sqlite3.connect(database)
(run_id,) = db.execute("SELECT id FROM runs WHERE name = ?", (run,)).fetchone()


def value(key, step):
    loss = 2 + 8 / math.sqrt(1 + step / 50) + rng.gauss(0, 0.05) + (3 if step % 1000 == 0 else 0)
    return {"train/loss": loss, "val/loss": loss - 0.02, "optim/grad_norm": 0.5 + rng.random(), "optim/lr": 1e-3,
            "perf/step_ms": 9 + rng.random(), "perf/tokens_per_s": 2e4 + rng.gauss(0, 500)}[key]


for key, every in (("train/loss", 1), ("val/loss", 100), ("optim/grad_norm", 1), ("optim/lr", 100),
                   ("perf/step_ms", 10),
                   ("perf/tokens_per_s", 10)):
    (series,) = db.execute("SELECT id FROM series WHERE owner = ? AND key = ?", (run_id, key)).fetchone()
    db.execute("DELETE FROM points WHERE series = ?", (series,))
    db.executemany("INSERT INTO points (series, step, value) VALUES (?, ?, ?)",
                   ((series, step, value(key, step)) for step in range(every, n + 1, every)))
    last = n - n % every
    db.execute("UPDATE series SET n_points = ?, first_step = ?, last_step = ?, last_value = ? WHERE id = ?",
               (n // every, every, last, value(key, last), series))
db.execute("UPDATE runs SET step = ? WHERE id = ?", (n, run_id))
db.commit()
db.close()
