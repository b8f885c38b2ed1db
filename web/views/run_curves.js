// The curves of a run: losses with all controls; learning rate, gradient norm and speed beside them, on the same x.
import * as api from '../api.js';
import { LineChart } from '../charts/line.js';
import { smooth, spacing } from '../charts/smooth.js';
import { View } from '../charts/view.js';
import { fill, h } from '../dom.js';
import * as f from '../format.js';
import { panel } from '../panel.js';
import { throttle } from '../throttle.js';
import { flopKnots, Scale, Series, timeKnots } from './series.js';

const POINTS = 1000, SIDE_POINTS = 400;
const AXES = { step: 'step', tokens: 'tokens', time: 'training time', flops: 'FLOPs',
  training_flops: 'FLOPs of training' };

async function makeScale(shared, annotations, signal) {
  const { settings } = shared, run = await shared.known(signal);
  const end = Math.max(run.max_steps, 1), x = settings.get('x');
  const per_step = run.batch.sequences * run.batch.tokens_per_sequence * run.batch.accumulate;
  if (x === 'tokens') return new Scale('tokens', [[0, 0], [end, end * per_step]], (v) => f.si(v));
  if (x === 'time') return new Scale('training time', await timeKnots(run, signal), f.duration);
  if (x === 'flops') return new Scale('FLOPs', await flopKnots(run, annotations, shared.growths), (v) => f.si(v));
  if (x === 'training_flops')
    return new Scale('FLOPs of training', await flopKnots(run, annotations, []), (v) => f.si(v));
  return new Scale('step', [[0, 0], [end, end]], f.count);
}

const MARKS = { 'run.rollback': 'went back', 'run.diverged': 'diverged' };

/** Where the model grew, with what it has since; where the run went back to a checkpoint, or diverged. */
function markers(shared, { annotations, marks }, scale) {
  const others = marks.map((mark) => ({ x: scale.toX(mark.step), text: MARKS[mark.type] ?? mark.type }));
  return others.concat(annotations.map((note) => {
    const growth = shared.growths.find((one) => one.id === note.id);
    const winner = growth?.candidates.find((one) => one.id === growth.decision?.candidate);
    const size = winner ? `, ${f.si(winner.n_params)}` : '';
    return { x: scale.toX(note.step), text: `${f.shapeChange(note, '→')}${size}` };
  }));
}

function range(settings) {
  const from = settings.get('from'), to = settings.get('to');
  return from === '' || to === '' ? null : [Number(from), Number(to)];
}

/** A panel around one chart of one Series. lines(data, x, shared, unit) → {lines, bands}. */
function curvePanel(shared, { title, keys, points, label, yLabel, yText, height, lines, tools, wide, note,
  optional = false }) {
  const series = new Series(shared.name, keys, points);
  let drawn = null;
  const zoom = (span) => {
    const { settings } = shared;
    if (!span || !drawn) {
      settings.set({ from: null, to: null });
    } else {
      const steps = span.map((x) => drawn.scale.toStep(x));
      settings.set({ from: Math.max(0, Math.floor(steps[0])), to: Math.ceil(steps[1]) });
    }
    shared.changed();
  };
  const chart = new LineChart({ label, height, onZoom: zoom, sync: `run-${shared.name}`,
    view: new View(shared.settings, `${keys[0].split('/')[1]}.`) });
  const draw = () => {
    if (!drawn) return;
    const { data, scale } = drawn, { settings } = shared;
    const x = data.step.map((step) => scale.toX(step));
    const span = range(settings);
    chart.draw({
      x, ...lines(data, x, shared, spacing(x, ...(span ?? []).map((step) => scale.toX(step)))),
      xLabel: scale.label, yLabel, xText: scale.text, yText,
      markers: markers(shared, data, scale), xLog: settings.get('logx') === 'true',
      yLog: yLog(settings, keys),
      range: span && span.map((step) => scale.toX(step)), summary: describe(data, keys, yLog(settings, keys), scale),
    });
  };
  const load = async (signal, whole) => {
    const span = range(shared.settings);
    const moved = String(span) !== String(series.range);
    series.range = span;
    const data = whole || moved ? await series.load(signal) : await series.more(signal);
    const axis = `${shared.settings.get('x')} ${data.annotations.length}`;
    const stale = !drawn || drawn.axis !== axis || axis.startsWith('time');
    return { data, axis, scale: stale ? await makeScale(shared, data.annotations, signal) : drawn.scale };
  };
  let whole = true;
  const self = panel({
    title, wide, tools, note, curl: () => series.request(),
    load: (signal) => {
      const all = whole;
      whole = false;
      return load(signal, all);
    },
    isEmpty: ({ data }) => data.step.length === 0 && !series.range,
    empty: () => h('p', { class: 'dim' }, 'No point yet: the first comes with the first step.'),
    show(first, body) {
      body.append(chart.element);
      const update = (now) => {
        drawn = now;
        draw();
      };
      requestAnimationFrame(() => update(first));
      return update;
    },
  });
  const settle = throttle(() => self.refresh(), 150);
  return {
    element: self.element,
    more: () => self.refresh(),
    refresh() {
      whole = true;
      return self.refresh();
    },
    /** Draws with what is there at once, then asks for what fits the new view. */
    redraw() {
      draw();
      settle();
    },
    draw,
    /** What not every run has is shown once it is there. */
    know(run) {
      const none = optional && run.latest[keys[0]] === undefined;
      if (self.element.hidden && !none) self.refresh();
      self.element.hidden = none;
    },
    destroy() {
      settle.cancel();
      self.destroy();
      chart.destroy();
    },
  };
}

