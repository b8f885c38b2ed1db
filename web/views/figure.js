// A figure that the daemon draws: the same SVG as in the report, put into the page, which gives it its colours.
import * as api from '../api.js';
import { copy, fill, h } from '../dom.js';

/**
 * figure({title, path, note}): .element, .refresh(), .destroy(). The old picture stays until the new one is there.
 */
export function figure({ title, path, note }) {
  const place = h('div', { class: 'figure', tabindex: 0, role: 'region', 'aria-label': title });
  const state = h('span', { class: 'panel-state', role: 'status' });
  const element = h('section', { class: 'panel', 'aria-label': title, 'aria-busy': 'true' },
    h('header', {}, h('h2', {}, title), state, h('span', { class: 'grow' }),
      h('button', { type: 'button', class: 'quiet small', title: 'Copy this request as a curl command',
        onclick: () => copy(api.curl('GET', path), 'curl command') }, 'curl')),
    h('p', { class: 'dim note' }, note), place);
  let aborter = null;
  return {
    element,
    async refresh() {
      aborter?.abort();
      const mine = aborter = new AbortController();
      try {
        const response = await api.open('GET', path, { signal: mine.signal, accept: 'image/svg+xml' });
        const drawn = new DOMParser().parseFromString(await response.text(), 'image/svg+xml').documentElement;
        if (mine.signal.aborted) return;
        if (drawn.localName !== 'svg') throw new Error('the daemon sent no picture');
        fill(state);
        fill(place, document.importNode(drawn, true));
        element.removeAttribute('aria-busy');
      } catch (error) {
        if (error.name === 'AbortError' || mine.signal.aborted) return;
        element.removeAttribute('aria-busy');
        fill(state, place.firstChild ? `stale: ${error.message}` : error.message);
      }
    },
    destroy: () => aborter?.abort(),
  };
}
