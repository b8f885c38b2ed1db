// Texts that are changed where they stand: a pencil beside them, Enter keeps, Escape leaves them. While somebody edits,
// the page does not draw anew around them.
import * as api from '../api.js';
import { fill, h } from '../dom.js';

let editing = 0;

/** Is somebody writing? Whoever would draw the place anew waits until it is not. */
export const isEditing = () => editing > 0;

/** show: what stands there; value: the text that is edited; save(text) → was it kept?; after(): it is. */
export function editable({ label, show, value, placeholder, save, after }) {
  const place = h('span', { class: 'editable' });
  const pencil = h('button', { type: 'button', class: 'quiet small pencil', 'aria-label': `Edit ${label}`,
    title: `Edit ${label}`, onclick: () => edit() }, '✎');
  const rest = () => fill(place, show, ' ', pencil);

  function edit() {
    const input = h('input', { value, placeholder, maxlength: 2000, 'aria-label': label, autocomplete: 'off' });
    let ended = false;
    const end = async (keep) => {
      if (ended) return;
      ended = true;
      const text = input.value.trim();
      const kept = keep && text !== value && await save(text);
      editing--;
      rest();
      if (place.isConnected) pencil.focus();
      if (kept) after();
    };
    const form = h('form', { class: 'row' }, input, h('button', { class: 'small primary' }, 'Keep'),
      h('button', { type: 'button', class: 'small quiet', onclick: () => end(false) }, 'Leave'));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      end(true);
    });
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      end(false);
    });
    editing++;
    fill(place, form);
    input.focus();
    input.select();
    gone(place, () => end(false));
  }

  rest();
  return place;
}

/** A view that closes leaves nothing behind. */
function gone(place, call) {
  const watch = () => {
    if (!place.isConnected) call();
    else if (place.querySelector('form')) setTimeout(watch, 500);
  };
  setTimeout(watch, 500);
}

const change = (run, body, what) => api.act(`${run.name}: ${what}`, 'PATCH', `/runs/${api.part(run.id)}`, body)
  .then((answer) => answer !== undefined);

export const editableTags = (run, show, after) => editable({ label: `tags of ${run.name}`, show,
  value: run.tags.join(', '), placeholder: 'tags, commas between', after,
  save: (text) => change(run, { tags: text.split(',').map((one) => one.trim()).filter(Boolean) }, 'tags kept') });

export const editableNote = (run, show, after) => editable({ label: `note of ${run.name}`, show, value: run.note,
  placeholder: 'a note', after, save: (text) => change(run, { note: text }, 'note kept') });
