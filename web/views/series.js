// A run's points in the page: loaded thinned, asked again when zoomed, lengthened by what is new. When zoomed there are
// fine points in the window and half its width before it, so that an average is the same at its edge as it is without
// the zoom; and the coarse ones of the rest, so that lines of few points go on beyond it.
import * as api from '../api.js';

const REFINE_AFTER = 150; // points appended before the whole is thinned anew
const BEFORE = 0.5; // of the window's width: what an average still remembers at its edge

export class Series {
  constructor(run, keys, maxPoints) {
    this.run = run;
    this.keys = keys;
    this.maxPoints = maxPoints;
    this.range = null;
    this.overview = null; // of the whole, while zoomed
    this.clear();
  }

  clear() {
    this.data = { step: [], columns: new Map(this.keys.map((key) => [key, { last: [], min: [], max: [] }])), total: 0,
      notFinite: 0,
      annotations: [], marks: [], thinned: false };
    this.appended = 0;
  }

  path(from, to) {
    const query = { key: this.keys, max_points: this.maxPoints * this.keys.length, from, to };
    return `/runs/${api.part(this.run)}/series${api.query(query)}`;
  }

  request() {
    return ['GET', this.path(...(this.range ?? []))];
  }

  last() {
    const { step } = this.data;
    return step.length ? step[step.length - 1] : -1;
  }

  async load(signal) {
    if (this.range) return this.loadWindow(signal);
    const answer = await api.get(this.path(), signal);
    this.clear();
    this.add(answer);
    this.overview = null;
    this.appended = 0;
    return this.data;
  }

  async loadWindow(signal) {
    const [from, to] = this.range, before = Math.max(0, from - Math.ceil((to - from) * BEFORE));
    const [whole, fine] = await Promise.all([this.overview ?? api.get(this.path(), signal),
      api.get(this.path(before, to), signal)]);
    this.overview = whole;
    this.clear();
    this.add(part(whole, (step) => step < before));
    this.add(fine);
    this.add(part(whole, (step) => step > to));
    this.data.total = fine.points_total;
    this.data.thinned = isThinned(fine, this);
    this.data.notFinite = this.keys.reduce((sum, key) => sum + fine.series[key].not_finite, 0);
    return this.data;
  }

  /** What came since; everything when that is due. */
  async more(signal) {
    if (this.range) return this.data;
    if (this.last() < 0 || this.appended > REFINE_AFTER) return this.load(signal);
    const answer = await api.get(this.path(this.last() + 1), signal);
    this.add(answer);
    return this.data;
  }

  add(answer) {
    const { data } = this;
    data.annotations = answer.annotations;
    data.marks = answer.marks;
    data.total += answer.points_total;
    data.step.push(...answer.step);
    this.appended += answer.step.length;
    for (const key of this.keys) {
      const column = data.columns.get(key), more = answer.series[key];
      for (const part of ['last', 'min', 'max']) column[part].push(...more[part]);
      data.notFinite += more.not_finite;
    }
    if (isThinned(answer, this)) data.thinned = true;
  }
}

const isThinned = (answer, { keys, maxPoints }) => answer.points_total > answer.points_returned * keys.length
  || answer.points_total > maxPoints * keys.length;

/** The columns of an answer at some of its steps. */
function part(answer, wanted) {
  const keep = answer.step.map((_, i) => i).filter((i) => wanted(answer.step[i]));
  const of = (column) => keep.map((i) => column[i]);
  return { ...answer, step: of(answer.step), series: Object.fromEntries(Object.entries(answer.series)
    .map(([key, one]) => [key, { ...one, last: of(one.last), min: of(one.min), max: of(one.max) }])) };
}

/** A monotonous map of steps to another quantity, by straight lines between knots; beyond its end by the last slope. */
export class Scale {
  constructor(label, knots, text) {
    this.label = label;
    this.knots = knots.length > 1 ? knots : [[0, 0], [1, 1]];
    this.text = text;
  }

  through(value, from, to) {
    const { knots } = this;
    let low = 0, high = knots.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (knots[middle][from] <= value) low = middle;
      else high = middle - 1;
    }
    const a = knots[low], b = knots[low + 1];
    const width = b[from] - a[from];
    return width > 0 ? a[to] + ((value - a[from]) / width) * (b[to] - a[to]) : a[to];
  }

  toX(step) {
    return this.through(step, 0, 1);
  }

  toStep(x) {
    return this.through(x, 1, 0);
  }
}

/** Seconds of training by step: the sums of what the steps took. Probes and pauses do not count. */
export async function timeKnots(run, signal) {
  const begin = run.origin?.step ?? 0;
  const path = `/runs/${api.part(run.id)}/series${api.query({ key: 'perf/step_ms', max_points: 800, sum: 'true' })}`;
  const answer = await api.get(path, signal);
  const knots = [[begin, 0]];
  let seconds = 0;
  answer.series['perf/step_ms'].sum.forEach((ms, i) => {
    seconds += (ms ?? 0) / 1000;
    knots.push([answer.step[i], seconds]);
  });
  return knots;
}

const stepCosts = new Map(); // bodies and what a step of theirs costs: runs of one shape ask once

function flopsPerStep(body) {
  const key = JSON.stringify(body);
  if (!stepCosts.has(key)) {
    const asked = api.send('POST', '/runs?dry_run=true', body).then((answer) => answer.flops_per_step);
    stepCosts.set(key, asked);
    asked.catch(() => stepCosts.delete(key));
  }
  return stepCosts.get(key);
}

/** FLOPs by step: the daemon's own estimate of training for each shape that the run had, and what the probes of the
 *  growths took beside it, at the first step after each. */
export async function flopKnots(run, annotations, growths) {
  const begin = run.origin?.step ?? 0; // what was spent before is the origin's
  const shapes = annotations.length ? [annotations[0].from, ...annotations.map((a) => a.to)] : [run.model];
  const steps = [begin, ...annotations.map((a) => a.step), Math.max(run.max_steps, 1)];
  const costs = await Promise.all(shapes.map((shape) => flopsPerStep({ dataset: run.dataset,
    model: { ...run.model, ...shape }, batch: run.batch, schedule: { max_steps: run.max_steps } })));
  const jumps = new Map(); // also of those that were rejected or chose not to grow
  for (const { start_step: step, ...growth } of growths)
    if (step !== null) jumps.set(step, (jumps.get(step) ?? 0) + probeFlops(growth));
  const knots = [[begin, 0]];
  const go = (to, cost, more = 0) => {
    const [step, flops] = knots.at(-1);
    if (to > step) knots.push([to, flops + cost * (to - step) + more]);
  };
  shapes.forEach((_, i) => {
    const within = [...jumps].filter(([step, flops]) => flops > 0 && step >= steps[i] && step < steps[i + 1]);
    for (const [step, flops] of within.sort(([one], [other]) => one - other)) {
      go(step, costs[i]);
      go(step + 1, costs[i], flops);
    }
    go(steps[i + 1], costs[i]);
  });
  return knots;
}

/** Of the candidates that were not taken. */
function probeFlops(growth) {
  return growth.candidates.filter((one) => one.id !== growth.decision?.candidate)
    .reduce((sum, one) => sum + (one.flops ?? 0), 0);
}
