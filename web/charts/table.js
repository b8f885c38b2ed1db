// The same numbers as a table, made when somebody opens it.
import { fill, h } from '../dom.js';
import { throttle } from '../throttle.js';

const CHUNK = 80, REFRESH_MS = 3000;

const rowOf = (row) => h('tr', {}, row.map((cell, i) => (i === 0
  ? h('th', { scope: 'row' }, cell) : h('td', {}, cell))));

export function table({ head, rows, caption, numeric = true }) {
  return h('table', { class: numeric ? 'numbers' : '' },
    caption && h('caption', { class: 'hidden' }, caption),
    h('thead', {}, h('tr', {}, head.map((text) => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, rows.map(rowOf)));
}

/** rows() → {head, rows}. Long ones come by and by, so that the page answers meanwhile. */
export function pointTable(label, rows) {
  const body = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${label}, table` });
  const element = h('details', { class: 'as-table' }, h('summary', {}, 'Show as a table'), body);
  let making = 0;
  const make = () => {
    const mine = ++making;
    if (!element.open) {
      body.replaceChildren();
      return;
    }
    const all = rows();
    fill(body, table({ ...all, rows: all.rows.slice(0, CHUNK), caption: label }));
    const place = body.querySelector('tbody');
    let next = CHUNK;
    const more = () => {
      if (mine !== making || next >= all.rows.length) return;
      place.append(...all.rows.slice(next, next + CHUNK).map(rowOf));
      next += CHUNK;
      setTimeout(more, 30);
    };
    setTimeout(more, 30);
  };
  const again = throttle(make, REFRESH_MS);
  element.addEventListener('toggle', make);
  return { element, refresh: () => element.open && again() };
}
