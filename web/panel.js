// A panel: one request (or a few) and what it shows. It knows five states: loading, empty, fine, stale, error.
import { curl } from './api.js';
import { copy, fill, h } from './dom.js';
import * as live from './live.js';

/**
 * panel({title, load(signal) → data, show(data, body), isEmpty(data), empty: () => node, curl: [method, path, body]})
 * .element, .refresh(), .destroy(). show may return a function that takes new data in place.
 */
export function panel({ title, load, show, isEmpty = () => false, empty, curl: request, tools = [], wide = false,
  level = 2, note }) {
  const state = h('span', { class: 'panel-state', role: 'status' });
  const body = h('div', { class: 'panel-body' }, h('p', { class: 'dim' }, 'Loading …'));
  const line = () => curl(...(typeof request === 'function' ? request() : request));
  const element = h('section', { class: `panel${wide ? ' wide' : ''}`, 'aria-label': title, 'aria-busy': 'true' },
    h('header', {},
      h(`h${level}`, {}, title), state, h('span', { class: 'grow' }), tools,
      request && h('button', { type: 'button', class: 'quiet small', title: 'Copy this request as a curl command',
        onclick: () => copy(line(), 'curl command') }, 'curl')),
    note && h('p', { class: 'dim note' }, note), body);
  let aborter = null, update = null, had = false, again = false, destroyed = false;

  function setState(kind, text) {
    element.dataset.state = kind;
    element.setAttribute('aria-busy', String(kind === 'loading'));
    fill(state, text);
  }

  function showError(error) {
    if (had) {
      setState('stale', error.status === 0 ? 'stale: the daemon cannot be reached' : `stale: ${error.message}`);
      return;
    }
    setState('error', '');
    update = null;
    fill(body, h('div', { class: 'failed' }, h('p', {}, error.message),
      h('button', { type: 'button', onclick: () => self.refresh() }, 'Try again')));
  }

  function showData(data) {
    if (isEmpty(data)) {
      had = false;
      update = null;
      setState('empty', '');
      fill(body, empty ? empty(data) : h('p', { class: 'dim' }, 'Nothing yet.'));
      return;
    }
    setState('fine', '');
    if (had && update) {
      update(data);
    } else {
      body.replaceChildren();
      had = true;
      update = show(data, body) ?? null;
    }
  }

  const self = {
    element, body,
    async refresh() {
      if (destroyed) return; // the address is another page's by now
      if (aborter) {
        again = true;
        return;
      }
      aborter = new AbortController();
      if (!had) setState('loading', '');
      try {
        const data = await load(aborter.signal);
        if (!destroyed) showData(data);
      } catch (error) {
        if (!destroyed && error.name !== 'AbortError') {
          if (error.name !== 'Problem') console.error(error);
          showError(error);
        }
      } finally {
        aborter = null;
        if (again && !destroyed) {
          again = false;
          self.refresh();
        }
      }
    },
    destroy() {
      destroyed = true;
      aborter?.abort();
      unwatch();
    },
  };
  const unwatch = live.watch(({ state: connection }) => {
    if (connection === 'lost' && had) setState('stale', 'stale: the connection is lost');
    if (connection === 'live' && element.dataset.state === 'stale') self.refresh();
    if (connection === 'live' && element.dataset.state === 'error') self.refresh();
  });
  return self;
}
