// Overview: runs as cards, the machine, what happened last.
import * as api from '../api.js';
import { spark } from '../charts/spark.js';
import { button, copy, fill, h } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { address } from '../state.js';
import { throttle } from '../throttle.js';
import { badge, eta, fact, facts, growthLink, isActive, progress, runActions, runBadge, runLink } from './parts.js';

const PAGE = 24, SPARK_POINTS = 80, SPARK_MS = 4000, HOST_MS = 10000;

export function overviewView(main) {
  const sparks = new Map(); // run id → {step, at, values}
  let limit = PAGE;

  async function loadSpark(run, signal) {
    const known = sparks.get(run.id);
    if (known && (known.step === run.step || Date.now() - known.at < SPARK_MS)) return;
    const path = `/runs/${api.part(run.id)}/series${api.query({ key: 'train/loss', max_points: SPARK_POINTS })}`;
    const series = await api.get(path, signal);
    sparks.set(run.id, { step: run.step, at: Date.now(), values: series.series['train/loss']?.last ?? [] });
  }

  const runs = panel({
    title: 'Runs', wide: true,
    curl: () => ['GET', `/runs${api.query({ limit })}`],
    async load(signal) {
      const [list, waiting] = await Promise.all([api.get(`/runs${api.query({ limit })}`, signal),
        api.get(`/runs${api.query({ waiting_for: 'approval', limit })}`, signal)]);
      const first = new Set(waiting.items.map((run) => run.id)); // a person is to decide
      list.items = [...waiting.items, ...list.items.filter((run) => !first.has(run.id))];
      await Promise.all(list.items.map((run) => loadSpark(run, signal).catch(() => {})));
      return list;
    },
    isEmpty: (list) => list.items.length === 0,
    empty: firstSteps,
    show(list, body) {
      const cards = h('div', { class: 'cards' });
      const more = button('Show more', () => {
        limit = Math.min(limit + PAGE, 1000);
        return runs.refresh();
      });
      const update = (now) => {
        fill(cards, now.items.map((run) => card(run, sparks.get(run.id)?.values ?? [])));
        more.hidden = !now.next_cursor;
      };
      body.append(cards, more);
      update(list);
      return update;
    },
  });

  const host = panel({
    title: 'Machine', curl: ['GET', '/system'],
    tools: h('a', { class: 'button small', href: address(['machine']) }, 'Over time'),
    load: (signal) => api.get('/system', signal),
    show(system, body) {
      const update = (now) => fill(body, machine(now));
      update(system);
      return update;
    },
  });

  const events = eventPanel();
  const head = h('div', { class: 'page-head' }, h('h1', {}, 'Overview'), h('span', { class: 'grow' }),
    h('a', { class: 'button', href: address(['runs']) }, 'All runs'),
    h('a', { class: 'button primary', href: '#/new' }, 'New run'));
  fill(main, head, runs.element, h('div', { class: 'columns' }, host.element, events.element));
  const refresh = throttle(() => runs.refresh(), 700), refreshHost = throttle(() => host.refresh(), 3000);
  const unsubscribe = live.subscribe(() => {
    refresh();
    refreshHost();
    events.refresh();
  });
  const pulse = setInterval(refreshHost, HOST_MS);
  runs.refresh();
  host.refresh();
  events.refresh();
  return {
    title: 'Overview',
    destroy() {
      unsubscribe();
      clearInterval(pulse);
      refresh.cancel();
      refreshHost.cancel();
      for (const one of [runs, host, events]) one.destroy();
    },
  };
}

