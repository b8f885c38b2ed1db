// Beside a chart: what its lines are called, which are shown, and what they are worth under the cursor.
import { fill, h } from '../dom.js';
import { styleOf } from './style.js';

const LONG = 40; // of a name in the tip

/** A piece of the line, with its dash. */
export function swatch(line) {
  const { colour, dash } = styleOf(line);
  const canvas = h('canvas', { class: 'swatch', width: 44, height: 12, 'aria-hidden': 'true' });
  const ctx = canvas.getContext('2d');
  ctx.strokeStyle = colour;
  ctx.lineWidth = 4;
  ctx.setLineDash(dash.map((d) => d * 2));
  ctx.beginPath();
  ctx.moveTo(0, 6);
  ctx.lineTo(44, 6);
  ctx.stroke();
  return canvas;
}

/** The lines that have a name of their own; the others belong to one of them. */
export const named = (model) => model.lines.filter((line) => line.table !== false);

/** One button a line: pressed while it is shown. The buttons stay, so that the focus does. */
export class Legend {
  constructor(toggle) {
    this.toggle = toggle;
    this.items = new Map(); // label → {button, value, key}
    this.where = h('span', { class: 'dim where' });
    this.element = h('div', { class: 'readout', role: 'group', 'aria-label': 'Lines' }, this.where);
  }

  draw(lines, hidden, where, valueOf) {
    fill(this.where, where);
    const labels = lines.map((line) => line.label);
    for (const [label, { button }] of this.items) {
      if (labels.includes(label)) continue;
      button.remove();
      this.items.delete(label);
    }
    for (const line of lines) {
      const item = this.item(line);
      const shown = !hidden.has(line.label);
      item.button.setAttribute('aria-pressed', String(shown));
      item.button.title = shown ? `Hide ${line.label}` : `Show ${line.label}`;
      item.value.textContent = shown ? valueOf(line) : 'hidden';
    }
  }

  item(line) {
    const key = JSON.stringify(styleOf(line));
    let item = this.items.get(line.label);
    if (item?.key === key) return item;
    const value = h('b', {});
    const button = h('button', { type: 'button', class: 'item', onclick: () => this.toggle(line.label) },
      swatch(line), h('span', { class: 'label' }, line.label), ' ', value);
    if (item) item.button.replaceWith(button);
    else this.element.append(button);
    item = { button, value, key };
    this.items.set(line.label, item);
    return item;
  }
}

/** Names and values beside the cursor, the largest first, as the lines lie. */
export class Tip {
  constructor(place) {
    this.place = place;
    this.element = h('div', { class: 'tip', 'aria-hidden': 'true', hidden: true });
    place.append(this.element);
  }

  hide() {
    this.element.hidden = true;
  }

  /** rows: [{line, value}]; text: of a value; left and width in px of the place. */
  show(where, rows, text, left, width) {
    const sorted = rows.filter((row) => Number.isFinite(row.value)).sort((a, b) => b.value - a.value);
    if (sorted.length === 0) {
      this.hide();
      return;
    }
    fill(this.element, h('div', { class: 'dim' }, where), h('ol', {}, sorted.map(({ line, value }) => h('li', {},
      swatch(line), h('span', {}, line.label.length > LONG ? `${line.label.slice(0, LONG - 1)}…` : line.label), ' ',
      h('b', {}, text(value))))));
    this.element.hidden = false;
    const wide = this.element.offsetWidth, right = left + 14 + wide > width;
    this.element.style.left = `${Math.max(0, right ? left - 14 - wide : left + 14)}px`;
  }
}
