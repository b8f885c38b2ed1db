// Studies: all of them, how far each is.
import * as api from '../api.js';
import { fill, h } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { address } from '../state.js';
import { throttle } from '../throttle.js';
import { Paces } from '../time_left.js';
import { badge, fact, facts, progress, runLink } from './parts.js';
import { studyActions, studyLeft, studyLink } from './study_parts.js';

const PULSE_MS = 3000;

export function studiesView(main) {
  const paces = new Paces();
  let busy = false;
  const list = panel({
    title: 'Studies', wide: true, curl: ['GET', '/studies'],
    load: (signal) => api.get('/studies', signal),
    isEmpty: (now) => now.items.length === 0,
    empty: () => h('p', { class: 'dim first' }, 'No study yet. A study grows one run in every way of a pool, trains '
      + 'each of them to the end, with several seeds, and says how long a lag has to be until its pick can be '
      + 'trusted.'),
    show(first, body) {
      const cards = h('div', { class: 'cards' });
      const update = (now) => {
        busy = now.items.some((one) => one.state === 'running');
        fill(cards, now.items.map((one) => card(one, studyLeft(one, paces), () => list.refresh())));
      };
      body.append(cards);
      update(first);
      return update;
    },
  });
  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Studies'), h('span', { class: 'grow' }),
    h('a', { class: 'button primary', href: address(['studies', 'new']) }, 'New study')), list.element);
  const refresh = throttle(() => list.refresh(), 700);
  const unsubscribe = live.subscribe((event) => /^(study|candidate|caught-up|reset)/.test(event.type) && refresh());
  const pulse = setInterval(() => busy && !document.hidden && refresh(), PULSE_MS);
  list.refresh();
  return {
    title: 'Studies',
    destroy() {
      unsubscribe();
      clearInterval(pulse);
      refresh.cancel();
      list.destroy();
    },
  };
}

function card(study, left, after) {
  return h('article', { class: 'card', 'aria-label': study.name },
    h('header', {}, h('h3', {}, studyLink(study)), badge('study', study.state)),
    study.reason && h('p', { class: 'reason' }, study.reason),
    progress(study.done, 1, `Share of ${study.name} that is done`),
    facts(fact('Done', f.percent(study.done), left === null ? '' : `about ${f.duration(left)} left`),
      fact('Parent', runLink(study.parent.run, study.parent.name), `step ${f.count(study.parent.step)}`),
      fact('Grows to', f.target(study.target)),
      fact('Horizon', f.count(study.horizon), 'steps'),
      fact('Candidates', study.pool.length), fact('Seeds', study.seeds.length)),
    h('div', { class: 'row' }, studyActions(study, after)));
}
