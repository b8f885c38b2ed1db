// What the page of a comparison shows: runs and groups as the daemon tells them, and the curves of each run, kept while
// somebody looks.
import * as api from '../api.js';
import * as f from '../format.js';
import { address } from '../state.js';
import { flopKnots, Scale, Series, timeKnots } from './series.js';

export const MOST = 8; // runs and groups, as the daemon allows
const POINTS = 800, GROUP_POINTS = 300;

export const AXES = { step: 'step', tokens: 'tokens', time: 'training time', flops: 'FLOPs with probes',
  training_flops: 'FLOPs of training' };

/** The page that compares these. */
export const compareAddress = ({ runs = [], tags = [] }) =>
  address(['compare'], { runs: runs.join(','), tags: tags.join(',') });

export const listOf = (text) => String(text ?? '').split(',').filter(Boolean);

export class Comparison {
  constructor() {
    this.curves = new Map(); // id and series → Series
    this.scales = new Map(); // id and axis → {step, scale}
    this.wholes = new Map(); // id → the run as GET /runs tells it, for what does not change
  }

  /** Without series: the curves are asked for by themselves, and as finely as they are drawn. */
  static request({ runs, tags }) {
    return ['GET', `/compare${api.query({ runs: runs.join(','), tags: tags.join(',') })}&series=`];
  }

  /**
   * asked: {runs, tags, key, axis, range} → what GET /compare told, with
   * entries: [{kind, name, label, members, more}] in the order they were asked for, keys: names of series that there
   * are, gone: what is no more. Each run has its curve: {x, y, scale, total, annotations}.
   */
  async load(asked, signal) {
    const told = await this.tell(asked, signal);
    const runs = new Map(told.runs.map((run) => [run.id, run]));
    const named = told.runs.filter((run) => asked.runs.includes(run.name) || asked.runs.includes(run.id));
    const entries = [
      ...named.map((run) => ({ kind: 'run', label: run.name, name: run.name, members: [run], more: false })),
      ...told.groups.map((group) => ({ kind: 'tag', label: `tag ${group.tag}`, name: group.tag, more: group.more,
        members: group.runs.map((id) => runs.get(id)) })),
    ];
    const [keys] = await Promise.all([this.keysOf(told.runs, signal), ...told.runs.map(async (run) => {
      run.curve = await this.curve(run, asked, named.includes(run) ? POINTS : GROUP_POINTS, signal);
    })]);
    return { ...told, entries, keys };
  }

  /** What is gone since the address was made is left out, and said. */
  async tell(asked, signal) {
    const gone = [];
    let { runs, tags } = asked;
    for (;;) {
      if (runs.length + tags.length === 0) return { runs: [], groups: [], differences: [], gone };
      try {
        return { ...await api.get(Comparison.request({ runs, tags })[1], signal), gone };
      } catch (error) {
        if (error.status !== 404 && error.status !== 400) throw error;
        const there = await Promise.all([
          ...runs.map((name) => this.whole(name, signal).then(() => true, () => false)),
          ...tags.map((tag) => api.get(`/runs${api.query({ tag, limit: 1 })}`, signal)
            .then((list) => list.items.length > 0, () => false))]);
        if (there.every(Boolean)) throw error;
        gone.push(...[...runs, ...tags.map((tag) => `tag ${tag}`)].filter((_, i) => !there[i]));
        [runs, tags] = [runs.filter((_, i) => there[i]), tags.filter((_, i) => there[runs.length + i])];
      }
    }
  }

  async whole(name, signal) {
    if (!this.wholes.has(name)) this.wholes.set(name, await api.get(`/runs/${api.part(name)}`, signal));
    return this.wholes.get(name);
  }

  /** Its points are asked for again only where they may have changed. */
  async curve(run, { key, axis, range }, points, signal) {
    const name = `${run.id} ${key} ${points}`;
    if (!this.curves.has(name)) this.curves.set(name, new Series(run.id, [key], points));
    const series = this.curves.get(name);
    const load = async (span) => {
      const mark = `${span} ${run.step} ${run.state}`;
      series.range = span;
      if (series.mark !== mark) await series.load(signal);
      series.mark = mark;
    };
    if (!range) await load(null);
    else if (series.mark === undefined) await load(null); // its growths are needed for the scale
    const scale = await this.scale(run, axis, series.data.annotations, signal);
    if (range) {
      const [from, to] = range.map((x) => scale.toStep(x));
      await load([Math.max(0, Math.floor(from)), Math.max(1, Math.ceil(to))]);
    }
    const { data } = series;
    return { x: data.step.map((step) => scale.toX(step)), y: data.columns.get(key).last, scale, total: data.total,
      annotations: data.annotations };
  }

  async scale(run, axis, annotations, signal) {
    const name = `${run.id} ${axis}`, known = this.scales.get(name);
    if (known?.step === run.step) return known.scale;
    const scale = await this.makeScale(run, axis, annotations, signal);
    this.scales.set(name, { step: run.step, scale });
    return scale;
  }

  async makeScale(run, axis, annotations, signal) {
    const end = Math.max(run.max_steps, 1);
    if (axis === 'step') return new Scale('step', [[0, 0], [end, end]], f.count);
    const whole = { ...await this.whole(run.id, signal), max_steps: run.max_steps };
    if (axis === 'time') return new Scale('training time', await timeKnots(whole, signal), f.duration);
    if (axis === 'tokens') {
      const { sequences, tokens_per_sequence: length, accumulate } = whole.batch;
      return new Scale('tokens', [[0, 0], [end, end * sequences * length * accumulate]], (v) => f.si(v));
    }
    const growths = axis === 'flops' ? (await api.get(`/runs/${api.part(run.id)}/growths`, signal)).items : [];
    return new Scale(AXES[axis], await flopKnots(whole, annotations, growths), (v) => f.si(v));
  }

  async keysOf(runs, signal) {
    const lists = await Promise.all(runs.slice(0, MOST).map((run) =>
      api.get(`/runs/${api.part(run.id)}/metrics`, signal).then((list) => list.items.map((one) => one.key), () => [])));
    return [...new Set(lists.flat())].sort();
  }
}
