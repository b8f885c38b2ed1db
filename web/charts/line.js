// A line chart on uPlot: several lines on one x, bands, markers, log axes, zoom by dragging, a cursor for the keyboard,
// a table of the same points. The canvas is decoration for those who see it; text and table say the same.
import { button, fill, h } from '../dom.js';
import { number, tick } from '../format.js';
import * as theme from '../theme.js';
import { pointTable } from './table.js';
import { logTicks } from './ticks.js';

const uPlot = window.uPlot;
const FONT = '12px system-ui, sans-serif';
const POINTS_TABLE = 2000;

const LABEL_PX = { x: 70, y: 34 }; // room that a number on a log axis takes

function axisOf(way, label, log, values) {
  return {
    label, labelSize: 20, labelFont: FONT, font: FONT, labelGap: 0, size: way === 'x' ? 32 : 58,
    stroke: () => theme.css('--dim'),
    grid: { stroke: () => theme.css('--grid'), width: 1 },
    ticks: { stroke: () => theme.css('--grid'), width: 1, size: 5 },
    values: (u, splits) => splits.map((v) => (v === null ? '' : values(v))),
    ...(log ? { filter: (u, splits) => splits, splits: (u, axis, low, high) =>
      logTicks(low, high, Math.max(2, Math.floor((way === 'x'
        ? u.bbox.width : u.bbox.height) / devicePixelRatio / LABEL_PX[way]))) } : {}),
  };
}

/**
 * model: {x: [], lines: [{label, values, colour, dash, width, alpha, table}], bands: [{high, low, colour}],
 *         markers: [{x, text}], xLabel, yLabel, xText, yText, xLog, yLog, range: [min, max] | null,
 *         yRange: [min, max] | null, summary}
 */
export class LineChart {
  constructor({ label, height = 280, onZoom, sync, overlay, table = true }) {
    this.label = label;
    this.height = height;
    this.onZoom = onZoom;
    this.sync = sync;
    this.overlay = overlay;
    this.plot = null;
    this.model = null;
    this.place = h('div', { class: 'plot', role: 'application', tabindex: 0,
      'aria-label': `${label}. Arrow keys move along `
      + 'the curve, plus and minus zoom, Escape shows everything, brackets jump between growths.' });
    this.readout = h('div', { class: 'readout' });
    this.caption = h('figcaption', { class: 'dim' });
    this.reset = onZoom ? button('Show all', () => onZoom(null), { class: 'quiet small reset', hidden: true }) : null;
    this.table = table ? pointTable(label, () => this.rows()) : null;
    this.element = h('figure', { class: 'chart' }, this.readout,
      h('div', { class: 'plot-box' }, this.place, this.reset),
      this.caption, this.table?.element);
    this.place.addEventListener('keydown', (event) => this.key(event));
    this.place.addEventListener('blur', () => this.plot?.setCursor({ left: -10, top: -10 }));
    this.resizer = new ResizeObserver(() => this.resize());
    this.resizer.observe(this.place);
    this.forget = theme.onChange(() => this.build());
  }

  destroy() {
    this.resizer.disconnect();
    this.forget();
    this.plot?.destroy();
    this.plot = null;
  }

  resize() {
    const width = Math.floor(this.place.clientWidth);
    if (!width || !this.model) return;
    if (!this.plot) this.build();
    else if (this.plot.width !== width) this.plot.setSize({ width, height: this.height });
  }

  rows() {
    const { x, lines, xLabel } = this.model;
    const shown = lines.filter((line) => line.table !== false);
    const stride = Math.max(1, Math.ceil(x.length / POINTS_TABLE));
    const rows = [];
    for (let i = x.length - 1; i >= 0; i -= stride) {
      if (shown.some((line) => line.values[i] !== null && line.values[i] !== undefined))
        rows.push([this.xText(x[i]), ...shown.map((line) => number(line.values[i]))]);
    }
    return { head: [xLabel, ...shown.map((line) => line.label)], rows };
  }

  xText(x) {
    return (this.model.xText ?? number)(x);
  }

