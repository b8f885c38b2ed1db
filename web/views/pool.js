// Which operators are tried, with what parameters and under which rules: a pool by its name, or those that are ticked.
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

/** An operator's own line: what it does, whether the function stays, its parameters, whether it leads to the target.
 * What costs more than a probe is ticked by nobody but a person. */
function operatorLine(one) {
  const box = h('input', { type: 'checkbox', checked: one.grows === 'depth' && !one.learns,
    disabled: true });
  const inputs = (one.params ?? []).map((param) => [param, h('input', { type: 'number',
    placeholder: String(param.preset), min: param.min, max: param.max, step: param.integer ? 1 : 'any',
    title: param.help, 'aria-label': `${f.words(one.name)}: ${param.name}` })]);
  const parents = one.takes_parents && h('input', { type: 'text', placeholder: 'checkpoints, a comma between',
    'aria-label': `${f.words(one.name)}: checkpoints of other runs` });
  const params = h('span', { class: 'params', hidden: true },
    inputs.map(([param, input]) => h('label', { title: param.help }, `${param.name} `, input)),
    parents && h('label', {}, 'with ', parents));
  const reach = h('small', { class: 'reach' });
  const bare = one.preserves?.startsWith('while');
  const preserves = one.schema && (one.preserves
    ? `Keeps the function ${bare ? one.preserves : `(${one.preserves})`}.` : 'Changes the function.');
  const element = h('div', { class: 'operator' }, h('label', { class: 'check', title: one.reference }, box,
    h('span', {}, h('b', {}, f.words(one.name)), one.grows && h('span', { class: `tag-of ${one.grows}` }, one.grows),
      h('small', { class: 'dim' }, ` ${one.help}. `),
      preserves && h('small', { class: one.preserves ? 'keeps' : 'dim' }, preserves),
      one.learns && h('small', { class: 'dim' }, ' Learns before its probe: those steps are charged to it.'))),
    reach, params);
  let told = null;
  const show = () => { params.hidden = box.disabled || !box.checked || (inputs.length === 0 && !parents); };
  box.addEventListener('change', show);
  /** As a pool takes it: the name alone, or an object where more is said. */
  const entry = () => {
    const said = Object.fromEntries(inputs.filter(([, input]) => input.value !== '')
      .map(([param, input]) => [param.name, Number(input.value)]));
    const ids = parents ? parents.value.split(',').map((id) => id.trim()).filter(Boolean) : [];
    const beside = told?.beside, first = beside && one.grows !== 'depth' ? beside : one.name;
    if (!beside && ids.length === 0 && Object.keys(said).length === 0) return one.name;
    return { operator: first, ...(beside ? { with: first === one.name ? beside : one.name } : {}),
      ...(Object.keys(said).length ? { [first === one.name ? 'params' : 'with_params']: said } : {}),
      ...(ids.length ? { parents: ids } : {}) };
  };
  return { name: one.name, element, box, entry,
    enable(on) {
      box.disabled = !on;
      show();
    },
    know(found) {
      told = found;
      element.classList.toggle('beyond', Boolean(found && !found.reaches));
      fill(reach, found && (found.reaches ? found.beside && `leads there beside ${f.words(found.beside)}`
        : `does not lead there: ${found.reason}${found.nearest.length ? `; nearest: ${found.nearest.map((near) =>
          `${near.n_layer} layers of width ${near.n_embd}`).join(' or ')}` : ''}`));
    } };
}

/**
 * .element, .read() → what a request takes as its pool, .know(items) → which lead to the target (of /operators with a
 * target; null: not known). catalog: the answer of /operators.
 */
export function poolChoice(catalog) {
  const operators = catalog.items.filter((one) => one.name !== 'none');
  const recipes = catalog.recipes.filter((one) => !operators.some((other) => other.name === one.name));
  const lines = [...operators, ...recipes].map(operatorLine);
  const radios = [...catalog.pools.map((one) => [one.name, `the ${one.name} pool`, one.help]), ['', 'these', '']]
    .map(([name, label, help], i) => [name, label, help,
      h('input', { type: 'radio', name: 'pool', checked: i === 0 })]);
  const list = h('div', { class: 'operators' }, lines.map((line) => line.element));
  const rules = ruleChoice(catalog), help = h('p', { class: 'dim' });
  const chosen = () => radios.find(([, , , input]) => input.checked);
  const set = () => {
    const [name, , text] = chosen();
    lines.forEach((line) => line.enable(name === ''));
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
    const named = name || lines.filter((line) => line.box.checked).map((line) => line.entry());
    const said = name === 'published' ? {} : rules.read();
    return Object.keys(said).length > 0 ? { operators: named, ...said } : named;
  };
  const know = (items) => lines.forEach((line) => line.know(items?.find((one) => one.name === line.name)?.reach));
  return { element, read, know };
}
