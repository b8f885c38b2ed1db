// A line chart on uPlot: several lines on one x, bands, markers, log axes, zoom in x and y by dragging, a legend that
// hides lines, names at their ends, a cursor for the keyboard, a table of the same points. The canvas is decoration for
// those who see it; text and table say the same.
import { button, fill, h } from '../dom.js';
import { count, number, tick } from '../format.js';
import * as theme from '../theme.js';
import { axisOf, hollow, lastOf, padded, positive, valueAt, visible } from './axes.js';
import { drawEnds, roomFor } from './ends.js';
import { Legend, named, Tip } from './legend.js';
import { inSight, region } from './region.js';
import { saveButtons } from './save.js';
import { inPieces, strokesOf } from './strokes.js';
import { styleOf } from './style.js';
import { pointTable } from './table.js';
import { View } from './view.js';

const uPlot = window.uPlot;
const POWERS_OF_2 = Array.from({ length: 60 }, (_, i) => 2 ** i); // even numbers of KiB, MiB …
const POINTS_TABLE = 2000, LEAST_DRAG_PX = 8, BOTH_WAYS_PX = 24;

/**
 * model: {x: [], lines: [{label, values, colour, dash, width, alpha, table, of}], bands: [{high, low, colour}],
 *         markers: [{x, text}], xLabel, yLabel, xText, yText, xLog, yLog, range: [min, max] | null,
 *         yRange: [min, max] | null, whole, yBinary, quiet, xTime, xTick, valueText, yZero, zoomed, summary}
 * A line with table: false has no name of its own; `of` is the label of the line that it is shown and hidden with.
 * whole: all of y is shown, outliers too. yBinary: y counts bytes. xTime: x is seconds since 1970; xTick: text beside
 * the axis. quiet: the page tells elsewhere what the lines are. zoomed: false where range is what is shown anyway.
 */
