// Study: how far it is, what it shows in sentences, its figures, and where every candidate ended.
import * as api from '../api.js';
import { table } from '../charts/table.js';
import { copy, fill, h } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { address } from '../state.js';
import { throttle } from '../throttle.js';
import { Paces } from '../time_left.js';
import { compareAddress, MOST } from './compare_data.js';
import { figure } from './figure.js';
import { badge, fact, facts, growthLink, progress, runLink } from './parts.js';
import { doneText, studyActions, studyLeft } from './study_parts.js';

const PULSE_MS = 3000;

// name, title, how it is read
const FIGURES = [
  ['scatter', 'Does the early loss tell who ends best?', 'Each mark is a candidate. Left, its loss right after the '
    + 'growth; right, its loss after the lag; upwards, its loss at the end. Marks that rise from left to right mean '
    + 'that the early loss tells the final order.'],
  ['agreement', 'From which step on is the order known?', 'Of all pairs of candidates, the share that already stands '
    + 'in the order in which it ends: 0.5 is a coin toss, and more than the ceiling cannot be told. The band is the '
    + '95 % interval. Grey ground: the learning rate rises or falls there, which moves the order by itself.'],
  ['regret', 'What does it cost to choose early?', 'How far above the best the pick ends, when the choice is made '
    + 'after t steps of every candidate (all@t). The band is the 95 % interval: a lag suffices from where all of it '
    + 'stays below delta.'],
  ['curves', 'How did the candidates train?', 'Validation loss, lower is better. Curves that cross after the first '
    + 'steps are why the loss right after the growth misleads.'],
  ['flops', 'Does growing pay?', 'The same losses against all compute that was spent. The second line also pays for '
    + 'the candidates that were dropped: compare that one with not growing, and with training from scratch.'],
];

export function studyView(main, id) {
  const paces = new Paces();
  const path = `/studies/${api.part(id)}`;
  let study = null, known = null;
  const head = panel({
    title: 'Study', level: 1, wide: true, curl: ['GET', path],
    load: (signal) => api.get(path, signal),
    show(first, body) {
      const update = (now) => {
        study = now;
        document.title = `${now.name} – lagd`;
        head.element.querySelector('h1').textContent = `Study ${now.name}`;
        fill(body, summary(now, studyLeft(now, paces), (action) => (action === 'delete'
          ? leave() : head.refresh())));
        const key = [now.state, ...now.runs.map((one) => `${one.growth_state} ${one.run_state}`)].join();
        if (known !== null && key !== known) refreshReport();
        known = key;
      };
      update(first);
      return update;
    },
  });
  const reading = panel({
    title: 'What it shows', curl: ['GET', `${path}/report`],
    load: (signal) => api.get(`${path}/report`, signal),
    tools: [report('md', 'Report as Markdown'), report('svg', 'All figures as SVG')],
    show(first, body) {
      const update = (now) => {
        figures.hidden = now.missing !== null && now.seeds.length === 0;
        fill(body, now.reading.split('\n').map((line) => h('p', { class: 'says-line' }, line)));
        fill(finalsPlace, finalsTable(now));
      };
      update(first);
      return update;
    },
  });
  const drawn = FIGURES.map(([name, title, note]) => figure({ title, note,
    path: `${path}/report?format=svg&figure=${name}` }));
  const finalsPlace = h('div', { class: 'scroll tall', tabindex: 0, role: 'region', 'aria-label': 'Final losses' });
  const finals = h('section', { class: 'panel', 'aria-label': 'Where the candidates ended' },
    h('header', {}, h('h2', {}, 'Where the candidates ended')), finalsPlace);
  const figures = h('div', { class: 'study-figures', hidden: true }, drawn.map((one) => one.element), finals);
  fill(main, head.element, reading.element, figures);

  function report(format, title) {
    return h('button', { type: 'button', class: 'quiet small', title: `${title}: copy as a curl command`,
      onclick: () => copy(api.curl('GET', `${path}/report?format=${format}`), 'curl command') }, `curl ${format}`);
  }

  function refreshReport() {
    reading.refresh();
    for (const one of drawn) one.refresh();
  }

  const refresh = throttle(() => head.refresh(), 700);
  // Whoever deleted it: there is nothing to ask for any more.
  const leave = () => {
    refresh.cancel();
    location.assign(address(['studies']));
  };
  const unsubscribe = live.subscribe((event) => {
    if (event.type === 'study.deleted' && event.message === study?.name) leave();
    else if (/^(study|growth|run\.state|caught-up|reset)/.test(event.type)) refresh();
  });
  const pulse = setInterval(() => study?.state === 'running' && !document.hidden && refresh(), PULSE_MS);
  head.refresh().then(() => {
    reading.element.hidden = !study; // no such study: said once is enough
    if (study) refreshReport();
  });
  return {
    title: 'Study',
    destroy() {
      unsubscribe();
      clearInterval(pulse);
      refresh.cancel();
      for (const one of [head, reading, ...drawn]) one.destroy();
    },
  };
}