  /** What makes a new plot necessary: everything but the numbers. */
  signature(model) {
    return JSON.stringify([model.xLog, model.yLog, model.xLabel, model.yLabel, Boolean(this.overlay),
      model.lines.map((line) => [line.label, line.colour, line.dash, line.width, line.alpha, line.points]),
      model.bands]);
  }

  data(model) {
    const drawn = (values) => (model.yLog ? values.map((v) => (v > 0 ? v : null)) : values);
    return [model.x, ...model.lines.map((line) => drawn(line.values))];
  }

  draw(given) {
    const model = given.xLog ? positive(given) : given;
    const same = this.model && this.plot && this.signature(model) === this.signature(this.model);
    this.model = model;
    if (same) {
      this.plot.setData(this.data(model));
    } else {
      this.build();
    }
    if (this.reset) this.reset.hidden = !model.range;
    fill(this.caption, model.summary ?? '');
    this.read(null);
    this.table?.refresh();
  }

  /** What of x is shown: all there is, or what was zoomed to. */
  span() {
    const { x, range, xLog } = this.model;
    const first = x[0] ?? 0;
    const [min, max] = range ?? [first, x[x.length - 1] ?? 1];
    const low = xLog && !(min > 0) ? first || 1 : min;
    return [low, max > low ? max : low + 1];
  }

  build() {
    const width = Math.floor(this.place.clientWidth);
    this.plot?.destroy();
    this.plot = null;
    if (!this.model || !width || this.model.x.length === 0) return;
    const model = this.model;
    const series = model.lines.map((line) => ({
      label: line.label, spanGaps: true, width: line.width ?? 2, alpha: line.alpha ?? 1,
        points: { show: line.points ?? false, size: 5 },
      stroke: () => (typeof line.colour === 'number' ? theme.colour(line.colour) : theme.css(line.colour)),
      dash: line.dash,
    }));
    const options = {
      width, height: this.height, legend: { show: false }, padding: [18, 16, 0, 0],
      cursor: { y: false, drag: { x: Boolean(this.onZoom), y: false, setScale: false }, points: { size: 7 },
        ...(this.sync ? { sync: { key: this.sync, setSeries: false } } : {}) },
      scales: {
        x: { time: false, distr: model.xLog ? 3 : 1, range: () => this.span() },
        y: { distr: model.yLog ? 3 : 1, range: (u, min, max) => padded(...(this.model.yRange ?? [min, max]),
          model.yLog) },
      },
      axes: [axisOf('x', model.xLabel, model.xLog, (v) => this.xText(v)),
        axisOf('y', model.yLabel, model.yLog, model.yText ?? tick)],
      series: [{}, ...series],
      bands: (model.bands ?? []).map((band) => ({ series: [band.high + 1, band.low + 1],
        fill: () => `${theme.colour(band.colour)}30` })),
      hooks: {
        draw: [(u) => this.markers(u)],
        setCursor: [(u) => this.read(u.cursor.idx)],
        setSelect: [(u) => this.selected(u)],
        setSize: [() => this.overlay?.place()],
        setScale: [() => this.overlay?.place()],
        ready: [(u) => this.overlay?.attach(u)],
      },
    };
    this.plot = new uPlot(options, this.data(model), this.place);
    this.plot.root.setAttribute('aria-hidden', this.overlay ? 'false' : 'true');
  }

  selected(u) {
    if (!this.onZoom || u.select.width < 8) return;
    const from = u.posToVal(u.select.left, 'x'), to = u.posToVal(u.select.left + u.select.width, 'x');
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.onZoom([from, to]);
  }

