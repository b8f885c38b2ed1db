// Loss at step 0 (hollow) beside loss at the lag (filled), a row for each candidate: what a choice at step 0 would have
// seen, and what came of it.
import { h, s } from '../dom.js';
import { loss, tick } from '../format.js';
import * as theme from '../theme.js';
import { pointTable } from './table.js';
import { logTicks } from './ticks.js';

const LEFT = 150, RIGHT = 20, TOP = 8, ROW = 26, BOTTOM = 40;

/** model: {rows: [{id, label, at0, at, index, chosen, eligible}], atLabel, reference} */
export class DumbbellChart {
  constructor(label) {
    this.label = label;
    this.place = h('div', { class: 'dumbbell' });
    this.caption = h('figcaption', { class: 'dim' });
    this.table = pointTable(label, () => ({ head: ['Candidate', 'Loss at step 0', this.model.atLabel],
      rows: this.model.rows.map((row) => [row.label, loss(row.at0), loss(row.at)]) }));
    this.element = h('figure', { class: 'chart' }, this.place, this.caption, this.table.element);
    this.resizer = new ResizeObserver(() => this.paint());
    this.resizer.observe(this.place);
    this.forget = theme.onChange(() => this.paint());
  }

  destroy() {
    this.resizer.disconnect();
    this.forget();
  }

  draw(model) {
    this.model = model;
    this.caption.textContent = model.summary ?? '';
    this.paint();
    this.table.refresh();
  }

  paint() {
    const model = this.model, width = Math.floor(this.place.clientWidth);
    const values = model?.rows.flatMap((row) => [row.at0, row.at]).filter((v) => v > 0 && Number.isFinite(v)) ?? [];
    if (width < 240 || values.length === 0) return;
    const low = Math.log(Math.min(...values)), high = Math.log(Math.max(...values)), air = (high - low) * 0.04 || 0.05;
    const x = (v) => LEFT + ((Math.log(v) - low + air) / (high - low + 2 * air)) * (width - LEFT - RIGHT);
    const height = TOP + model.rows.length * ROW + BOTTOM;
    const svg = s('svg', { width, height, role: 'img',
      'aria-label': `${this.label}; the table below has its numbers` });
    svg.append(...ticks(Math.exp(low - air), Math.exp(high + air), x, height));
    if (model.reference > 0)
      svg.append(s('line', { class: 'reference', x1: x(model.reference), x2: x(model.reference), y1: TOP,
        y2: height - BOTTOM }));
    model.rows.forEach((row, i) => svg.append(...bar(row, x, TOP + (i + 0.5) * ROW)));
    svg.append(s('text', { x: LEFT + (width - LEFT - RIGHT) / 2, y: height - 4, 'text-anchor': 'middle',
      class: 'tick' },
      'validation loss (log): hollow at step 0, filled at the line'));
    this.place.replaceChildren(svg);
  }
}

function ticks(low, high, x, height) {
  const out = [], n = Math.max(2, Math.floor((x(high) - x(low)) / 60));
  for (const value of logTicks(low, high, n)) {
    const at = x(value);
    out.push(s('line', { class: 'grid', x1: at, x2: at, y1: TOP, y2: height - BOTTOM }),
      s('text', { x: at, y: height - BOTTOM + 15, 'text-anchor': 'middle', class: 'tick' }, tick(value)));
  }
  return out;
}

function bar(row, x, y) {
  const colour = theme.colour(row.index);
  const out = [s('text', { x: LEFT - 12, y: y + 4, 'text-anchor': 'end', class: `name ${row.chosen ? 'chosen' : ''}` },
    row.label)];
  if (row.at0 > 0 && row.at > 0)
    out.push(s('line', { class: 'bar', x1: x(row.at0), x2: x(row.at), y1: y, y2: y, stroke: colour }));
  if (row.at0 > 0) out.push(s('circle', { class: 'hollow', cx: x(row.at0), cy: y, r: 5, stroke: colour }));
  if (row.at > 0) out.push(s('circle', { cx: x(row.at), cy: y, r: row.chosen ? 6.5 : 5, fill: colour }));
  return out;
}
