// The rank list beside the curves: it re-sorts with the line, and the rows travel to their new places.
import { swatch } from '../charts/legend.js';
import { fill, h } from '../dom.js';
import * as f from '../format.js';
import * as theme from '../theme.js';

const TRAVEL_MS = 220;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

export class RankList {
  constructor(onFocus) {
    this.onFocus = onFocus;
    this.element = h('ol', { class: 'ranks' });
    this.rows = new Map();
  }

  /** order: [{candidate, loss, rank}], first: the order at step 0, ranking: the daemon's or null, chosen, focus: ids,
   *  word: what the chosen one is. */
  draw({ order, first, ranking, chosen, word, focus }) {
    const before = new Map([...this.rows].map(([id, row]) => [id, row.getBoundingClientRect().top]));
    const best = order[0];
    for (const [id, row] of this.rows)
      if (!order.some((one) => one.candidate.id === id)) { row.remove(); this.rows.delete(id); }
    order.forEach((entry, i) => {
      const { candidate } = entry;
      if (!this.rows.has(candidate.id)) this.rows.set(candidate.id, h('li', {}));
      const row = this.rows.get(candidate.id);
      row.className = `${candidate.id === chosen ? 'chosen' : ''} ${focus === candidate.id ? 'focus' : ''}`;
      const at0 = first.find((one) => one.candidate.id === candidate.id)?.rank ?? null;
      const told = ranking?.items.find((one) => one.candidate === candidate.id);
      const content = [h('span', { class: 'rank-number' }, entry.rank ?? '–'),
        swatch({ colour: candidate.index, dash: theme.dash(candidate.index) }),
        h('span', { class: 'rank-name' }, candidate.label,
          candidate.id === chosen && h('span', { class: 'tag' }, word)),
        h('span', { class: 'rank-loss' }, f.loss(entry.loss)),
        h('span', { class: 'rank-note dim' }, note(entry, best, told, at0))];
      const press = row.firstElementChild ?? h('button',
        { type: 'button', title: `Layers ${candidate.recipe}; press to single this curve out`,
        onclick: () => this.onFocus(candidate.id) });
      press.setAttribute('aria-pressed', String(focus === candidate.id));
      fill(press, content);
      if (!row.firstElementChild) row.append(press);
      if (this.element.children[i] !== row) this.insert(row, i);
    });
    if (!calm.matches) this.travel(before);
  }

  insert(row, i) {
    const had = document.activeElement && row.contains(document.activeElement) ? document.activeElement : null;
    this.element.insertBefore(row, this.element.children[i] ?? null);
    had?.focus({ preventScroll: true });
  }

  travel(before) {
    for (const [id, row] of this.rows) {
      const was = before.get(id), moved = was === undefined ? 0 : was - row.getBoundingClientRect().top;
      if (Math.abs(moved) > 1)
        row.animate([{ transform: `translateY(${moved}px)` }, { transform: 'none' }],
          { duration: TRAVEL_MS, easing: 'ease-out' });
    }
  }
}

function note(entry, best, told, at0) {
  const parts = [];
  if (entry.loss === null) return entry.candidate.reason ?? f.words(entry.candidate.state);
  if (entry.rank === null) return 'not ranked yet';
  if (entry.candidate.id === best.candidate.id) parts.push('best here');
  else {
    parts.push(`+${f.loss(entry.loss - best.loss)}`);
    if (told) parts.push(told.tied ? 'cannot be told apart' : 'behind');
  }
  if (at0 !== null) parts.push(`${at0 === entry.rank ? '=' : at0 > entry.rank ? '▲' : '▼'} was ${at0} at step 0`);
  return parts.join(' · ');
}
