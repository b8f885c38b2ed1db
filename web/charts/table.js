// The same numbers as a table, made when somebody opens it.
import { fill, h } from '../dom.js';

export function table({ head, rows, caption, numeric = true }) {
  return h('table', { class: numeric ? 'numbers' : '' },
    caption && h('caption', { class: 'hidden' }, caption),
    h('thead', {}, h('tr', {}, head.map((text) => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, rows.map((row) => h('tr', {}, row.map((cell, i) =>
      (i === 0 ? h('th', { scope: 'row' }, cell) : h('td', {}, cell)))))));
}

/** rows() → {head, rows}. */
export function pointTable(label, rows) {
  const body = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${label}, table` });
  const element = h('details', { class: 'as-table' }, h('summary', {}, 'Show as a table'), body);
  const make = () => fill(body, element.open ? table({ ...rows(), caption: label }) : null);
  element.addEventListener('toggle', make);
  return { element, refresh: () => element.open && make() };
}
