// The machine over time: processors, memory, disk and temperature, as the daemon has kept them.
import * as api from '../api.js';
import { LineChart } from '../charts/line.js';
import { lineStyle } from '../charts/style.js';
import { View } from '../charts/view.js';
import { button, fill, h } from '../dom.js';
import * as f from '../format.js';
import { panel } from '../panel.js';
import { Settings } from '../state.js';
import { throttle } from '../throttle.js';

const POINTS = 600, PULSE_MS = 15000, HOUR = 3600;
const SPANS = { '2h': [2 * HOUR, '2 hours'], '1d': [24 * HOUR, 'a day'], '2d': [48 * HOUR, '2 days'],
  '60d': [60 * 24 * HOUR, '60 days'] };

// title, label of y, text of y, [key, name of its line]
const CHARTS = [
  ['Processors', 'share of all', (v) => f.percent(v), [['cpu/share', 'everybody'], ['cpu/lagd', 'lagd']]],
  ['Memory', 'bytes', f.bytes, [['memory/used_bytes', 'everybody'], ['memory/lagd_bytes', 'lagd']]],
  ['Disk: free', 'bytes', f.bytes, [['disk/free_bytes', 'free']]],
  ['Disk: traffic of lagd', 'bytes/s', f.bytes, [['disk/read_bytes_per_s', 'read'],
    ['disk/written_bytes_per_s', 'written']]],
  ['Temperature', '°C', f.tick, [['temperature/celsius', 'hottest sensor']]],
];

function chartPanel(view, n_cpus, [title, yLabel, yText, keys]) {
  const { settings } = view;
  const chart = new LineChart({ label: title, height: 240, sync: 'machine', view: new View(settings,
    `${keys[0][0].split('/').join('-')}.`),
  onZoom(span) {
    settings.set(span ? { from: Math.floor(span[0]), to: Math.ceil(span[1]) } : { from: null, to: null });
    view.changed();
  } });
  const query = () => api.query({ key: keys.map(([key]) => key), max_points: POINTS * keys.length, ...view.window() });
  const path = () => `/system/series${query()}`;
  let last = null;
  const draw = () => {
    if (!last) return;
    const { from, to } = view.window();
    chart.draw({ x: last.step, ...linesOf(last, keys, n_cpus), xLabel: 'time', xTime: true, whole: true,
      xText: (v) => f.when(v * 1000), xTick: (v) => f.moment(v, to - from), yLabel, yText, valueText: yText,
      yBinary: yText === f.bytes, yZero: true, range: [from, to], zoomed: settings.get('from') !== '',
      summary: `${f.count(last.points_total)} points.` });
  };
  const self = panel({ title, curl: () => ['GET', path()], load: (signal) => api.get(path(), signal),
    isEmpty: (data) => data.step.length === 0 && settings.get('from') === '',
    empty: () => h('p', { class: 'dim' }, keys[0][0].startsWith('temperature')
      ? 'This machine tells lagd no temperature.' : 'Nothing yet: the first point comes within a minute or two.'),
    show(first, body) {
      body.append(chart.element);
      const update = (now) => {
        last = now;
        draw();
      };
      requestAnimationFrame(() => update(first));
      return update;
    } });
  const settle = throttle(() => self.refresh(), 150);
  return { element: self.element, refresh: () => self.refresh(), redraw: () => { draw(); settle(); },
    destroy() {
      settle.cancel();
      self.destroy();
      chart.destroy();
    } };
}

/** A line each, with the range of thinned points as a band. lagd's processors become its share of all. */
function linesOf(data, keys, n_cpus) {
  const lines = [], bands = [];
  keys.forEach(([key, label], i) => {
    const column = data.series[key], style = lineStyle(i);
    const values = (part) => (key === 'cpu/lagd' ? column[part].map((v) => (v === null ? null : v / n_cpus))
      : column[part]);
    if (data.step.length && !column.last.some((v) => v !== null)) return; // as the share of all inside of a service
    if (column.points_total > data.points_returned) {
      for (const part of ['max', 'min']) {
        lines.push({ label: `${label}, ${part}`, of: label, values: values(part), ...style, width: 0, alpha: 0,
          table: false });
      }
      bands.push({ high: lines.length - 2, low: lines.length - 1, colour: i });
    }
    lines.push({ label, values: values('last'), ...style, width: 1.8 });
  });
  return { lines, bands };
}

export function machineView(main) {
  const settings = new Settings({ span: '2h', from: '', to: '' });
  const view = { settings, window() {
    const [width] = SPANS[settings.get('span')] ?? SPANS['2h'], now = Math.ceil(Date.now() / 1000);
    return settings.get('from') === '' ? { from: now - width, to: now }
      : { from: settings.number('from'), to: settings.number('to') };
  }, changed: () => charts.forEach((one) => one.redraw()) };
  const spans = h('div', { class: 'row chips' }), place = h('div', { class: 'columns machine' });
  let charts = [], destroyed = false;

  function drawSpans() {
    fill(spans, Object.entries(SPANS).map(([name, [, text]]) => button(text, () => {
      settings.set({ span: name, from: null, to: null });
      drawSpans();
      view.changed();
    }, { class: `chip small${settings.get('span') === name ? ' on' : ''}`,
      'aria-pressed': String(settings.get('span') === name) })));
  }

  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Machine')),
    h('p', { class: 'dim' }, 'Each look is kept for two hours, means of a minute for two days, and of a quarter of an '
      + 'hour for sixty.'), spans, place);
  drawSpans();
  api.get('/system').then(({ cpu }) => cpu.n_cpus, () => 1).then((n_cpus) => {
    if (destroyed) return;
    charts = CHARTS.map((one) => chartPanel(view, n_cpus, one));
    fill(place, charts.map((one) => one.element));
    for (const one of charts) one.refresh();
  });
  const pulse = setInterval(() => {
    if (!document.hidden && settings.get('from') === '') for (const one of charts) one.refresh();
  }, PULSE_MS);
  return {
    title: 'Machine',
    changed: () => { drawSpans(); for (const one of charts) one.refresh(); },
    destroy() {
      destroyed = true;
      clearInterval(pulse);
      for (const one of charts) one.destroy();
    },
  };
}
