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
    this.epoch = (this.epoch ?? 0) + 1; // answers to what was asked before are dropped
    this.loading = null;
  }

  /** So many are to be there after the first load: where one comes back to. */
  want(n) {
    this.wanted = Math.min(Math.max(n, this.page), MOST);
  }

  async load(query, signal) {
    const epoch = this.epoch;
    const limit = Math.min(Math.max(this.items.length, this.wanted), MOST);
    const list = await api.get(`/runs${api.query({ ...query, limit })}`, signal);
    if (epoch !== this.epoch) return this;
    this.items = list.items;
    this.next = list.next_cursor;
    this.stale.clear();
    return this;
  }

  /** The page behind the last one; once at a time. */
  more(query) {
    const epoch = this.epoch;
    this.loading ??= (async () => {
      try {
        const list = await api.get(`/runs${api.query({ ...query, limit: this.page, cursor: this.next })}`);
        if (epoch !== this.epoch) return;
        const known = new Set(this.items.map((run) => run.id));
        this.items = [...this.items, ...list.items.filter((run) => !known.has(run.id))];
        this.next = list.next_cursor;
      } finally {
        this.loading = null;
      }
    })();
    return this.loading;
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
