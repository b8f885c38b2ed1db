// What a chart's axes need: numbers beside them, the range that is shown, lines without what an axis cannot show.
import * as theme from '../theme.js';
import { logTicks } from './ticks.js';

const FONT = '12px system-ui, sans-serif';
const LABEL_PX = { x: 70, y: 34 }; // room that a number on a log axis takes

export function axisOf(way, label, log, values) {
  return {
    label, labelSize: 20, labelFont: FONT, font: FONT, labelGap: 0, size: way === 'x' ? 32 : 64,
    stroke: () => theme.css('--dim'),
    grid: { stroke: () => theme.css('--grid'), width: 1 },
    ticks: { stroke: () => theme.css('--grid'), width: 1, size: 5 },
    values: (u, splits) => splits.map((v) => (v === null ? '' : values(v))),
    ...(log ? { filter: (u, splits) => splits, splits: (u, axis, low, high) =>
      logTicks(low, high, Math.max(2, Math.floor((way === 'x'
        ? u.bbox.width : u.bbox.height) / devicePixelRatio / LABEL_PX[way]))) } : {}),
  };
}

/** Without what has no place on a log x. */
export function positive(model) {
  const first = model.x.findIndex((x) => x > 0);
  if (first <= 0) return model;
  return { ...model, x: model.x.slice(first), lines: model.lines.map((line) => ({ ...line,
    values: line.values.slice(first) })) };
}

/** A window without a point is drawn all the same: one can leave it as one came. */
export function hollow(model) {
  if (model.x.length > 0 || !model.range) return model;
  return { ...model, x: model.range, lines: model.lines.map((line) => ({ ...line, values: [null, null] })) };
}

/** Without the lines that are hidden, and what belongs to them. */
export function visible(model, hidden) {
  if (hidden.size === 0) return model;
  const keep = model.lines.map((line, i) => i).filter((i) => !hidden.has(model.lines[i].of ?? model.lines[i].label));
  return { ...model, lines: keep.map((i) => model.lines[i]), bands: (model.bands ?? [])
    .filter((band) => keep.includes(band.high) && keep.includes(band.low))
    .map((band) => ({ ...band, high: keep.indexOf(band.high), low: keep.indexOf(band.low) })) };
}

/** A little air above and below, and a range of its own for a flat line. */
export function padded(min, max, log) {
  if (min === null || max === null) return log ? [1, 10] : [0, 1];
  if (log) {
    const more = Math.max((max / min) ** 0.05, 1.01);
    return [min / more, max * more];
  }
  const air = (max - min) * 0.06 || Math.abs(max) * 0.1 || 1;
  return [min >= 0 && min - air < 0 ? 0 : min - air, max + air];
}

const BEYOND = 0.05; // of the axis: so far behind its end a line still has its last value

/** The value of a line at a place: of its nearest point; null where the line does not reach. */
export function valueAt({ values }, x, index, width) {
  for (let d = 0; d < values.length; d++) {
    for (const i of [index - d, index + d]) {
      if (values[i] === null || values[i] === undefined) continue;
      const other = i < index ? +1 : -1; // is there a point on the other side, too?
      if (Math.abs(x[i] - x[index]) <= width * BEYOND) return values[i];
      for (let j = index; j >= 0 && j < values.length; j += other)
        if (values[j] !== null && values[j] !== undefined) return values[i];
      return null;
    }
  }
  return null;
}

/** The last value of a line. */
export function lastOf({ values }) {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null && values[i] !== undefined) return values[i];
  return null;
}
