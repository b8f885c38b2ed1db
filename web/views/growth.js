// Growth: candidate curves with the line "decide at step k", the ranks that follow it, the verdict, and what to do
// about it.
import * as api from '../api.js';
import { BumpChart } from '../charts/bump.js';
import { DecideLine } from '../charts/decide.js';
import { DumbbellChart } from '../charts/dumbbell.js';
import { LineChart } from '../charts/line.js';
import { table } from '../charts/table.js';
import { copy, download, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { throttle } from '../throttle.js';
import { Settings } from '../state.js';
import { hasEnded } from '../states.js';
import * as theme from '../theme.js';
import { auditOf } from './audit.js';
import { drawing } from './drawing.js';
import { badge, growthBadge, progress, runLink } from './parts.js';
import { Probe, sentences } from './probe.js';
import { RankList } from './rank.js';
import { decisionButtons, verdict } from './verdict.js';

export function growthView(main, id) {
  const settings = new Settings({ k: '', logy: 'true', near: 'false', none: 'true' });
  const probe = new Probe(id);
  let run = null, at = null, ranking = null, destroyed = false;

  const decide = new DecideLine((step) => moveTo(step, true));
  const curves = new LineChart({ label: 'Candidates: validation loss by probe step', height: 540, overlay: decide });
  const ranks = new RankList((candidate) => {
    focus = focus === candidate ? null : candidate;
    drawGrown();
    drawCurves();
    drawBump();
  });
  const bump = new BumpChart('Rank by probe step');
  const dumbbell = new DumbbellChart('Loss at step 0 and at the line');
  const sentence = h('p', { class: 'says', role: 'status', 'aria-live': 'polite' });
  const costs = h('div', { class: 'scroll tall', tabindex: 0, role: 'region',
    'aria-label': 'Candidates and their cost, table' });
  const empty = h('p', { class: 'dim' });
  let focus = null;

  const check = (name, label) => h('label', { class: 'check' },
    h('input', { type: 'checkbox', checked: settings.get(name) === 'true',
    onchange: (event) => { settings.set({ [name]: event.target.checked }); drawCurves(); } }), label);
  const block = (title, tools, ...children) => h('section', { class: 'panel', 'aria-label': title },
    h('header', {}, h('h2', {}, title), h('span', { class: 'grow' }), tools), ...children);
  const request = (path) => h('button', { type: 'button', class: 'quiet small',
    title: 'Copy this request as a curl command',
    onclick: () => copy(api.curl('GET', path()), 'curl command') }, 'curl');
  const rankPath = () => `/growths/${api.part(id)}/ranking${api.query({ at_step: at ?? -1 })}`;
  const grownPlace = h('div', {}), grownBlock = block('What grew', null, grownPlace);
  const details = h('div', { class: 'growth-body', hidden: true },
    h('div', { class: 'hero' },
      block('Candidate curves', h('div', { class: 'controls' }, check('logy', 'log y'),
        check('near', 'close up, linear'), check('none', 'show not growing')), curves.element),
      block('Who would win', request(rankPath), sentence, ranks.element)),
    h('div', { class: 'columns' }, block('Rank by probe step', null, bump.element),
      block('Loss right after growth against loss at the chosen step', null, dumbbell.element)),
    grownBlock,
    block('Candidates and their cost', request(() => `/growths/${api.part(id)}/candidates`), costs));

  const head = panel({
    title: 'Growth', level: 1, wide: true, curl: ['GET', `/growths/${api.part(id)}`],
    async load(signal) {
      await probe.load(signal);
      if (!run || run.revision === undefined || probe.growth.state !== 'applied')
        run = await api.get(`/runs/${api.part(probe.growth.run)}`, signal);
      return probe;
    },
    show(_, body) {
      const update = () => { fill(body, summary()); draw(); };
      update();
      return update;
    },
  });

  /** The daemon's own report, as Markdown. */
  async function withReport(use) {
    try {
      const response = await api.open('GET', `/growths/${api.part(id)}/report?format=md`, { accept: 'text/markdown' });
      await use(await response.text());
    } catch (error) {
      toast(error.message, 'bad');
    }
  }

  function summary() {
    const { growth } = probe;
    const ended = growth.candidates.filter((one) => hasEnded('candidate', one.state)).length;
    return [
      h('div', { class: 'row' }, growthBadge(growth.state, growth.when.at_step),
        h('strong', {}, f.growthChange(growth)),
        h('span', { class: 'dim' }, 'of ', runLink(run.name), growth.start_step === null
          ? growth.when.at_step >= 0 ? `, waits for step ${f.count(growth.when.at_step)} (now ${f.count(run.step)})`
          : ', begins at the next step'
          : ` at step ${f.count(growth.start_step)}, lag ${growth.lag} steps${lagNote(growth)}, `
            + `mode: ${growth.mode === 'manual' ? 'manual approval' : 'auto'}`),
        h('span', { class: 'grow' }), decisionButtons(probe, head.refresh),
        h('button', { type: 'button', onclick: () => withReport((text) => copy(text, 'report')) }, 'Copy report'),
        h('button', { type: 'button',
          onclick: () => withReport((text) => download(`growth-${run.name}-${growth.start_step ?? 'planned'}.md`,
            'text/markdown', text)) },
          'Report (Markdown)')),
      growth.reason && h('p', { class: 'reason' }, growth.reason),
      growth.state === 'probing' && h('div', {}, progress(growth.progress.done_steps, growth.progress.total_steps,
        'Probe steps done'),
        h('p', { class: 'dim' }, `${ended} of ${growth.candidates.length} candidates done, `
          + `${f.count(growth.progress.done_steps)} of ${f.count(growth.progress.total_steps)} steps`
          + `${f.left(growth.seconds_left)}; `
          + (probe.common() >= 0 ? `comparable up to step ${probe.common()}` : 'not comparable yet'))),
      verdict(probe),
      auditOf(growth, (candidate) => probe.candidates().find((one) => one.id === candidate)?.label ?? '–'),
      rungs(),
    ];
  }

  /** Where the allocator looked at the candidates, and who was stopped there. */
  function rungs() {
    const { growth } = probe;
    const name = (candidate) => probe.candidates().find((one) => one.id === candidate)?.label ?? '–';
    const names = (ids) => ids.map(name).join(', ') || '–';
    return growth.rungs.length > 0 && h('div', { class: 'scroll', tabindex: 0, role: 'region',
      'aria-label': 'Rungs, table' },
      table({ caption: 'Rungs: where the candidates were looked at together',
        head: ['Step', 'Leader', 'Stopped', 'What was decided'],
        rows: growth.rungs.map((one) => [one.t, one.leader ? name(one.leader) : '–',
          one.taken_up.length ? `taken up again: ${names(one.taken_up)}` : names(one.stopped), one.reason]) }));
  }

  function draw() {
    const steps = probe.steps();
    details.hidden = steps.length === 0;
    empty.hidden = steps.length > 0;
    empty.textContent = steps.length
      ? '' : `The probe has not begun: ${probe.growth.candidates.length} candidates wait.`;
    fill(costs, costTable());
    drawGrown();
    if (steps.length === 0) return;
    const wanted = settings.get('k') === '' ? NaN : Number(settings.get('k'));
    const last = Math.max(steps[0], probe.common());
    at = Number.isFinite(wanted) ? steps.reduce((best, step) => (Math.abs(step - wanted) < Math.abs(best - wanted)
      ? step : best), last) : last;
    decide.set(steps, at);
    drawCurves();
    drawRanks();
    drawBump();
    askRanking();
  }

  function chosen() {
    return probe.growth.decision?.candidate ?? null;
  }

  /** Of what is in focus, what was chosen, or what would be first. */
  function drawGrown() {
    const able = probe.candidates().filter((one) => one.operator !== 'none');
    const shown = able.find((one) => one.id === focus) ?? able.find((one) => one.id === chosen());
    grownBlock.hidden = !shown;
    if (shown) fill(grownPlace, h('p', { class: 'dim' }, shown.id === chosen() ? `${shown.label}, which was `
      + `${probe.growth.state === 'applied' ? 'applied' : 'chosen'}` : `${shown.label}, if it were applied`),
    drawing(probe.growth, shown));
  }

  function drawCurves() {
    const steps = probe.steps(), near = settings.get('near') === 'true';
    const shown = probe.candidates().filter((one) => one.curve.size > 0
      && (one.operator !== 'none' || settings.get('none') === 'true'));
    const lines = shown.map((one) => {
      const important = focus ? focus === one.id : one.id === chosen();
      return { label: one.label, values: steps.map((step) => one.curve.get(step) ?? null),
        colour: one.operator === 'none' ? '--dim' : one.index,
        dash: one.operator === 'none' ? [2, 4] : theme.dash(one.index), width: important ? 3.5 : 1.7,
        alpha: focus && focus !== one.id ? 0.25 : 1 };
    });
    curves.draw({ x: steps, lines, xLabel: 'probe step', yLabel: 'validation loss (nats)', xText: String, yText: f.tick,
      yLog: settings.get('logy') === 'true' && !near, quiet: true, range: [0, Math.max(probe.growth.lag, 1)],
      yRange: near ? late(steps, lines) : null,
      summary: `${shown.length} candidates, evaluated at ${steps.length} steps of the probe; `
        + 'each line\'s style is in the list.' });
  }

  function drawRanks() {
    ranks.draw({ order: probe.order(at), first: probe.order(0), ranking: ranking?.at_step === at ? ranking : null,
      chosen: chosen(), focus,
      word: probe.growth.state === 'awaiting_approval' ? 'proposed' : 'chosen' });
    fill(sentence, sentences(probe, at, ranking?.at_step === at ? ranking : null, f.loss).join(' '));
    dumbbell.draw({ rows: probe.order(at).map(({ candidate, loss }) => ({ id: candidate.id, label: candidate.label,
      at0: probe.lossAt(candidate, 0),
      at: loss, index: candidate.index, chosen: candidate.id === chosen() })), atLabel: `Loss at step ${at}`,
      reference: probe.growth.parent_loss,
    summary: `Sorted by the loss at step ${at}. The dashed line is the loss before growth, `
      + `${f.loss(probe.growth.parent_loss)}.` });
  }

  function drawBump() {
    const steps = probe.steps().filter((step) => probe.reached(step));
    const orders = steps.map((step) => new Map(probe.order(step).map((one) => [one.candidate.id, one.rank])));
    bump.draw({ steps, at, focus, onAt: (step) => moveTo(step, true),
      summary: ranking?.at_step === at ? agreement(ranking) : '',
      lines: probe.candidates().filter((one) => one.eligible)
      .map((one) => ({ id: one.id, label: one.label, index: one.index, chosen: one.id === chosen(),
        ranks: orders.map((order) => order.get(one.id) ?? null) })) });
  }

  const askRanking = throttle(async () => {
    const step = at;
    if (!probe.reached(step)) return;
    try {
      const answer = await probe.ranking(step);
      if (destroyed || step !== at) return;
      ranking = { ...answer, at_step: step };
      drawRanks();
      drawBump();
    } catch {
      // the ranks by loss stand without their intervals; the head's panel tells what is wrong with the connection
    }
  }, 120);

  function moveTo(step, byHand) {
    at = step;
    const steps = probe.steps();
    if (byHand) settings.set({ k: step === Math.max(steps[0], probe.common()) ? '' : step });
    decide.set(steps, at);
    drawRanks();
    drawBump();
    askRanking();
  }

  function costTable() {
    const { growth } = probe;
    const total = growth.candidates.reduce((sum, one) => sum + (one.flops ?? 0), 0);
    const before = growth.decision?.run_flops;
    return table({ caption: 'Candidates and their cost',
      head: ['Candidate', 'Layers from', 'Parameters', 'Loss at 0', 'Loss at lag', 'Rank 0 → lag', 'Compute', 'State'],
      rows: [...probe.candidates().map((one) => [one.label, one.recipe || '–', f.si(one.n_params),
        f.loss(one.loss_at_0), f.loss(one.loss_at_lag),
        one.eligible ? `${one.rank_at_0 ?? '–'} → ${one.rank ?? '–'}` : 'reference', f.flops(one.flops),
        h('span', {}, badge('candidate', one.state), one.reason && h('span', { class: 'dim' }, ` ${one.reason}`))]),
      ['all', '', '', '', '', '',
        `${f.flops(total)}${before ? ` = ${f.share(total / before, 'training up to then')}` : ''}`, '']] });
  }

  fill(main, head.element, empty, details);
  const refresh = throttle(() => head.refresh(), 500);
  const unsubscribe = live.subscribe((event) => {
    const moving = !probe.growth || !hasEnded('growth', probe.growth.state);
    const audited = probe.growth?.audit && event.type?.startsWith('study.');
    if (event.growth === id || audited || (moving && (event.run === probe.growth?.run || event.type === 'caught-up'
      || event.type === 'reset'))) refresh();
  });
  const forget = theme.onChange(() => { if (probe.growth) draw(); });
  head.refresh();
  return {
    title: 'Growth',
    changed: () => { if (probe.growth) draw(); },
    destroy() {
      destroyed = true;
      unsubscribe();
      forget();
      refresh.cancel();
      askRanking.cancel();
      for (const one of [head, curves, bump, dumbbell]) one.destroy();
    },
  };
}

/** The range of the losses after the first quarter: a growth's spike is many times what its candidates differ by. */
function late(steps, lines) {
  const from = steps[steps.length - 1] / 4;
  let low = Infinity, high = -Infinity;
  for (const { values } of lines) {
    values.forEach((v, i) => { // there may be more than a call takes as arguments
      if (v === null || steps[i] < from) return;
      low = Math.min(low, v);
      high = Math.max(high, v);
    });
  }
  return low <= high ? [low, high] : null;
}

/** An allocator may have ended the probe before the lag that was asked, or led it beyond. */
function lagNote(growth) {
  const { allocator, steps } = growth.probe;
  if (allocator === 'all') return '';
  return growth.lag === steps ? ` (allocator ${allocator})` : ` (${steps} asked, allocator ${allocator})`;
}

function agreement(ranking) {
  const half = ranking.tau_half, first = ranking.tau_0;
  const parts = [];
  if (first !== null)
    parts.push(`Agreement of the order at step 0 with the order here: Kendall's τ ${first.toFixed(2)}`
      + `${first < 0.4 ? ', so step 0 is a poor guide' : ''}.`);
  if (half !== null) parts.push(`Rank stability, half-way against here: τ ${half.toFixed(2)}.`);
  return parts.join(' ');
}
