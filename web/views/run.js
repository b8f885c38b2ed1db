// Run: its curves, what can be done with it, how it came about, what it writes.
import * as api from '../api.js';
import { fill, h } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { throttle } from '../throttle.js';
import { lossPanel, sidePanels } from './run_curves.js';
import { grownPanel } from './grew.js';
import { checkpointPanel, configPanel, lineagePanel, samplePanel } from './run_parts.js';
import { planPanel } from './plan.js';
import { editableNote, editableTags, isEditing } from './edit.js';
import { eta, fact, facts, growthLink, isActive, originOf, progress, runActions, runBadge, tokenizerOf }
  from './parts.js';
import { address, Settings } from '../state.js';

export function runView(main, name) {
  const settings = new Settings({ x: 'step', smooth: 0.6, logx: 'false', logy: 'false', from: '', to: '' });
  const shared = { name, settings, run: null, growths: [], scale: null, tokenizer: null,
    /** As the head knows it; a panel may be quicker than the head. */
    known: async (signal) => shared.run ?? api.get(`/runs/${api.part(name)}`, signal),
    changed: () => curves.forEach((one) => one.redraw()) };
  let known = null; // what decides whether the slow parts are asked again

  const head = panel({
    title: `Run ${name}`, level: 1, wide: true,
    curl: ['GET', `/runs/${api.part(name)}`],
    async load(signal) {
      const run = await api.get(`/runs/${api.part(name)}`, signal);
      const growths = await api.get(`/runs/${api.part(name)}/growths`, signal);
      shared.run = run;
      shared.growths = growths.items;
      shared.tokenizer ??= await tokenizerOf(run, signal);
      return run;
    },
    show(run, body) {
      const update = (now) => {
        rest.hidden = false;
        curves.forEach((one) => one.know(now));
        if (isEditing()) return;
        fill(body, summary(now, shared, refreshAll));
        const key = [now.revision, now.growth, now.n_rollbacks].join();
        grew.show();
        if (known !== null && key !== known) slow.forEach((one) => one.refresh());
        known = key;
      };
      update(run);
      return update;
    },
  });

  const loss = lossPanel(shared);
  const curves = [loss, ...sidePanels(shared)];
  const slow = [checkpointPanel(shared), lineagePanel(shared), configPanel(shared)], grew = grownPanel(shared);
  const plan = planPanel(shared);
  const sample = samplePanel(shared);
  const rest = h('div', { class: 'stack' }, loss.element,
    h('div', { class: 'columns side' }, curves.slice(1).map((one) => one.element)),
    plan.element, grew.element,
    h('div', { class: 'columns' }, slow[1].element, sample.element),
    h('div', { class: 'columns' }, slow[0].element, slow[2].element));
  fill(main, head.element, rest);

  const refreshHead = throttle(() => head.refresh(), 700);
  const refreshCurves = throttle(() => curves.forEach((one) => one.more()), 1000);
  async function refreshAll() {
    await head.refresh();
    slow.forEach((one) => one.refresh());
  }
  const unsubscribe = live.subscribe((event) => {
    const mine = event.run && (event.run === shared.run?.id || event.run === name);
    if (mine || event.type === 'caught-up' || event.type === 'reset') refreshHead();
    if (mine && ['run.plan', 'run.stage', 'growth.state'].includes(event.type)) plan.refresh();
    if (mine && event.type === 'run.rollback') curves.forEach((one) => one.refresh()); // points were taken back
    else if (mine || event.type === 'reset' || (event.type === 'caught-up' && (!shared.run || isActive(shared.run))))
      refreshCurves();
  });
  head.refresh().then(() => {
    rest.hidden = !shared.run; // no such run: said once is enough
    for (const one of [...curves, ...slow, plan, sample]) one.refresh();
  });
  return {
    title: name,
    changed: () => curves.forEach((one) => one.refresh()),
    destroy() {
      unsubscribe();
      refreshHead.cancel();
      refreshCurves.cancel();
      for (const one of [head, sample, plan, ...curves, ...slow]) one.destroy();
    },
  };
}

function summary(run, { growths, tokenizer }, after) {
  const latest = run.latest, left = eta(run);
  const waiting = growths.find((growth) => growth.state === 'awaiting_approval');
  return [
    h('div', { class: 'row' }, runBadge(run), h('span', { class: 'dim' }, run.id),
      h('span', { class: 'grow' }),
      run.step > 0 && h('a', { class: 'button', href: address(['studies', 'new'], { parent: run.name }),
        title: 'Grow it in every way of a pool, train each to the end, and see how long a lag has to be' }, 'Study …'),
      runActions(run, (action) => (action === 'delete' ? location.assign('#/') : after()))),
    run.reason && h('p', { class: 'reason' }, run.reason),
    run.from_model && h('p', { class: 'dim' }, 'Began from the model ',
      h('a', { href: address(['models']) }, run.from_model), '.'),
    run.origin && h('p', { class: 'dim' }, ...originOf(run.origin)),
    waiting && h('p', { class: 'reason' }, 'A growth waits for your decision: ',
      growthLink(waiting.id, 'look at its candidates'), '.'),
    progress(run.step, run.max_steps, 'Steps done'),
    facts(
      fact('Step', f.count(run.step), `of ${f.count(run.max_steps)}`),
      fact('Train loss', f.loss(latest['train/loss'])),
      fact('Validation loss', f.loss(latest['val/loss']), latest['val/bpb'] !== undefined
        && `${f.loss(latest['val/bpb'])} bits a byte`),
      fact('Speed', f.si(latest['perf/tokens_per_s']), 'tokens/s'),
      fact('Time left', f.duration(left)),
      fact('Parameters', f.si(run.n_params), `${run.model.n_layer} layers`),
      (run.gated || run.masked_until) && fact('Held back', run.masked_until ? `until step ${f.count(run.masked_until)}`
        : 'by gates', run.masked_until && (run.gated ? 'by masks, and by gates' : 'by masks')),
      fact('Tokens', f.si(run.tokens)),
      fact('Tokenizer', tokenizer.known ? h('a', { href: address(['tokenizers'], { try: tokenizer.name }) },
        tokenizer.name) : tokenizer.name),
      fact('Compute', f.flops(run.flops), run.flops_probes > 0 ? `${f.flops(run.flops_probes)} of it in probes` : ''),
      run.n_rollbacks > 0 && fact('Rollbacks', run.n_rollbacks, `learning rate × ${f.number(run.lr_scale)}`),
      fact('Tags', editableTags(run, run.tags.map((tag) => h('a', { class: 'tag-link',
        href: address(['runs'], { tag }) }, tag)), after)),
      fact('Note', editableNote(run, run.note || h('span', { class: 'dim' }, 'none'), after))),
  ];
}
