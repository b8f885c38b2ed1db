// Forms made of the daemon's own description of a request body: names, limits, presets and help texts are its.
import * as api from '../api.js';
import { button, copy, fill, h, toast } from '../dom.js';

let document_ = null;

/** The schema of a request body, by its name in the OpenAPI document. */
export async function schema(name, signal) {
  document_ ??= await api.get('/openapi.json', signal);
  return document_.components.schemas[name];
}

/** "/model/n_layer" → its schema and whether it is required. */
function lookup(root, pointer) {
  let node = root, required = false;
  for (const key of pointer.split('/').filter(Boolean)) {
    required = (node.required ?? []).includes(key);
    node = node.properties?.[key] ?? node.prefixItems?.[Number(key)];
    if (!node) throw new Error(`the daemon knows no field ${pointer}`);
  }
  return { node, required };
}

function control(node, required, value, preset) {
  if (node.enum)
    return h('select', { value: value ?? preset }, node.enum.map((one) => h('option', { value: one }, one)));
  if (node.type === 'boolean') return h('input', { type: 'checkbox', checked: value ?? preset ?? false });
  if (node.type === 'integer' || node.type === 'number') {
    return h('input', { type: 'number', required, min: node.minimum ?? node.exclusiveMinimum, max: node.maximum,
      step: node.type === 'integer' ? 1 : 'any', value: value ?? '', placeholder: preset ?? '', inputmode: 'decimal' });
  }
  return h('input', { type: 'text', required, maxlength: node.maxLength, value: value ?? '', placeholder: preset ?? '',
    autocomplete: 'off' });
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1);

/** One field of a form. read() is undefined when it is left to its preset. */
export class Field {
  constructor(root, pointer, { label, value, input, help: ownHelp, placeholder, prefix = 'f' } = {}) {
    const { node, required } = lookup(root, pointer);
    this.pointer = pointer;
    this.node = node;
    this.preset = value;
    this.input = input ?? control(node, required, value, placeholder ?? node.default);
    this.fault = h('span', { class: 'fault', role: 'alert' });
    const id = `${prefix}${pointer.replaceAll('/', '-')}`;
    this.input.id = id;
    this.input.setAttribute('aria-describedby', `${id}-help`);
    const name = label ?? sentence(pointer.split('/').pop().replaceAll('_', ' '));
    const unit = /\[([^\]]+)\]$/.exec(node.description ?? '')?.[1];
    const help = ownHelp ?? (node.description ?? '').replace(/ ?\[[^\]]+\]$/, '');
    this.element = h('div', { class: node.type === 'boolean' ? 'field check-field' : 'field' },
      this.label = h('label', { for: id }, name,
        unit && !name.toLowerCase().includes(unit) && h('span', { class: 'dim' }, ` ${unit}`)),
      this.input, h('small', { class: 'dim', id: `${id}-help` }, help), this.fault);
  }

  /** What it asks for may depend on another field. */
  name(text) {
    fill(this.label, sentence(text));
  }

  read() {
    const { node, input } = this;
    if (node.type === 'boolean') return input.checked === (node.default ?? false) ? undefined : input.checked;
    const text = input.value.trim();
    if (text === '') return undefined;
    if (node.type === 'integer' || node.type === 'number') return Number(text);
    if (node.type === 'array') return text.split(',').map((one) => one.trim()).filter(Boolean);
    return text === node.default && this.preset === undefined ? undefined : text;
  }

  complain(text) {
    this.fault.textContent = text ?? '';
    if (text) this.input.setAttribute('aria-invalid', 'true');
    else this.input.removeAttribute('aria-invalid');
  }
}

/** Fields → the body: {model: {n_layer: 3}}. */
export function bodyOf(fields) {
  const body = {};
  for (const field of fields) {
    const value = field.read();
    if (value === undefined) continue;
    const keys = field.pointer.split('/').filter(Boolean);
    let node = body;
    keys.slice(0, -1).forEach((key) => { node = node[key] ??= {}; });
    node[keys[keys.length - 1]] = value;
  }
  return body;
}

/** A fault of an entry stands at the list that has it. */
const belongs = (fault, field) => fault.pointer === field.pointer
  || (field.node.type === 'array' && fault.pointer.startsWith(`${field.pointer}/`));

/** Faults of a refusal to their fields; returns the ones that have none. */
export function complain(fields, problem) {
  const errors = (problem?.body?.errors ?? []).map((one) => ({ pointer: one.pointer.replace(/^#/, ''),
    detail: one.detail }));
  for (const field of fields) field.complain(errors.find((one) => belongs(one, field))?.detail);
  const rest = errors.filter((one) => !fields.some((field) => belongs(one, field))).map((one) => one.detail);
  return problem && errors.length === 0 ? [problem.message] : rest;
}

/**
 * Fields, a place for faults that have none, and a button. ask() → what is being made by then; it may throw a Problem,
 * which is told at its fields, or do nothing.
 */
export function formOf(fields, { submit: label, ask, after, more: below = [], tools = [] }) {
  const faults = h('div', { class: 'reason', role: 'alert', hidden: true });
  const submit = h('button', { class: 'primary' }, label);
  const tell = (problem) => {
    const rest = complain(fields, problem);
    faults.hidden = rest.length === 0;
    fill(faults, rest.map((text) => h('p', {}, text)));
  };
  const form = h('form', { novalidate: true }, h('div', { class: 'fields' }, fields.map((one) => one.element)), faults,
    h('div', { class: 'row' }, submit, tools), below);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      const made = await ask();
      tell(null);
      toast(`${made.name} is ${made.state === 'ready' ? 'ready' : 'on its way'}`);
      after(made);
    } catch (error) {
      tell(error);
    }
    submit.disabled = false;
  });
  return form;
}

export const asCurl = (path, fields) => button('Copy as curl',
  () => copy(api.curl('POST', path, bodyOf(fields)), 'curl command'), { class: 'quiet' });

export function group(title, ...children) {
  return h('fieldset', {}, h('legend', {}, title), h('div', { class: 'fields' }, children));
}

export function more(title, ...children) {
  return h('details', { class: 'more' }, h('summary', {}, title), h('div', { class: 'fields' }, children));
}