const yLog = (settings, keys) => settings.get('logy') === 'true' && keys[0] === 'train/loss';

function describe(data, keys, log, scale) {
  const parts = [];
  let spoken = ''; // the chart says it to those who see it
  const column = data.columns.get(keys[0]).last;
  const known = column.map((value, i) => [value, i]).filter(([value]) => value !== null);
  if (known.length) {
    const [value, i] = known[known.length - 1];
    const [before] = known[Math.max(0, known.length - 1 - Math.ceil(known.length / 10))];
    const trend = value < before ? 'falling' : value > before ? 'rising' : 'level';
    spoken = `${keys[0]} ${f.number(value)} at ${scale.label} ${scale.text(scale.toX(data.step[i]))}, ${trend}. `;
  }
  parts.push(`${f.count(data.total)} points`
    + `${data.thinned ? ', downsampled (min/max/last); drag to zoom' : ''}.`);
  if (data.notFinite > 0) parts.push(`${data.notFinite} were not finite and are not drawn.`);
  const low = log ? [...data.columns.values()].reduce((n, c) => n + c.last.filter((v) => v !== null && v <= 0).length,
    0) : 0;
  if (low > 0) parts.push(`${low} are not above 0 and have no place on a log axis.`);
  return [spoken && h('span', { class: 'hidden' }, spoken), parts.join(' ')];
}

/** Raw line faint, its range as a band, the smoothed one on top. */
function lossLines(data, x, { settings }, unit) {
  const weight = Math.min(settings.number('smooth'), 0.999);
  const train = data.columns.get('train/loss'), val = data.columns.get('val/loss');
  const lines = [], bands = [], label = weight > 0 ? 'training, smoothed' : 'training';
  if (data.thinned) {
    lines.push({ label: 'training, max', values: train.max, colour: 0, width: 0, alpha: 0, table: false, of: label },
      { label: 'training, min', values: train.min, colour: 0, width: 0, alpha: 0, table: false, of: label });
    bands.push({ high: 0, low: 1, colour: 0 });
  }
  if (weight > 0) {
    lines.push({ label: 'training, raw', values: train.last, colour: 0, width: 1, alpha: 0.28, table: false,
      of: label });
  }
  const grown = data.annotations.map((note) => x[data.step.findIndex((step) => step >= note.step)])
    .filter((v) => v !== undefined);
  lines.push({ label, values: smooth(x, train.last, weight, unit, grown), colour: 0, width: 2 });
  lines.push({ label: 'validation', values: val.last, colour: 1, width: 2.5, dash: [7, 4],
    points: val.last.filter((v) => v !== null).length < 60 });
  const diverged = data.notFinite > 0 ? lastFinite(train.last) : -1;
  if (diverged >= 0) {
    lines.push({ label: 'last finite', colour: '--bad', width: 0, points: true, table: false,
      of: label, values: x.map((_, i) => (i === diverged ? train.last[i] : null)) });
  }
  return { lines, bands };
}

