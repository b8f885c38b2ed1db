// What the decision of a growth has lost, once its audit has found it; and asking for one.
import * as api from '../api.js';
import { ask, button, h } from '../dom.js';
import * as f from '../format.js';
import { badge, fact, facts } from './parts.js';
import { studyLink } from './study_parts.js';

/** The audit of a growth; null where there is none. name: what a candidate is called. */
export function auditOf({ audit, decision }, name) {
  if (!audit) return null;
  const state = audit.study ? badge('study', audit.state) : h('span', {}, audit.state);
  const known = audit.regret !== null;
  return h('div', { class: 'verdict', role: 'group', 'aria-label': 'Audit' },
    h('p', { class: 'sentence' }, known ? told(audit, decision, name)
      : 'The audit trains all candidates to the end of the run, so that it is known what the decision lost. '
        + 'It gives way to all that wants to compute.'),
    facts(
      fact('Audit', state),
      audit.study && fact('Study', studyLink({ id: audit.study, name: audit.study_name })),
      known && fact('Regret', f.loss(audit.regret), `nats; 95 % ${f.loss(audit.regret_low)} to `
        + f.loss(audit.regret_high)),
      known && audit.regret_of_spread !== null
        && fact('Of the range of the finals', f.percent(audit.regret_of_spread), '0 % the best, 100 % the worst'),
      known && fact('Best at the end', name(audit.best)),
      audit.flops > 0 && fact('Cost of the audit', f.flops(audit.flops), 'not counted as the run\'s')),
    audit.reason && h('p', { class: 'dim' }, audit.reason));
}

function told(audit, decision, name) {
  const taken = name(decision.candidate);
  if (audit.best === decision.candidate) return `The audit: ${taken}, which was taken, ended best of all candidates.`;
  const open = audit.regret_low === 0 ? ' It cannot be told apart from the best at 95 %.' : '';
  return `The audit: ${taken}, which was taken, ended ${f.loss(audit.regret)} above ${name(audit.best)}, the best.`
    + open;
}

/** A button that asks for the audit of a decision; null where there is one. */
export function auditButton(growth, after) {
  if (growth.audit && growth.audit.state !== 'refused') return null;
  return button('Audit …', async () => {
    const path = `/growths/${api.part(growth.id)}/audit`;
    let plan;
    try {
      plan = await api.send('POST', `${path}?dry_run=true`, {});
    } catch (error) {
      await ask({ title: 'This decision cannot be audited', text: error.message, confirm: 'Close' });
      return;
    }
    const yes = await ask({ title: 'Audit this decision?', confirm: 'Audit it',
      text: `All ${plan.candidates.length} candidates are trained from step ${f.count(plan.start_step)} to `
        + `${f.count(plan.max_steps)}, while nothing else wants to compute: ${f.flops(plan.flops_total)}, about `
        + `${f.duration(plan.seconds_guess)} of computing. Then it is known what the decision lost.` });
    if (yes && await api.act('an audit is planned', 'POST', path, {}) !== undefined) after();
  });
}
