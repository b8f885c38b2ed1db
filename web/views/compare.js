// Compare: up to eight runs or groups side by side: their curves on one axis, how good each was, what differs.
import * as api from '../api.js';
import { LineChart } from '../charts/line.js';
import { known, meanOf, places, spread } from '../charts/merge.js';
import { smooth, spacing } from '../charts/smooth.js';
import { lineStyle } from '../charts/style.js';
import { View } from '../charts/view.js';
import { button, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { Settings } from '../state.js';
import { throttle } from '../throttle.js';
import { AXES, Comparison, listOf, MOST } from './compare_data.js';
import { bestsTable, chosenList, differencesTable } from './compare_parts.js';
import { keepPlace, placeOf } from './run_rows.js';

const PRESETS = { runs: '', tags: '', key: 'val/loss', x: 'step', smooth: 0, logx: 'false', logy: 'false', from: '',
  to: '', every: 'false' };
const LIVE_MS = 2000, SUGGESTED = 12, TYPED_MS = 150;

export function compareView(main) {
  const settings = new Settings(PRESETS);
  const comparison = new Comparison();
  const chosen = () => ({ runs: listOf(settings.get('runs')), tags: listOf(settings.get('tags')) });
  const asked = () => ({ ...chosen(), key: settings.get('key'), axis: settings.get('x'), range: range() });
  const range = () => (settings.get('from') === '' ? null
    : [Number(settings.get('from')), Number(settings.get('to'))]);
  let last = null; // what is drawn

  const chart = new LineChart({ label: 'Curves of the compared runs', height: 420, view: new View(settings),
    onZoom(span) {
      settings.set(span ? { from: Number(span[0].toPrecision(7)), to: Number(span[1].toPrecision(7)) }
        : { from: null, to: null });
      if (last) draw(last);
      settle();
    } });
  const controls = h('div', { class: 'controls' });
  const curves = panel({ title: 'Curves', wide: true, curl: () => Comparison.request(chosen()), tools: controls,
    async load(signal) {
      const told = await comparison.load(asked(), signal);
      if (told.gone.length && !signal.aborted) forget(told);
      return told;
    },
    isEmpty: (told) => told.entries.length === 0,
    empty: () => h('p', { class: 'dim first' }, 'Nothing to compare yet. Tick runs, or groups by tag, in the ',
      h('a', { href: '#/runs' }, 'table of runs'), ', or add them above.'),
    show(first, body) {
      body.append(chart.element);
      const update = (now) => {
        last = now;
        draw(now);
      };
      requestAnimationFrame(() => update(first));
      return update;
    },
  });
  const bests = h('div', {}), differences = h('div', {}), picked = h('div', { class: 'picked' });
  const block = (title, ...children) => h('section', { class: 'panel wide', 'aria-label': title },
    h('header', {}, h('h2', {}, title)), ...children);
  const rest = h('div', { class: 'stack', hidden: true }, block('How good they are', bests),
    block('What differs in their configurations', differences));

  // --- what is drawn ---

  function draw(told) {
    drawControls(told.keys);
    rest.hidden = false;
    fill(picked, chosenList(told.entries, remove));
    const span = range(), x = settings.get('x');
    const scale = told.runs[0].curve.scale;
    const { lines, bands, at } = linesOf(told.entries);
    chart.draw({ x: at, lines, bands, xLabel: scale.label, xText: scale.text,
      yLabel: settings.get('key') === 'val/loss' || settings.get('key') === 'train/loss'
        ? `${settings.get('key')} (nats)` : settings.get('key'), yText: f.tick,
      xLog: settings.get('logx') === 'true', yLog: settings.get('logy') === 'true', range: span,
      markers: told.entries.length === 1 ? markersOf(told.entries[0]) : [], summary: summaryOf(told, x) });
    fill(bests, bestsTable(told.entries));
    fill(differences, differencesTable(told));
  }

  /** A line for each entry; of a group the mean with its spread, and its runs faintly where they are asked for. */
  function linesOf(entries) {
    const weight = Math.min(settings.number('smooth'), 0.999), every = settings.get('every') === 'true';
    const all = []; // {label, curve, …} before they share their places
    const bands = [], span = range() ?? [];
    const smoothed = ({ x, y }) => ({ x, y: smooth(x, y, weight, spacing(x, ...span)) });
    entries.forEach((entry, i) => {
      const { label } = entry, style = lineStyle(i);
      if (entry.kind === 'run') {
        const curve = known(entry.members[0].curve);
        if (weight > 0) {
          all.push({ label: `${label}, raw`, of: label, curve, ...style, dash: [], width: 1, alpha: 0.3,
            table: false });
        }
        all.push({ label, curve: smoothed(curve), ...style, width: 2 });
        return;
      }
      const own = entry.members.map((run) => smoothed(known(run.curve))), mean = meanOf(own);
      if (mean.n > 1) {
        for (const [side, sign] of [['high', '+'], ['low', '−']]) {
          all.push({ label: `${label}, ${sign}1 SD`, of: label, curve: { x: mean.x, y: mean[side] }, ...style, width: 0,
            alpha: 0, table: false });
        }
        bands.push({ high: all.length - 2, low: all.length - 1, colour: i });
      }
      if (every) {
        entry.members.forEach((run, j) => all.push({ label: `${label}, ${run.name}`, of: label, curve: own[j],
          ...style, dash: [], width: 1, alpha: 0.4, table: false }));
      }
      all.push({ label, curve: { x: mean.x, y: mean.mean }, ...style, width: 2.5 });
    });
    const at = [...places(all.map((one) => one.curve))];
    return { at, bands, lines: all.map(({ curve, ...line }) => ({ ...line, values: spread(curve, at) })) };
  }

  const markersOf = ({ members: [run] }) => run.curve.annotations.map((note) =>
    ({ x: run.curve.scale.toX(note.step), text: f.shapeChange(note, '→') }));

  function summaryOf({ entries, runs }, axis) {
    const total = runs.reduce((sum, run) => sum + run.curve.total, 0);
    const groups = entries.filter((one) => one.kind === 'tag');
    const cut = groups.filter((one) => one.more).map((one) => one.name);
    return [`${f.count(total)} points of ${runs.length} ${runs.length === 1 ? 'run' : 'runs'}, `
      + `by ${AXES[axis] ?? axis}.`,
    groups.length > 0 && ' Of a group: the mean of its runs, with one standard deviation above and below, as far as '
      + 'all of them reach.',
    cut.length > 0 && ` Only the newest runs of ${cut.map((tag) => `tag ${tag}`).join(', ')} are taken.`];
  }

  // --- what is chosen ---

  function choose(changes) {
    settings.set(changes);
    if (last) drawControls(last.keys);
    return curves.refresh();
  }

  /** What is gone leaves the address, too. */
  function forget({ entries, gone }) {
    const names = (kind) => entries.filter((one) => one.kind === kind).map((one) => one.name).join(',');
    settings.set({ runs: names('run'), tags: names('tag') });
    toast(`${gone.join(', ')}: not there any more, and left out`, 'bad');
  }

  function remove(entry) {
    const { runs, tags } = chosen();
    if (entry.kind === 'tag') return choose({ tags: tags.filter((tag) => tag !== entry.name).join(',') });
    const { id } = entry.members[0];
    return choose({ runs: runs.filter((one) => one !== entry.name && one !== id).join(',') });
  }

  function add(kind, name) {
    const { runs, tags } = chosen();
    if ([...runs, ...tags].length >= MOST) {
      toast(`Up to ${MOST} runs and groups can be compared: remove one first.`, 'bad');
      return;
    }
    const list = kind === 'tag' ? tags : runs;
    if (!list.includes(name)) choose({ [kind === 'tag' ? 'tags' : 'runs']: [...list, name].join(',') });
  }

  let keysDrawn = '';
  function drawControls(keys) {
    const now = JSON.stringify([keys, settings.get('key'), settings.get('x')]);
    if (now === keysDrawn) return; // a select that somebody holds open stays
    keysDrawn = now;
    const all = [...new Set([...keys, settings.get('key')])].sort();
    const select = (label, name, options, also = {}) => h('label', {}, `${label} `, h('select', {
      value: settings.get(name), onchange: (event) => choose({ [name]: event.target.value, ...also }) },
      options.map(([value, text]) => h('option', { value }, text))));
    const check = (name, label) => h('label', { class: 'check' }, h('input', { type: 'checkbox',
      checked: settings.get(name) === 'true',
      onchange: (event) => { settings.set({ [name]: event.target.checked }); if (last) draw(last); } }), label);
    const out = h('output', {}, settings.number('smooth').toFixed(2));
    fill(controls, select('series', 'key', all.map((key) => [key, key]), { y: null }),
      select('x', 'x', Object.entries(AXES), { from: null, to: null }), check('logx', 'log x'), check('logy', 'log y'),
      h('label', {}, 'smoothing ', h('input', { type: 'range', min: 0, max: 0.99, step: 0.01,
        value: settings.number('smooth'), oninput: (event) => {
          out.textContent = Number(event.target.value).toFixed(2);
          settings.set({ smooth: event.target.value });
          if (last) smoothly();
        } }), ' ', out), check('every', 'each run of a group'));
  }

  const smoothly = throttle(() => draw(last), 40);
  const settle = throttle(() => curves.refresh(), 150);
  const head = h('div', { class: 'page-head' }, h('h1', {}, 'Compare'), h('span', { class: 'grow' }),
    h('a', { class: 'button', href: '#/runs' }, 'All runs'));
  fill(main, head, h('div', { class: 'filters' }, picked, adder(add)), curves.element, rest);
  drawControls([]);
  const place = placeOf(location.hash, 'compare');
  const scrolled = throttle(() => keepPlace(location.hash, { top: scrollY }, 'compare'), 100);
  addEventListener('scroll', scrolled);
  const refresh = throttle(() => curves.refresh(), LIVE_MS);
  const unsubscribe = live.subscribe((event) => {
    if (/^(reset|caught-up)$/.test(event.type) || last?.runs.some((run) => run.id === event.run)) refresh();
  });
  curves.refresh().then(() => requestAnimationFrame(() => {
    if (place.top) setTimeout(() => scrollTo(0, place.top), 50);
  }));
  return {
    title: 'Compare',
    changed: () => { keysDrawn = ''; curves.refresh(); },
    destroy() {
      removeEventListener('scroll', scrolled);
      unsubscribe();
      for (const one of [scrolled, refresh, settle, smoothly]) one.cancel();
      curves.destroy();
      chart.destroy();
    },
  };
}

/** A field that finds runs and tags as somebody types. */
function adder(add) {
  const list = h('datalist', { id: 'compare-known' });
  const input = h('input', { name: 'add', list: 'compare-known', autocomplete: 'off',
    'aria-label': 'Add a run or a tag', placeholder: 'Add a run, or a tag as tag:name' });
  const suggest = throttle(async () => {
    const typed = input.value.trim(), tag = typed.startsWith('tag:');
    try {
      const found = await api.get(`/runs${api.query({ q: tag ? typed.slice(4) : typed, limit: SUGGESTED })}`);
      const tags = [...new Set(found.items.flatMap((run) => run.tags))].map((one) => `tag:${one}`);
      fill(list, [...(tag ? [] : found.items.map((run) => run.name)), ...tags].map((value) => h('option', { value })));
    } catch {
      // without suggestions it can be typed
    }
  }, TYPED_MS);
  input.addEventListener('input', suggest);
  input.addEventListener('focus', suggest);
  const form = h('form', { class: 'row adder' }, input, h('button', {}, 'Add'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const name = input.value.trim();
    if (!name) return;
    input.value = '';
    if (name.startsWith('tag:')) add('tag', name.slice(4));
    else if (await api.get(`/runs/${api.part(name)}`).then(() => true, (error) => toast(error.message, 'bad')))
      add('run', name);
  });
  return h('div', {}, form, list);
}
