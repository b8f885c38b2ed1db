// Rank against probe step: a line for each candidate, so that the moment when the order changes is seen.
import { h, s } from '../dom.js';
import * as theme from '../theme.js';
import { pointTable } from './table.js';

const LEFT = 34, RIGHT = 150, TOP = 16, ROW = 26, BOTTOM = 36;

/** model: {steps: [], lines: [{id, label, ranks: [], index, chosen}], at, onAt(step), focus} */
export class BumpChart {
  constructor(label) {
    this.label = label;
    this.place = h('div', { class: 'bump' });
    this.caption = h('figcaption', { class: 'dim' });
    this.table = pointTable(label, () => this.rows());
    this.element = h('figure', { class: 'chart' }, this.place, this.caption, this.table.element);
    this.resizer = new ResizeObserver(() => this.paint());
    this.resizer.observe(this.place);
    this.forget = theme.onChange(() => this.paint());
    this.place.addEventListener('click', (event) => this.clicked(event));
  }

  destroy() {
    this.resizer.disconnect();
    this.forget();
  }

  rows() {
    const { steps, lines } = this.model;
    return { head: ['Probe step', ...lines.map((line) => line.label)],
      rows: steps.map((step, i) => [String(step), ...lines.map((line) => String(line.ranks[i] ?? '–'))]) };
  }

  draw(model) {
    this.model = model;
    this.paint();
    this.caption.textContent = model.summary ?? '';
    this.table.refresh();
  }

  x(step) {
    const { steps } = this.model;
    const span = steps[steps.length - 1] - steps[0] || 1;
    return LEFT + 8 + ((step - steps[0]) / span) * (this.width - LEFT - RIGHT - 16);
  }

  clicked(event) {
    if (!this.model?.onAt) return;
    const x = event.clientX - this.place.getBoundingClientRect().left;
    this.model.onAt(this.model.steps.reduce((best, step) => (Math.abs(this.x(step) - x) < Math.abs(this.x(best) - x)
      ? step : best)));
  }

  paint() {
    const model = this.model;
    this.width = Math.floor(this.place.clientWidth);
    if (!model || this.width < 120 || model.steps.length === 0) return;
    const n = model.lines.length, height = TOP + n * ROW + BOTTOM, y = (rank) => TOP + (rank - 0.5) * ROW;
    const svg = s('svg', { width: this.width, height, role: 'img',
      'aria-label': `${this.label}; the table below has its numbers` });
    for (let rank = 1; rank <= n; rank++) {
      svg.append(s('line', { class: 'grid', x1: LEFT, x2: this.width - RIGHT, y1: y(rank), y2: y(rank) }),
        s('text', { x: LEFT - 10, y: y(rank) + 4, 'text-anchor': 'end', class: 'tick' }, rank));
    }
    svg.append(...this.ticks(height));
    if (model.at !== null && model.at !== undefined) {
      const at = this.x(model.at);
      svg.append(s('line', { class: 'decide', x1: at, x2: at, y1: TOP - 8, y2: height - BOTTOM + 4 }));
    }
    for (const line of [...model.lines].sort((a, b) => Number(a.chosen) - Number(b.chosen)))
      svg.append(...this.line(line, y));
    this.place.replaceChildren(svg);
  }

  ticks(height) {
    const { steps } = this.model;
    const out = [s('text', { x: LEFT + (this.width - LEFT - RIGHT) / 2, y: height - 4, 'text-anchor': 'middle',
      class: 'tick' }, 'probe step')];
    let last = -Infinity;
    for (const step of steps) {
      if (this.x(step) - last < 42) continue;
      last = this.x(step);
      out.push(s('text', { x: last, y: height - BOTTOM + 16, 'text-anchor': 'middle', class: 'tick' }, step));
    }
    return out;
  }

  line(line, y) {
    const { steps, focus } = this.model;
    const colour = theme.colour(line.index), dash = theme.dash(line.index).join(' ') || null;
    const points = steps.map((step, i) => [this.x(step), line.ranks[i]]).filter(([, rank]) => rank)
      .map(([x, rank]) => [x, y(rank)]);
    if (points.length === 0) return [];
    const faded = focus && focus !== line.id ? 'faded' : '';
    const [x, last] = points[points.length - 1];
    return [
      s('polyline', { class: `rank ${line.chosen ? 'chosen' : ''} ${faded}`,
        points: points.map((p) => p.map((v) => v.toFixed(1)).join(',')).join(' '),
        stroke: colour, 'stroke-dasharray': dash }),
      ...points.map(([px, py]) => s('circle', { class: faded, cx: px.toFixed(1), cy: py, r: line.chosen ? 4 : 2.5,
        fill: colour })),
      s('text', { x: x + 10, y: last + 4, class: `name ${line.chosen ? 'chosen' : ''} ${faded}` }, line.label),
    ];
  }
}
