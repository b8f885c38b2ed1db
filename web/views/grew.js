// On a run's page: what its latest growth did to the model.
import { fill, h } from '../dom.js';
import * as f from '../format.js';
import { drawing } from './drawing.js';
import { growthLink } from './parts.js';

/** .element, .show(): from shared.growths, as the page's head has read them; hidden while nothing has grown. */
export function grownPanel(shared) {
  const place = h('div', { class: 'panel-body' });
  const element = h('section', { class: 'panel', 'aria-label': 'What grew', hidden: true },
    h('header', {}, h('h2', {}, 'What grew')), place);
  let shown = '';
  return { element,
    show() {
      const growth = shared.growths.filter((one) => one.grew).pop();
      const winner = growth?.candidates.find((one) => one.id === growth.decision?.candidate);
      const key = winner ? `${growth.id} ${growth.effect?.recovery_steps}` : '';
      element.hidden = !winner;
      if (!winner || key === shown) return;
      shown = key;
      fill(place, h('p', { class: 'dim' }, growthLink(growth.id, f.growthChange(growth)),
        ` at step ${f.count(growth.start_step)}, by ${winner.label}`), drawing(growth, winner));
    } };
}