function card(run, values) {
  const latest = run.latest, left = eta(run);
  const waits = run.waiting_for === 'approval';
  return h('article', { class: waits ? 'card waits' : 'card', 'aria-label': run.name },
    h('header', {}, h('h3', {}, runLink(run.name)),
      waits ? badge('growth', 'awaiting_approval') : runBadge(run)),
    run.reason && h('p', { class: 'reason' }, run.reason),
    spark(values, `Training loss of ${run.name}, last ${f.loss(latest['train/loss'])}`),
    progress(run.step, run.max_steps, `${run.name}: steps done`),
    facts(
      fact('Step', f.count(run.step), `of ${f.count(run.max_steps)}`),
      fact('Train loss', f.loss(latest['train/loss'])),
      fact('Val loss', f.loss(latest['val/loss'])),
      fact('Speed', isActive(run) ? f.si(latest['perf/tokens_per_s']) : '–', isActive(run) ? 'tokens/s' : ''),
      fact('Parameters', f.si(run.n_params), `${run.model.n_layer} layers`),
      fact('Time left', f.duration(left))),
    waits && h('p', {}, h('a', { class: 'button primary', href: address(['growths', run.growth]) }, 'Decide')),
    run.growth && !waits && h('p', {}, growthLink(run.growth,
      run.state === 'growing' ? 'Growing: watch the probe' : 'Growth planned')),
    h('footer', { class: 'row' }, runActions(run, () => {}).slice(0, 2)));
}

function machine(now) {
  const { cpu, memory, disk, work } = now;
  return [
    facts(
      fact('Processors', cpu.n_cpus, cpu.model),
      fact('Compute', `${work.n_slots_used} of ${work.n_threads}`, 'threads busy'),
      fact('Memory', f.bytes(memory.rss_bytes), `of ${f.bytes(memory.total_bytes)}`),
      fact('Reserved by runs', f.bytes(work.memory_reserved_bytes), `of ${f.bytes(work.memory_limit_bytes)}`),
      fact('Disk free', f.bytes(disk.free_bytes)),
      fact('Database', f.bytes(disk.db_bytes + disk.wal_bytes)),
      fact('Runs active', work.n_runs_active, `${work.n_probes_active} probes`),
      fact('Since', f.when(now.started_at))),
    now.draining && h('p', { class: 'reason' }, 'The daemon is stopping.'),
    !now.ready && h('p', { class: 'reason' }, 'The daemon is not ready: /readyz tells why.'),
  ];
}

function eventPanel() {
  const one = panel({
    title: 'Last events', curl: ['GET', '/events?after=0'],
    load: () => Promise.resolve(live.recent()),
    isEmpty: (list) => list.length === 0,
    show(list, body) {
      const items = h('ol', { class: 'events', tabindex: 0, 'aria-label': 'Last events' });
      const update = (now) => fill(items, now.map(eventLine));
      body.append(items);
      update(list);
      return update;
    },
  });
  const refresh = throttle(one.refresh, 400);
  return { element: one.element, refresh, destroy: () => { refresh.cancel(); one.destroy(); } };
}

function eventLine(event) {
  const what = event.growth ? growthLink(event.growth, 'growth') : event.run ? runLink(event.run, 'run') : null;
  const tail = [event.step !== undefined && `step ${event.step}`,
    event.message && !event.message.startsWith('ckpt_') && event.message]
    .filter(Boolean).join(' · ');
  return h('li', {}, h('time', { datetime: event.ts, class: 'dim' }, f.clock(event.ts)), ' ', h('code', {}, event.type),
    ' ',
    event.state && h('b', {}, f.words(event.state)), ' ', what, ' ', h('span', { class: 'dim' }, tail));
}

/** Nothing there yet: what to paste. */
function firstSteps() {
  const body = { name: 'first', dataset: 'mine', model: { n_layer: 3, n_head: 4, n_embd: 128, n_positions: 64 },
    optim: { lr: 0.002 }, schedule: { warmup_steps: 40, max_steps: 900 } };
  const text = `curl -H 'Content-Type: text/plain' --data-binary @my.txt `
    + `'${location.origin}${api.url('/datasets?name=mine')}'\n`
    + api.curl('POST', '/runs', body);
  return h('div', { class: 'first' }, h('p', {}, 'No run yet. A text and a run, to paste into a shell:'),
    h('pre', { tabindex: 0 }, text),
    h('div', { class: 'row' }, button('Copy', () => copy(text, 'commands'), { class: 'primary' }),
      h('a', { class: 'button', href: '#/new' }, 'or fill in a form')));
}