export class LineChart {
  constructor({ label, height = 280, onZoom, sync, overlay, table = true, view = new View(null) }) {
    Object.assign(this, { label, height, onZoom, sync, overlay, view });
    this.plot = null;
    this.given = null; // as the page gave it
    this.model = null; // without what is hidden
    this.extent = { range: null, whole: null, outside: 0 };
    this.place = h('div', { class: 'plot', role: 'application', tabindex: 0,
      'aria-label': `${label}. Arrow keys move along the curve, plus and minus zoom, Shift with up and down zooms `
      + 'upwards, Escape shows everything, brackets jump between growths.' });
    this.legend = new Legend((name) => this.toggle(name));
    this.caption = h('figcaption', { class: 'dim' });
    this.reset = button('Show all', () => this.all(), { class: 'quiet small reset', hidden: true });
    this.outliers = button('', () => this.flipOutliers(), { class: 'quiet small', hidden: true });
    this.table = table ? pointTable(label, () => this.rows()) : null;
    const zoomers = onZoom ? [['+', 0.5, 'closer'], ['−', 2, 'farther']].map(([sign, factor, word]) =>
      button(sign, () => this.zoom(factor), { class: 'quiet small coarse', 'aria-label': `${label}: ${word}` })) : [];
    const box = h('div', { class: 'plot-box' }, this.place, this.reset);
    this.tip = new Tip(box);
    this.element = h('figure', { class: 'chart' }, this.legend.element, box, this.caption,
      h('div', { class: 'chart-tools' }, this.table?.element, h('span', { class: 'grow' }), this.outliers, zoomers,
        saveButtons(this)));
    this.place.addEventListener('keydown', (event) => this.key(event));
    this.place.addEventListener('blur', () => this.leave());
    this.place.addEventListener('mousedown', () => { this.dragging = true; });
    this.place.addEventListener('mouseleave', () => this.tip.hide());
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

  leave() {
    this.plot?.setCursor({ left: -10, top: -10 });
    this.tip.hide();
  }

  resize() {
    const width = Math.floor(this.place.clientWidth);
    if (!width || !this.model) return;
    if (!this.plot || (this.plot.width < 520) !== (width < 520)) this.build();
    else if (this.plot.width !== width) this.plot.setSize({ width, height: this.height });
  }

  rows() {
    const { x, xLabel } = this.model, shown = named(this.model);
    const stride = Math.max(1, Math.ceil(x.length / POINTS_TABLE));
    const rows = [];
    for (let i = x.length - 1; i >= 0; i -= stride) {
      if (shown.some((line) => line.values[i] !== null && line.values[i] !== undefined))
        rows.push([this.xText(x[i]), ...shown.map((line) => (this.model.valueText ?? number)(line.values[i]))]);
    }
    return { head: [xLabel, ...shown.map((line) => line.label)], rows };
  }

  xText(x) {
    return (this.model.xText ?? number)(x);
  }

  /** What makes a new plot necessary: everything but the numbers. */
  signature(model) {
    return JSON.stringify([model.xLog, model.yLog, model.xLabel, model.yLabel, Boolean(this.overlay), model.quiet,
      model.lines.map((line) => [line.label, line.colour, line.dash, line.width, line.alpha, line.points]),
      model.bands]);
  }

  data(model) {
    const drawn = (values) => (model.yLog ? values.map((v) => (v > 0 ? v : null)) : values);
    return [model.x, ...model.lines.map((line) => drawn(line.values))];
  }

  draw(given) {
    this.given = given;
    const model = visible(hollow(given.xLog ? positive(given) : given), this.view.hidden);
    const same = this.model && this.plot && this.signature(model) === this.signature(this.model);
    this.model = model;
    this.measure();
    if (same) this.plot.setData(this.data(model));
    else this.build();
    this.tell();
    this.read(null);
    this.table?.refresh();
  }

  /** Which y is worth seeing. */
  measure() {
    const { x, lines, yLog } = this.model, span = this.span();
    const of = (faint) => lines.filter((line) => (line.alpha === 0) === faint)
      .map((line) => inSight(x, line.values, span, yLog));
    this.extent = region(of(false), of(true), yLog);
  }

  yRange() {
    const { whole, yRange } = this.model;
    const range = this.view.y ?? yRange;
    if (range && !(this.model.yLog && !(range[0] > 0))) return this.view.y ? range : padded(...range, this.model.yLog);
    const shown = whole || this.view.outliers ? this.extent.whole : this.extent.range;
    const [low, high] = padded(...(shown ?? [null, null]), this.model.yLog);
    return [this.model.yZero ? Math.min(0, low) : low, high];
  }

  tell() {
    const { outside, range } = this.extent, shown = this.view.outliers;
    const clipped = outside > 0 && !this.model.whole && !this.view.y && !this.model.yRange;
    this.outliers.hidden = !clipped;
    this.outliers.textContent = shown ? 'Hide outliers' : 'Show outliers';
    this.reset.hidden = !this.isZoomed() && !this.view.y;
    fill(this.caption, this.model.summary ?? '', clipped && !shown && ` ${count(outside)} `
      + `${outside === 1 ? 'value lies' : 'values lie'} beyond ${tick(range[0])} to ${tick(range[1])} and `
      + `${outside === 1 ? 'is' : 'are'} cut off.`);
  }

  again() {
    if (this.given) this.draw(this.given);
  }

  toggle(label) {
    this.view.toggle(label);
    this.again();
  }

  flipOutliers() {
    this.view.outliers = !this.view.outliers;
    this.again();
  }

  /** Shows all there is of x and y. */
  all() {
    this.view.y = null;
    if (this.model && this.isZoomed()) this.onZoom(null);
    this.again();
  }

  isZoomed() {
    return Boolean(this.onZoom) && (this.model.zoomed ?? Boolean(this.model.range));
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
    const edges = new Set((model.bands ?? []).flatMap((band) => [band.high, band.low]));
    const series = model.lines.map((line, i) => ({
      label: line.label, spanGaps: true, width: line.width ?? 2,
      ...(inPieces(line) && !edges.has(i) ? { paths: strokesOf(line) } : {}),
      alpha: line.alpha || 1, // a band is as faint as its line: of those that bound one only the stroke is unseen
      points: { show: line.points ?? false, size: 5 },
      stroke: () => (line.alpha === 0 ? 'transparent' : styleOf(line).colour), dash: line.dash,
    }));
    const right = model.quiet ? 0 : roomFor(named(model), width);
    this.plot = new uPlot({
      width, height: this.height, legend: { show: false }, padding: [18, Math.max(16, right), 0, 0],
      cursor: { y: false, points: { size: 7 }, bind: { dblclick: () => () => { this.all(); return null; } },
        drag: { x: Boolean(this.onZoom), y: true, uni: this.onZoom ? BOTH_WAYS_PX : null, setScale: false },
        ...(this.sync ? { sync: { key: this.sync, setSeries: false, scales: ['x', null] } } : {}) },
      scales: {
        x: { time: Boolean(model.xTime), distr: model.xLog ? 3 : 1, range: () => this.span() },
        y: { distr: model.yLog ? 3 : 1, range: () => this.yRange() },
      },
      axes: [axisOf('x', model.xLabel, model.xLog, model.xTick ?? ((v) => this.xText(v))),
        { ...axisOf('y', model.yLabel, model.yLog, model.yText ?? tick),
          ...(model.yBinary ? { incrs: POWERS_OF_2 } : {}) }],
      series: [{}, ...series],
      bands: (model.bands ?? []).map((band) => ({ series: [band.high + 1, band.low + 1],
        fill: () => `${theme.colour(band.colour)}30` })),
      hooks: {
        draw: [(u) => this.markers(u), (u) => right && drawEnds(u, this.model, named(this.model), this.span())],
        setCursor: [(u) => this.read(u.cursor.idx)],
        setSelect: [(u) => this.selected(u)],
        setSize: [() => this.overlay?.place()],
        setScale: [() => this.overlay?.place()],
        ready: [(u) => this.overlay?.attach(u)],
      },
    }, this.data(model), this.place);
    this.plot.root.setAttribute('aria-hidden', this.overlay ? 'false' : 'true');
  }

  selected(u) {
    const { left, top, width, height } = u.select;
    if (width === 0 && height === 0) return;
    const across = width >= LEAST_DRAG_PX && width < u.over.clientWidth - 1;
    const down = height >= LEAST_DRAG_PX && height < u.over.clientHeight - 1;
    const x = [u.posToVal(left, 'x'), u.posToVal(left + width, 'x')];
    const y = [u.posToVal(top + height, 'y'), u.posToVal(top, 'y')];
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (!this.dragging) return; // in a chart whose cursor goes with this one's
    this.dragging = false;
    if (down) this.view.y = y;
    if (across && this.onZoom) this.onZoom(x);
    if (down) this.again();
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

  /** index: under the cursor; null: none, and the last values are told. */
  read(index) {
    const { x, xLabel, quiet } = this.model, [from, to] = this.span();
    const there = index !== null && index !== undefined;
    const where = there ? `${xLabel} ${this.xText(x[index])}`
      : x.length ? `latest: ${xLabel} ${this.xText(x[x.length - 1])}` : '';
    const shown = new Map(named(this.model).map((line) => [line.label, line]));
    const value = (line) => (there ? valueAt(line, x, index, to - from) : lastOf(line));
    const text = this.model.valueText ?? number;
    this.legend.draw(quiet ? [] : named(this.given), this.view.hidden, where,
      (line) => text(value(shown.get(line.label) ?? line)));
    const here = this.place.matches(':hover') || document.activeElement === this.place;
    if (!there || !here || !this.plot) this.tip.hide();
    else this.tip.show(where, [...shown.values()].map((line) => ({ line, value: value(line) })), text,
      this.plot.cursor.left + this.plot.over.offsetLeft, this.plot.width);
  }

  zoom(factor) {
    const u = this.plot;
    if (!u || !this.onZoom) return;
    const xs = u.data[0], { min, max } = u.scales.x, middle = xs[u.cursor.idx] ?? (min + max) / 2;
    const half = ((max - min) / 2) * factor, low = Math.max(middle - half, xs[0]);
    const high = Math.min(middle + half, xs[xs.length - 1]);
    this.onZoom(factor > 1 && low <= xs[0] && high >= xs[xs.length - 1] ? null : [low, high]);
  }

  zoomY(factor) {
    const { min, max } = this.plot.scales.y, log = this.model.yLog;
    const [low, high] = log ? [Math.log(min), Math.log(max)] : [min, max];
    const at = valueAt(named(this.model)[0] ?? { values: [] }, this.model.x,
      this.plot.cursor.idx ?? this.model.x.length - 1, Infinity);
    const middle = at === null || (log && !(at > 0)) ? (low + high) / 2 : log ? Math.log(at) : at;
    const range = [middle - ((high - low) / 2) * factor, middle + ((high - low) / 2) * factor];
    this.view.y = log ? range.map(Math.exp) : range;
    this.again();
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
    const upwards = (factor) => event.shiftKey && this.zoomY(factor);
    const keys = { ArrowLeft: () => go(index - step), ArrowRight: () => go(index + step), Home: () => go(0),
      End: () => go(xs.length - 1), '[': () => jump(-1), ']': () => jump(1), '+': () => this.zoom(0.5),
      '=': () => this.zoom(0.5), '-': () => this.zoom(2), ArrowUp: () => upwards(0.5), ArrowDown: () => upwards(2),
      Escape: () => this.all() };
    if (!keys[event.key] || (/^Arrow(Up|Down)$/.test(event.key) && !event.shiftKey)) return;
    keys[event.key]();
    event.preventDefault();
  }
}
