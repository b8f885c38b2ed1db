// The page: navigation, the view that the address asks for, the connection's light, the theme, the token.
import * as api from './api.js';
import { fill, h } from './dom.js';
import { saveWithToken } from './fetched.js';
import * as live from './live.js';
import { notifyButton } from './notify.js';
import { address, parse } from './state.js';
import * as theme from './theme.js';
import { throttle } from './throttle.js';
import { compareView } from './views/compare.js';
import { datasetsView } from './views/datasets.js';
import { extendView } from './views/extend.js';
import { forkView } from './views/fork.js';
import { growthView } from './views/growth.js';
import { LOGIN, loginAddress, loginView } from './views/login.js';
import { machineView } from './views/machine.js';
import { modelsView } from './views/models.js';
import { newGrowthView } from './views/new_growth.js';
import { newRunView } from './views/new_run.js';
import { newStudyView } from './views/new_study.js';
import { overviewView } from './views/overview.js';
import { runView } from './views/run.js';
import { runsView } from './views/runs.js';
import { studiesView } from './views/studies.js';
import { studyView } from './views/study.js';
import { tokenizersView } from './views/tokenizers.js';

// first part of the path, further parts, what makes the view
const VIEWS = [
  [[], overviewView],
  [['new'], newRunView],
  [['datasets'], datasetsView],
  [['runs'], runsView],
  [['models'], modelsView],
  [['tokenizers'], tokenizersView],
  [['compare'], compareView],
  [['machine'], machineView],
  [[LOGIN], loginView],
  [['runs', '*'], runView],
  [['runs', '*', 'grow'], newGrowthView],
  [['runs', '*', 'fork'], forkView],
  [['runs', '*', 'extend'], extendView],
  [['growths', '*'], growthView],
  [['studies'], studiesView],
  [['studies', 'new'], newStudyView],
  [['studies', '*'], studyView],
];

const WAITING_MS = 2000;

const main = document.getElementById('main');
const bar = document.getElementById('bar');
let current = null;
let shown = '';
let waiting = 0; // runs that a person is to decide for

function find(path) {
  for (const [pattern, make] of VIEWS) {
    if (pattern.length === path.length && pattern.every((p, i) => p === '*' || p === path[i]))
      return [make, path.filter((_, i) => pattern[i] === '*')];
  }
  return null;
}

const tellTitle = () => {
  document.title = `${waiting ? `(${waiting}) ` : ''}${current.title} – lagd`;
};

const countWaiting = throttle(async () => {
  try {
    const list = await api.get('/runs?waiting_for=approval&limit=100');
    waiting = list.items.length;
    tellTitle();
  } catch {
    // told by the connection's light
  }
}, WAITING_MS);

function show() {
  const { path } = parse();
  const key = path.join('/');
  if (current && key === shown) {
    current.changed?.();
    return;
  }
  current?.destroy();
  shown = key;
  bar.classList.toggle('closed', key === LOGIN); // its pages have nothing to show yet
  const found = find(path);
  if (found) {
    current = found[0](main, ...found[1]);
  } else {
    current = { title: 'Not found', destroy() {} };
    fill(main, h('h1', {}, 'There is no such page'), h('p', {}, h('a', { href: '#/' }, 'To the overview')));
  }
  tellTitle();
  for (const link of bar.querySelectorAll('nav a')) {
    if (link.hash === `#/${key}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  scrollTo(0, 0);
}

const STATES = {
  connecting: ['connecting …', 'waiting'], live: ['live', 'good'], lost: ['connection lost, trying again', 'bad'],
  asked: ['token needed', 'waiting'], denied: ['Wrong token', 'bad'],
  asleep: ['paused while hidden', 'waiting'],
};
const ASKING = 'This window asks each second. Other windows hold the event streams: a browser has few connections.';

function makeBar() {
  const light = h('span', { class: 'light', role: 'status' });
  live.watch(({ state, asking }) => {
    light.title = asking ? ASKING : '';
    fill(light, h('span', { class: `dot ${STATES[state][1]}`, 'aria-hidden': 'true' }), STATES[state][0],
      asking && ', each second');
  });
  const themes = h('select', { 'aria-label': 'Theme', onchange: (event) => theme.choose(event.target.value),
    value: theme.chosen() },
    theme.choices.map((name) => h('option', { value: name }, name)));
  fill(bar, h('a', { class: 'brand', href: '#/' }, 'lagd'),
    h('nav', { 'aria-label': 'Pages' }, h('a', { href: '#/' }, 'Overview'),
      h('a', { href: address(['runs']) }, 'Runs'),
      h('a', { href: address(['compare']) }, 'Compare'),
      h('a', { href: address(['studies']) }, 'Studies'),
      h('a', { href: address(['datasets']) }, 'Datasets'),
      h('a', { href: address(['tokenizers']) }, 'Tokenizers'),
      h('a', { href: address(['models']) }, 'Models'),
      h('a', { href: address(['new']) }, 'New run')),
    h('span', { class: 'grow' }), light, notifyButton(), themes);
}

/** The daemon wants a token: its page asks for it, and leads back here. */
function askToken() {
  if (parse().path[0] !== LOGIN) location.replace(loginAddress());
}

api.onUnauthenticated(askToken);
document.addEventListener('click', saveWithToken);
makeBar();
addEventListener('hashchange', show);
live.start();
show();
live.subscribe((event) => /^(growth|run\.deleted|reset|caught-up)/.test(event.type) && countWaiting());
countWaiting();
