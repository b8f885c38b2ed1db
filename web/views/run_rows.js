// The rows of the table of runs: pages of the list, kept fresh by what the events name; the window in sight; groups.
import * as api from '../api.js';

const MOST = 1000, FRESH_AT_ONCE = 25; // of a request; of events' runs
const PLACE = 'lagd.place';

/** Pages of GET /runs behind one another. */
export class RunRows {
  constructor(page) {
    this.page = page;
    this.stale = new Set(); // ids of runs that events named
    this.clear();
  }

  clear() {
    this.items = [];
    this.next = null;
    this.wanted = this.page;
    this.asked = (this.asked ?? 0) + 1; // an answer to what was asked before is dropped
    this.reading = this.loading = null;
  }

  /** So many are to be there after the first load: where one comes back to. */
  want(n) {
    this.wanted = Math.max(n, this.page);
  }

  /** All that is there, from the first on; a page that is under way no longer fits behind it. */
  async load(query, signal) {
    const mine = ++this.asked;
    this.stale.clear(); // what an event names from now on may be newer than the answer
    this.loading = null;
    this.reading = this.firstOf(Math.max(this.items.length, this.wanted), query, signal, mine);
    try {
      const list = await this.reading;
      if (mine === this.asked) [this.items, this.next] = [list.items, list.next_cursor];
      else await this.reading; // what was asked later is what there is to show
    } finally {
      if (mine === this.asked) this.reading = null;
    }
    return this;
  }

  async firstOf(n, query, signal, mine) {
    const list = { items: [], next_cursor: null };
    do {
      const limit = Math.min(n - list.items.length, MOST);
      const more = await api.get(`/runs${api.query({ ...query, limit, cursor: list.next_cursor })}`, signal);
      list.items.push(...more.items);
      list.next_cursor = more.next_cursor;
    } while (list.next_cursor && list.items.length < n && mine === this.asked);
    return list;
  }

  /** The page behind the last one; once at a time, and not while all is read again: who draws that asks again. */
  more(query) {
    return this.reading?.catch(() => {}) ?? (this.loading ??= this.behind(query, this.asked));
  }

  async behind(query, mine) {
    try {
      const list = await api.get(`/runs${api.query({ ...query, limit: this.page, cursor: this.next })}`);
      if (mine !== this.asked) return;
      const known = new Set(this.items.map((run) => run.id));
      this.items = [...this.items, ...list.items.filter((run) => !known.has(run.id))];
      this.next = list.next_cursor;
    } finally {
      if (mine === this.asked) this.loading = null;
    }
  }

  /** Does the event change what is listed? */
  note(event) {
    if (/^(run\.created|run\.deleted|run\.changed|reset|caught-up)$/.test(event.type)) this.all = true;
    else if (event.run && this.items.some((run) => run.id === event.run)) this.stale.add(event.run);
    else return false;
    return true;
  }

  async freshen(query) {
    if (this.all || this.stale.size > FRESH_AT_ONCE) {
      this.all = false;
      await this.load(query);
      return;
    }
    const ids = [...this.stale];
    this.stale.clear();
    const found = await Promise.all(ids.map((id) => api.get(`/runs/${api.part(id)}`).catch(() => null)));
    const fresh = new Map(found.filter(Boolean).map((run) => [run.id, run]));
    this.items = this.items.map((run) => fresh.get(run.id) ?? run);
  }
}

/** The rows of a scroller that are in sight, and some around them. */
export function window_(scroller, row_px, total, ahead) {
  const height = scroller.clientHeight || 600;
  const first = Math.max(0, Math.floor(scroller.scrollTop / row_px) - ahead);
  return { first: Math.min(first, total), last: Math.min(total, first + Math.ceil(height / row_px) + 2 * ahead) };
}

/** By tag: how many, mean and spread of the best validation loss. */
export function groupsOf(runs) {
  const byTag = new Map();
  for (const run of runs) {
    for (const tag of run.tags) byTag.set(tag, [...(byTag.get(tag) ?? []), run.best?.value].filter(Number.isFinite));
  }
  return [...byTag].map(([tag, losses]) => {
    const n = losses.length, mean = n ? losses.reduce((a, b) => a + b, 0) / n : NaN;
    const deviation = n > 1 ? Math.sqrt(losses.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1)) : NaN;
    return { tag, n: runs.filter((run) => run.tags.includes(tag)).length, mean, deviation, low: Math.min(...losses) };
  }).sort((a, b) => (a.tag < b.tag ? -1 : 1));
}

/** Where one was in the list under this address, in this tab. */
export function placeOf(hash, list = 'runs') {
  const kept = JSON.parse(sessionStorage.getItem(`${PLACE}.${list}`) ?? 'null');
  return kept?.hash === hash ? kept : { n: 0, top: 0, ticked: [], tags: [] };
}

export const keepPlace = (hash, place, list = 'runs') =>
  sessionStorage.setItem(`${PLACE}.${list}`, JSON.stringify({ hash, ...place }));
