// Which operators are tried, and under which rules: a pool by its name, or those that are ticked.
import { fill, h } from '../dom.js';
import * as f from '../format.js';

const USUAL = 'as usual'; // no rule is sent: the pool's own, or each operator's preset

function ruleChoice(catalog) {
  const select = (label, words) => {
    const element = h('select', { 'aria-label': label },
      [USUAL, ...words].map((one) => h('option', { value: one }, one)));
    return [h('label', { class: 'field' }, h('span', {}, label), element), element];
  };
  const [optimizer, optimizerInput] = select('optimiser of all', catalog.optimizer_rules);
  const [lr, lrInput] = select('learning rate of all', catalog.lr_rules);
  const freezeInput = h('input', { type: 'text', placeholder: '0', title: 'a number of steps, or keep', size: 8,
    'aria-label': 'only new layers train for' });
  const freeze = h('label', { class: 'field' }, h('span', {}, 'only new layers train for'), freezeInput,
    h('small', { class: 'dim' }, 'steps, or keep'));
  const inputs = [optimizerInput, lrInput, freezeInput];
  const read = () => {
    const rules = {}, frozen = freezeInput.value.trim();
    if (optimizerInput.value !== USUAL) rules.optimizer = optimizerInput.value;
    if (lrInput.value !== USUAL) rules.lr = lrInput.value;
    if (frozen) rules.freeze_old = /^\d+$/.test(frozen) ? Number(frozen) : frozen;
    return rules;
  };
  return { element: h('div', { class: 'row' }, optimizer, lr, freeze), read,
    disable: (off) => inputs.forEach((one) => { one.disabled = off; }) };
}

/** .element, .read() → what a request takes as its pool. catalog: the answer of /operators. */
export function poolChoice(catalog) {
  const operators = catalog.items.filter((one) => one.name !== 'none');
  const recipes = catalog.recipes.filter((one) => !operators.some((other) => other.name === one.name));
  const listed = [...operators, ...recipes];
  const boxes = listed.map((one) => [one.name,
    h('input', { type: 'checkbox', checked: one.grows === 'depth', disabled: true })]);
  const radios = [...catalog.pools.map((one) => [one.name, `the ${one.name} pool`, one.help]), ['', 'these', '']]
    .map(([name, label, help], i) => [name, label, help,
      h('input', { type: 'radio', name: 'pool', checked: i === 0 })]);
  const list = h('div', { class: 'operators' },
    listed.map((one, i) => h('label', { class: 'check', title: one.reference },
    boxes[i][1], h('span', {}, h('b', {}, f.words(one.name)),
      h('small', { class: 'dim' }, ` ${one.help}`, one.grows === 'width' && '; grows width',
        one.function_preserving && '; keeps the function')))));
  const rules = ruleChoice(catalog), help = h('p', { class: 'dim' });
  const chosen = () => radios.find(([, , , input]) => input.checked);
  const set = () => {
    const [name, , text] = chosen();
    boxes.forEach(([, box]) => { box.disabled = name !== ''; });
    rules.disable(name === 'published'); // its recipes have rules of their own
    fill(help, text || 'An operator has its preset rules, unless you choose others here; a recipe keeps its own.');
  };
  radios.forEach(([, , , input]) => input.addEventListener('change', set));
  set();
  const element = h('fieldset', {}, h('legend', {}, 'Pool'),
    h('div', { class: 'row' }, radios.map(([, label, , input]) => h('label', { class: 'check' }, input, label))),
    help, rules.element, list);
  const read = () => {
    const [name] = chosen();
    const named = name || boxes.filter(([, box]) => box.checked).map(([word]) => word);
    const said = name === 'published' ? {} : rules.read();
    return Object.keys(said).length > 0 ? { operators: named, ...said } : named;
  };
  return { element, read };
}