  markers(u) {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    let right = -Infinity;
    for (const marker of this.model.markers ?? []) {
      const x = u.valToPos(marker.x, 'x', true);
      if (!(x >= bbox.left - 1 && x <= bbox.left + bbox.width + 1)) continue;
      ctx.save();
      ctx.strokeStyle = theme.css('--marker');
      ctx.fillStyle = theme.css('--marker');
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash([4 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
      const width = ctx.measureText(marker.text).width;
      const left = Math.min(Math.max(x - width / 2, bbox.left), bbox.left + bbox.width - width);
      if (left > right + 8 * ratio) { // labels do not overlap: the ones that do not fit stand in the caption's place
        ctx.textAlign = 'left';
        ctx.fillText(marker.text, left, bbox.top - 5 * ratio);
        right = left + width;
      }
      ctx.restore();
    }
  }

  read(index) {
    const { x, lines } = this.model;
    const shown = lines.filter((line) => line.table !== false);
    const at = (line) => {
      if (index !== null && index !== undefined) return nearest(line.values, index);
      for (let i = line.values.length - 1; i >= 0; i--)
        if (line.values[i] !== null && line.values[i] !== undefined) return line.values[i];
      return null;
    };
    const { xLabel } = this.model;
    const where = index === null || index === undefined
      ? (x.length ? `latest: ${xLabel} ${this.xText(x[x.length - 1])}` : '') : `${xLabel} ${this.xText(x[index])}`;
    if (this.model.quiet) {
      fill(this.readout, h('span', { class: 'dim' }, where));
      return;
    }
    fill(this.readout, h('span', { class: 'dim' }, where),
      shown.map((line) => h('span', { class: 'item' }, swatch(line), `${line.label} `, h('b', {}, number(at(line))))));
  }

  key(event) {
    const u = this.plot;
    if (!u || event.target !== this.place) return;
    const xs = u.data[0];
    const index = u.cursor.idx ?? xs.length - 1;
    const step = event.shiftKey ? Math.max(1, Math.round(xs.length / 20)) : 1;
    const go = (i) => u.setCursor({ left: u.valToPos(xs[Math.min(Math.max(i, 0), xs.length - 1)], 'x'), top: 10 });
    const jump = (direction) => {
      const marks = (this.model.markers ?? []).map((m) => m.x)
        .filter((m) => (direction > 0 ? m > xs[index] : m < xs[index]));
      if (marks.length)
        u.setCursor({ left: u.valToPos(direction > 0 ? Math.min(...marks) : Math.max(...marks), 'x'), top: 10 });
    };
    const zoom = (factor) => {
      const { min, max } = u.scales.x, middle = xs[index], half = ((max - min) / 2) * factor;
      this.onZoom?.([Math.max(middle - half, xs[0]), Math.min(middle + half, xs[xs.length - 1])]);
    };
    const keys = { ArrowLeft: () => go(index - step), ArrowRight: () => go(index + step), Home: () => go(0),
      End: () => go(xs.length - 1), '[': () => jump(-1), ']': () => jump(1), '+': () => zoom(0.5), '=': () => zoom(0.5),
      '-': () => zoom(2), Escape: () => this.onZoom?.(null) };
    if (!keys[event.key]) return;
    keys[event.key]();
    event.preventDefault();
  }
}

/** Without what has no place on a log x. */
function positive(model) {
  const first = model.x.findIndex((x) => x > 0);
  if (first <= 0) return model;
  return { ...model, x: model.x.slice(first), lines: model.lines.map((line) => ({ ...line,
    values: line.values.slice(first) })) };
}

/** A little air above and below, and a range of its own for a flat line. */
function padded(min, max, log) {
  if (min === null || max === null) return log ? [1, 10] : [0, 1];
  if (log) {
    const more = Math.max((max / min) ** 0.05, 1.01);
    return [min / more, max * more];
  }
  const air = (max - min) * 0.06 || Math.abs(max) * 0.1 || 1;
  return [min >= 0 && min - air < 0 ? 0 : min - air, max + air];
}

function nearest(values, index) {
  for (let d = 0; d < values.length; d++) {
    for (const i of [index - d, index + d]) if (values[i] !== null && values[i] !== undefined) return values[i];
  }
  return null;
}

/** A piece of the line, with its dash. */
export function swatch(line) {
  const canvas = h('canvas', { class: 'swatch', width: 44, height: 12, 'aria-hidden': 'true' });
  const ctx = canvas.getContext('2d');
  ctx.strokeStyle = typeof line.colour === 'number' ? theme.colour(line.colour) : theme.css(line.colour);
  ctx.lineWidth = 4;
  ctx.setLineDash((line.dash ?? []).map((d) => d * 2));
  ctx.beginPath();
  ctx.moveTo(0, 6);
  ctx.lineTo(44, 6);
  ctx.stroke();
  return canvas;
}
