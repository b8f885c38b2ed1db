// The verdict in words, and approving, overriding, rejecting and cancelling.
import * as api from '../api.js';
import { ask, button, h, toast } from '../dom.js';
import * as f from '../format.js';
import { auditButton } from './audit.js';
import { fact, facts } from './parts.js';

const bases = {
  verified: 'verified: better than every other at 95 %, and than not growing',
  provisional: 'provisional: ahead of the others, but not clearly enough, or the lag is short',
  tied: 'tied: several cannot be told apart',
  nothing_to_decide: 'nothing to decide: those that cannot be told apart differ by less than matters',
  person: 'chosen by a person',
};

/** A bound below this says nothing. */
export const LEAST_CHANCE = 0.01;

function interval([low, high]) {
  return low === null || high === null ? '' : `95 % ${f.loss(low)} to ${f.loss(high)}`;
}

export function verdict(probe) {
  const { growth } = probe, { decision } = growth;
  if (!decision) return null;
  const name = (id) => probe.candidates().find((one) => one.id === id)?.label ?? '–';
  const names = (ids) => ids.map(name).join(', ');
  const waiting = growth.state === 'awaiting_approval';
  return h('div', { class: 'verdict', role: 'group', 'aria-label': 'Verdict' },
    h('p', { class: 'sentence' }, decision.verdict),
    facts(
      fact(waiting ? 'Proposed' : 'Taken', name(decision.candidate)),
      fact('Basis', bases[decision.basis] ?? f.words(decision.basis)),
      decision.tied && fact('Cannot be told apart', names(decision.tied_set),
        `${decision.tied_set.length} candidates`),
      decision.p_now >= LEAST_CHANCE && fact('Best now', f.number(decision.p_now), 'probability, at least'),
      fact('Order holds to the end', decision.p_end === null ? 'not known' : f.number(decision.p_end),
        decision.p_end === null ? 'fewer than three studies' : 'share of such orders in studies'),
      fact('Step 0 would pick', decision.tied_at_0.length
        ? `cannot choose: a ${decision.tied_at_0.length}-way tie` : name(decision.pick_at_0)),
      fact('Runner-up', name(decision.runner_up)),
      fact('Margin', f.loss(decision.margin), interval(decision.margin_interval)),
      fact('Over not growing', f.loss(decision.gain), interval(decision.gain_interval)),
      fact('Rank stability', `τ ${f.number(decision.tau)}`, 'lag/2 against lag'),
      fact('Cost', f.flops(decision.flops), decision.run_flops
        ? f.share(decision.flops / decision.run_flops, 'training up to then') : ''),
      fact('Decided', decision.decided_by === 'lag'
        ? (waiting ? 'by the lag; waits for you' : 'by the lag') : `by ${decision.decided_by}`,
        waiting ? '' : f.when(decision.decided_at)),
      decision.reason && fact('Reason', decision.reason)));
}

/** A button for each action that the daemon allows. */
export function decisionButtons(probe, after) {
  const { growth } = probe, path = `/growths/${api.part(growth.id)}`;
  const name = (id) => probe.candidates().find((one) => one.id === id)?.label ?? '–';
  const decide = async (body, text) => {
    if (await api.act(text, 'POST', `${path}/decision`, body) !== undefined) after();
  };
  const actions = {
    approve: () => [
      button(`Approve ${name(growth.decision?.candidate)}`, () => decide({ approve: true }, 'approved'),
        { class: 'primary approve' }),
      button('Take another …', () => override(probe, decide), { class: 'override' })],
    reject: () => button('Reject', async () => {
      const answer = await ask({ title: 'Reject this growth?',
        text: 'None of the candidates is taken; the run goes on as it was. The probe stays on record.',
        confirm: 'Reject', danger: true, fields: [{ name: 'reason', label: 'Reason' }] });
      if (answer) await decide({ reject: true, ...(answer.reason ? { reason: answer.reason } : {}) }, 'rejected');
    }),
    cancel: () => button('Cancel growth', async () => {
      const answer = await ask({ title: 'Cancel this growth?',
        text: `Growing from ${f.shapeChange(growth, ' to ')} is withdrawn; `
          + 'the run goes on as it was.',
        confirm: 'Cancel it', danger: true, fields: [{ name: 'reason', label: 'Reason' }] });
      if (answer && await api.act('growth cancelled', 'POST', `${path}/cancel`,
        answer.reason ? answer : {}) !== undefined) after();
    }, { class: 'danger' }),
    audit: () => auditButton(growth, after),
  };
  // a growth that can be rejected needs no second way to the same end
  const { allowed_actions: allowed } = growth;
  const offered = allowed.filter((one) => one !== 'cancel' || !allowed.includes('reject'));
  return offered.map((action) => actions[action]?.());
}

/** Another candidate than the lag's, with a reason that stays with the decision. */
function override(probe, decide) {
  const { growth } = probe;
  const list = probe.order(growth.lag).filter((one) => one.candidate.state === 'completed'
    && one.loss !== null);
  const select = h('select', { name: 'candidate', required: true }, list.map(({ candidate, loss, rank }) =>
    h('option', { value: candidate.id },
      `${rank}. ${candidate.label}, ${f.loss(loss)}`
        + `${candidate.id === growth.decision?.candidate ? ' (proposed)' : ''}`)));
  const reason = h('input', { name: 'reason', required: true, maxlength: 500, autocomplete: 'off' });
  const form = h('form', { method: 'dialog' }, h('h2', {}, 'Take another candidate'),
    h('p', {}, 'Your choice is kept beside what the lag proposed.'),
    h('label', { class: 'field' }, h('span', {}, 'Candidate, by its loss at the lag'), select),
    h('label', { class: 'field' }, h('span', {}, 'Reason'), reason),
    h('div', { class: 'row end' }, h('button', { type: 'button', class: 'quiet', onclick: () => dialog.close('') },
      'Keep as is'),
      h('button', { value: 'yes', class: 'primary' }, 'Apply this candidate')));
  const dialog = h('dialog', { 'aria-label': 'Take another candidate' }, form);
  return new Promise((resolve) => {
    dialog.addEventListener('close', async () => {
      dialog.remove();
      if (dialog.returnValue === 'yes')
        await decide({ candidate: select.value, reason: reason.value.trim() }, 'your choice is applied');
      resolve();
    });
    document.body.append(dialog);
    if (list.length === 0) toast('no candidate has reached the lag', 'bad');
    dialog.showModal();
  });
}