const lastFinite = (values) => values.reduce((found, value, i) => (value !== null ? i : found), -1);

function controls(shared) {
  const { settings } = shared;
  const out = h('output', {}, settings.number('smooth').toFixed(2));
  const set = (changes) => {
    settings.set(changes);
    shared.changed();
  };
  const axis = h('select', { onchange: (event) => set({ x: event.target.value }), value: settings.get('x') },
    Object.entries(AXES).map(([value, label]) => h('option', { value }, label)));
  const check = (name, label) => h('label', { class: 'check' },
    h('input', { type: 'checkbox', checked: settings.get(name) === 'true',
      onchange: (event) => set({ [name]: event.target.checked }) }), label);
  const slider = h('input', { type: 'range', min: 0, max: 0.99, step: 0.01, value: settings.number('smooth'),
    oninput: (event) => {
      out.textContent = Number(event.target.value).toFixed(2);
      set({ smooth: event.target.value });
    } });
  return h('div', { class: 'controls' }, h('label', {}, 'x ', axis), check('logx', 'log x'), check('logy', 'log y'),
    h('label', {}, 'smoothing ', slider, ' ', out));
}

export function lossPanel(shared) {
  return curvePanel(shared, { title: 'Loss', keys: ['train/loss', 'val/loss'], points: POINTS, label: 'Loss',
    yLabel: 'loss (nats)',
    yText: f.tick, height: 360, lines: lossLines, tools: controls(shared), wide: true });
}

/** One quantity: its range as a band, the raw line faint behind the smoothed one where smoothing is wanted. */
function single(key, label, colour, smoothed) {
  return (data, x, { settings }, unit) => {
    const column = data.columns.get(key), lines = [], bands = [];
    const weight = smoothed ? Math.min(settings.number('smooth'), 0.999) : 0;
    if (data.thinned) {
      lines.push({ label: 'max', values: column.max, colour, width: 0, alpha: 0, table: false, of: label },
        { label: 'min', values: column.min, colour, width: 0, alpha: 0, table: false, of: label });
      bands.push({ high: 0, low: 1, colour });
    }
    if (weight > 0) {
      lines.push({ label: 'raw', values: column.last, colour, width: 1, alpha: 0.28, table: false, of: label });
    }
    lines.push({ label, values: smooth(x, column.last, weight, unit), colour, width: 1.7 });
    return { lines, bands };
  };
}

/** So many bits the text costs a byte, by any tokenizer. */
const bits = (data) => {
  const { last } = data.columns.get('val/bpb');
  return { lines: [{ label: 'validation', values: last, colour: 1, width: 2.5, dash: [7, 4],
    points: last.filter((v) => v !== null).length < 60 }] };
};

export function sidePanels(shared) {
  const list = [['optim/lr', 'Learning rate', 2], ['optim/grad_norm', 'Gradient norm', 3],
    ['perf/tokens_per_s', 'Speed', 4]];
  return [curvePanel(shared, { title: 'Bits a byte', keys: ['val/bpb'], points: SIDE_POINTS, label: 'Bits a byte',
    yLabel: 'bits a byte', yText: f.tick, height: 190, lines: bits, optional: true }), ...list.map(
    ([key, title, colour]) => curvePanel(shared, { title, keys: [key], points: SIDE_POINTS, label: title,
      yLabel: key === 'perf/tokens_per_s' ? 'tokens/s' : title.toLowerCase(),
      yText: key === 'perf/tokens_per_s' ? (v) => f.si(v) : f.tick,
      height: 190, lines: single(key, title.toLowerCase(), colour, key !== 'optim/lr') }))];
}
