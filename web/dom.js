// Elements without markup strings: texts become text nodes, so no data is ever read as HTML.

const SVG = 'http://www.w3.org/2000/svg';

function apply(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.setAttribute('class', value);
    else if (name === 'data') for (const [k, v] of Object.entries(value)) element.dataset[k] = v;
    else if (name === 'value' && 'value' in element) element.value = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** h('p', {class: 'note'}, 'text', node, [nodes]) */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  append(element, children); // before the properties: a select's value needs its options
  apply(element, properties);
  return element;
}

/** The same for SVG. */
export function s(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  apply(element, properties);
  append(element, children);
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** A button that cannot be pressed twice while its action is under way. */
export function button(label, action, properties = {}) {
  const element = h('button', { type: 'button', ...properties }, label);
  element.addEventListener('click', async () => {
    if (element.getAttribute('aria-disabled') === 'true') return;
    element.setAttribute('aria-disabled', 'true');
    try {
      await action(element);
    } finally {
      element.removeAttribute('aria-disabled');
    }
  });
  return element;
}

export function toast(text, kind = 'note') {
  const note = h('p', { class: `toast ${kind}` }, text);
  document.getElementById('toasts').append(note);
  setTimeout(() => note.remove(), kind === 'bad' ? 9000 : 4000);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    const area = h('textarea', { readonly: true, 'aria-label': what, rows: 6 });
    area.value = text;
    const dialog = h('dialog', { 'aria-label': what }, h('p', {}, 'Copy this:'), area,
      h('form', { method: 'dialog' }, h('button', {}, 'Close')));
    document.body.append(dialog);
    dialog.addEventListener('close', () => dialog.remove());
    dialog.showModal();
    area.select();
  }
}

export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/**
 * Asks in a dialog that names what it is about. fields: [{name, label, required}] are asked for; with rows, a text of
 * so many lines that begins with value.
 * Resolves to their values, or null.
 */
export function ask({ title, text, confirm, danger = false, fields = [] }) {
  return new Promise((resolve) => {
    const inputs = fields.map((field) => [field.name, field.rows
      ? h('textarea', { name: field.name, rows: field.rows, spellcheck: 'false', class: 'code' }, field.value)
      : h('input', { name: field.name, required: field.required, maxlength: 500, autocomplete: 'off' })]);
    const form = h('form', { method: 'dialog' },
      h('h2', {}, title), h('p', {}, text),
      fields.map((field, i) => h('label', { class: 'field' }, h('span', {}, field.label), inputs[i][1])),
      h('div', { class: 'row end' },
        h('button', { type: 'button', class: 'quiet', onclick: () => dialog.close('') }, 'Keep as is'),
        h('button', { value: 'yes', class: danger ? 'danger' : 'primary' }, confirm)));
    const dialog = h('dialog', { 'aria-label': title }, form);
    document.body.append(dialog);
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes'
        ? Object.fromEntries(inputs.map(([k, input]) => [k, input.value.trim()])) : null);
    });
    dialog.showModal();
  });
}