const ROLES = { candidates: 'all candidates', scratch: 'from scratch' };

/** Runs are made paused, and begun one after the other. */
function runState(study, one) {
  if (!one.run_state) return 'not begun';
  const waits = study.state === 'running' && one.run_state === 'paused' && one.stage !== 'started';
  return badge('run', one.run_state, waits ? 'waits its turn' : undefined);
}

/** The runs that there are, side by side; as many as can be. */
function compareLink(study) {
  const runs = study.runs.filter((one) => one.run && one.run_state).map((one) => one.run_name);
  if (runs.length === 0) return null;
  return h('a', { class: 'button', href: compareAddress({ runs: runs.slice(0, MOST) }) },
    runs.length > MOST ? `Compare ${MOST} of its ${runs.length} runs` : 'Compare its runs');
}

function summary(study, left, after) {
  return [
    h('div', { class: 'row' }, badge('study', study.state), h('span', { class: 'dim' }, study.id),
      h('span', { class: 'grow' }), compareLink(study), studyActions(study, after)),
    study.reason && h('p', { class: 'reason' }, study.reason),
    study.audit_of && h('p', { class: 'dim' }, 'The audit of ', growthLink(study.audit_of, 'a growth\'s decision'),
      ', of low priority: its runs train while no other run or study wants to compute.'),
    progress(study.done, 1, 'Share of all steps that is done'),
    facts(
      fact('Done', doneText(study, left)),
      fact('Parent', runLink(study.parent.run, study.parent.name), `step ${f.count(study.parent.step)}`),
      fact('Grows to', f.target(study.target)),
      fact('Horizon', f.count(study.horizon), 'steps after the growth'),
      fact('Difference that matters', String(study.delta), 'nats'),
      fact('Candidates', study.pool.length), fact('Seeds', study.seeds.length),
      study.note && !study.audit_of && fact('Note', study.note)),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Runs of the study' },
      table({ caption: 'Runs of the study', head: ['Seed', 'What is trained', 'Run', 'State', 'Candidates', 'Done'],
        rows: study.runs.map((one) => [String(one.seed), ROLES[one.role] ?? one.role,
          one.run ? runLink(one.run, one.run_name) : '–',
          runState(study, one),
          one.growth ? growthLink(one.growth, 'their curves') : '–', f.percent(one.done)]) })),
  ];
}

function finalsTable(report) {
  const seeds = report.seeds.map((one) => one.seed);
  const loss = (label, seed) => report.finals.find((one) => one.label === label && one.seed === seed)?.loss ?? null;
  const last = report.times.length - 1;
  const rows = report.candidates.map((one) => ({ one, mean: one.mean[last] ?? null }))
    .sort((a, b) => (a.mean ?? Infinity) - (b.mean ?? Infinity));
  return table({ caption: 'Final losses', head: ['Candidate', 'Final loss, mean',
    ...seeds.map((seed) => `Seed ${seed}`), 'Right after the growth', 'Parameters'],
  rows: rows.map(({ one, mean }) => [one.reference ? 'none (not grown)' : one.label, f.loss(mean),
    ...seeds.map((seed) => f.loss(loss(one.label, seed))), f.loss(one.mean[0]), f.si(one.n_params)]) });
}
