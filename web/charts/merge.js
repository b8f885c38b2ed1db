// Curves of their own places on one axis, and several curves as their mean and spread.

/** The places of all curves, ascending and once. curves: [{x: […]}, …], each ascending. */
export function places(curves) {
  const all = new Set();
  for (const { x } of curves) for (const one of x) all.add(one);
  return Float64Array.from(all).sort();
}

/** The values of a curve at the places of all; null where it has none. */
export function spread(curve, at) {
  const out = new Array(at.length).fill(null);
  let i = 0;
  for (let j = 0; j < at.length && i < curve.x.length; j++) {
    while (i < curve.x.length && curve.x[i] < at[j]) i++;
    if (curve.x[i] === at[j]) out[j] = curve.y[i];
  }
  return out;
}

/** The curve without what has no value. */
export function known({ x, y }) {
  const keep = x.map((_, i) => i).filter((i) => y[i] !== null && Number.isFinite(y[i]));
  return { x: keep.map((i) => x[i]), y: keep.map((i) => y[i]) };
}

/**
 * Mean and standard deviation over curves, at their places that all of them span: straight lines between points, and
 * nothing beyond the end of the shortest, where the mean would jump. Curves without a point do not count.
 */
export function meanOf(curves) {
  const real = curves.map(known).filter((one) => one.x.length > 0);
  const out = { x: [], mean: [], low: [], high: [], n: real.length };
  if (real.length === 0) return out;
  const first = Math.max(...real.map((one) => one.x[0]));
  const last = Math.min(...real.map((one) => one.x[one.x.length - 1]));
  const next = real.map(() => 0);
  for (const x of places(real)) {
    if (x < first || x > last) continue;
    const values = real.map((one, i) => {
      while (next[i] + 2 < one.x.length && one.x[next[i] + 1] <= x) next[i]++;
      return between(one, next[i], x);
    });
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const deviation = values.length > 1
      ? Math.sqrt(values.reduce((sum, y) => sum + (y - mean) ** 2, 0) / (values.length - 1)) : 0;
    out.x.push(x);
    out.mean.push(mean);
    out.low.push(mean - deviation);
    out.high.push(mean + deviation);
  }
  return out;
}

function between({ x, y }, i, at) {
  if (i + 1 >= x.length || at <= x[i]) return y[i];
  return y[i] + ((y[i + 1] - y[i]) * (at - x[i])) / (x[i + 1] - x[i]);
}
