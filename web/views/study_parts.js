// What the list of studies and the page of one show alike.
import * as api from '../api.js';
import { ask, button, h } from '../dom.js';
import * as f from '../format.js';
import { address } from '../state.js';
import { hasEnded } from '../states.js';

export const studyLink = (study) => h('a', { href: address(['studies', study.id]) }, study.name);

const VERBS = {
  pause: { label: 'Pause', done: 'pausing' },
  resume: { label: 'Resume', done: 'resumed', primary: true },
  cancel: { label: 'Cancel', done: 'cancelling', danger: true, title: 'End this study for good?', confirm: 'End it',
    text: (study) => `${study.name} ends. What it has found so far stays, and its runs do.` },
  delete: { label: 'Delete', done: 'deleted', danger: true, title: 'Delete this study?', confirm: 'Delete it',
    text: (study) => `The record of ${study.name} goes, and with it its report. Its runs stay.` },
};

/** A button for every action that the daemon allows. */
export function studyActions(study, after) {
  return study.allowed_actions.filter((action) => VERBS[action]).map((action) => {
    const verb = VERBS[action];
    return button(verb.label, async () => {
      if (verb.text && !await ask({ title: verb.title, text: verb.text(study), confirm: verb.confirm, danger: true }))
        return;
      const path = `/studies/${api.part(study.id)}`, what = `${study.name}: ${verb.done}`;
      const answer = action === 'delete' ? await api.act(what, 'DELETE', path, undefined)
        : await api.act(what, 'POST', `${path}/${action}`, {});
      if (answer !== undefined) after(action);
    }, { class: verb.danger ? 'danger' : verb.primary ? 'primary' : '' });
  });
}

/** Seconds that a study has left: as the daemon tells, else by its pace. */
export const studyLeft = (study, paces) => study.seconds_left
  ?? paces.of(study.id, study.state === 'running' ? study.done : null);

export const doneText = (study, left) => (hasEnded('study', study.state) || left === null
  ? f.percent(study.done) : `${f.percent(study.done)}, about ${f.duration(left)} left`);
