// The range of y that matters: where most of each line lies. A spike or the first steps of a training do not flatten
// all the rest; how many points are left out is told.

const LOW = 0.05, HIGH = 0.95, REACH = 1.5; // quantiles, and how many of their distances beyond them are shown
const FEW = 8; // so few points are all shown
const WORTH = 1.5; // times the height: where all of it takes no more, nothing is cut off

const quantile = (sorted, q) => sorted[Math.round(q * (sorted.length - 1))];

/** [low, high] of what a line shows of itself; null without a point. */
function reachOf(values) {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const all = [sorted[0], sorted[sorted.length - 1]];
  if (values.length < FEW) return all;
  const low = quantile(sorted, LOW), high = quantile(sorted, HIGH), far = (high - low) * REACH;
  return far > 0 ? [Math.max(all[0], low - far), Math.min(all[1], high + far)] : all;
}

/** Of a line, what lies between from and to, and where it enters and leaves; of what can be drawn. */
export function inSight(x, values, [from, to], log = false) {
  const out = [];
  let before = -1; // the last point before the place that is looked at
  const cross = (at, i) => {
    if (before >= 0 && x[before] < at && x[i] > at)
      out.push(values[before] + ((values[i] - values[before]) * (at - x[before])) / (x[i] - x[before]));
  };
  for (let i = 0; i < x.length; i++) {
    const y = values[i];
    if (y === null || y === undefined || !Number.isFinite(y) || (log && !(y > 0))) continue;
    cross(from, i);
    cross(to, i);
    if (x[i] > to) break;
    if (x[i] >= from) out.push(y);
    before = i;
  }
  return out;
}

/**
 * lines: values in sight of each line that the range is of; beside: of others that are told of only, as the extremes of
 * thinned points. Returns {range: [low, high] | null, whole: [low, high] | null, outside: how many are not in range}.
 */
export function region(lines, beside = [], log = false) {
  let range = null, outside = 0;
  for (const values of lines) {
    const reach = log ? reachOf(values.map(Math.log))?.map(Math.exp) : reachOf(values);
    if (reach) range = range ? [Math.min(range[0], reach[0]), Math.max(range[1], reach[1])] : reach;
  }
  if (!range) return { range, whole: null, outside };
  const whole = [...range], all = [...lines, ...beside];
  for (const values of all) {
    for (const y of values) {
      if (y < whole[0]) whole[0] = y;
      if (y > whole[1]) whole[1] = y;
    }
  }
  const height = ([low, high]) => (log ? Math.log(high / low) : high - low);
  if (height(whole) <= WORTH * height(range)) return { range: whole, whole, outside };
  const air = log ? 1e-9 * Math.abs(range[1]) : 0; // of exp(log(y))
  for (const values of all) for (const y of values) if (y < range[0] - air || y > range[1] + air) outside++;
  return outside ? { range, whole, outside } : { range: whole, whole, outside };
}
