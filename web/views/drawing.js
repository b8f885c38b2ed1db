// What a growth does to a model, drawn: layers with their sources, widths before and after, what begins at zero or
// fresh, behind gates or masks.
import { table } from '../charts/table.js';
import { h, s } from '../dom.js';
import * as f from '../format.js';
import { fact, facts } from './parts.js';

const BOX = 130, LEFT = 1, RIGHT = 203, MOST_HEIGHT = 640;
/** What the new units of a width operator are; anything else: new units. */
const UNITS = { clone_width: 'copies of old ones', lemon: 'copies, read in uneven shares',
  fpi: 'copies of old ones drawn at random', aki: 'copies from the layer above',
  clone_diagonal: 'whole copies that read nothing of each other', zero_fanout: 'fresh, read at zero',
  zero_block: 'fresh, and read nothing of what is old', random_width: 'fresh',
  ligo_width: 'learned mixes of all old ones',
  masked_width: 'fresh, behind a mask that opens step by step', fuse: 'those of other runs\' models' };

const LEARNED = ['ligo', 'ligo_width'];

const HELD = { zeroed: 'zero', gated: 'gated', masked: 'masked' };

/** "0 1z r rm 1g" → layers with source (null: fresh), zeroed, gated, masked and is_new, as the daemon counts them. */
export function layersOf(recipe) {
  const seen = new Set();
  return recipe.split(' ').filter(Boolean).map((word, layer) => {
    const source = word.startsWith('r') ? null : parseInt(word, 10);
    const [zeroed, gated, masked] = ['z', 'g', 'm'].map((end) => word.endsWith(end));
    const isNew = source === null || zeroed || gated || masked || seen.has(source);
    if (!isNew) seen.add(source);
    return { layer, source, zeroed, gated, masked, is_new: isNew };
  });
}

const kindOf = (one) => (one.source === null ? 'fresh' : one.is_new ? 'copied' : 'kept');
const tagOf = (one) => [one.source === null ? 'fresh' : one.is_new ? `copy of ${one.source}` : `from ${one.source}`,
  one.zeroed && 'zero', one.gated && 'gated', one.masked && 'masked'].filter(Boolean).join(', ');
/** How it is held back at first, as classes of the picture. */
const heldOf = (one) => ['zeroed', 'gated', 'masked'].filter((how) => one[how]).map((how) => HELD[how]).join(' ');

function picture(growth, layers, wide, label) {
  const n = Math.max(layers.length, growth.from.n_layer);
  const step = Math.max(5, Math.min(26, MOST_HEIGHT / n)), box = step * 0.78, named = step >= 15;
  const height = Math.ceil(n * step) + 22, old = BOX * growth.from.n_embd / growth.to.n_embd;
  const top = (i) => height - (i + 1) * step; // the bottom of the model is at the bottom
  const parts = [s('text', { x: LEFT, y: 12, class: 'tick' }, `before: ${growth.from.n_layer} layers`),
    s('text', { x: RIGHT, y: 12, class: 'tick' }, `after: ${layers.length}`)];
  for (const one of layers)
    if (one.source !== null) parts.push(s('path', { class: `link ${kindOf(one)}`,
      d: `M${LEFT + old} ${top(one.source) + box / 2}C${LEFT + old + 40} ${top(one.source) + box / 2} `
        + `${RIGHT - 40} ${top(one.layer) + box / 2} ${RIGHT} ${top(one.layer) + box / 2}` }));
  for (let i = 0; i < growth.from.n_layer; i++) {
    parts.push(s('rect', { class: 'layer kept', x: LEFT, y: top(i), width: old, height: box, rx: 3 }));
    if (named) parts.push(s('text', { x: LEFT + 6, y: top(i) + box / 2 + 4 }, i));
  }
  for (const one of layers) {
    const y = top(one.layer), kind = kindOf(one);
    parts.push(s('rect', { class: `layer ${kind} ${heldOf(one)}`, x: RIGHT, y, width: BOX, height: box, rx: 3 }));
    if (wide && kind !== 'fresh')
      parts.push(s('rect', { class: 'layer units', x: RIGHT + old, y: y + 1, width: Math.max(BOX - old - 1, 1),
        height: Math.max(box - 2, 1) }));
    if (named) parts.push(s('text', { x: RIGHT + 6, y: y + box / 2 + 4 }, `${one.layer}: ${tagOf(one)}`));
  }
  return s('svg', { class: 'grown', viewBox: `0 0 ${RIGHT + BOX + 1} ${height}`, width: RIGHT + BOX + 1, height,
    role: 'img', 'aria-label': label }, parts);
}

/** The noise that a strategy mixes in, in words; '' where there is none. */
function noiseOf(strategy) {
  const told = [], of = (params, what) => {
    if (params?.noise > 0) told.push(`noise ${f.tick(params.noise)} in ${what}`);
    if (params?.mix > 0) told.push(`mix ${f.tick(params.mix)} in copied units`);
  };
  of(strategy?.params, strategy?.params?.mix === undefined ? 'new copies of layers' : 'what reads copies');
  of(strategy?.with_params, 'what reads copies');
  return told.join('; ');
}

/** "evenly in 200 steps", of whichever operator masks. */
function rampOf(strategy) {
  const steps = strategy?.params?.ramp_steps ?? strategy?.with_params?.ramp_steps;
  return steps > 0 ? `evenly in ${f.count(steps)} steps` : 'step by step';
}

const AXES = [['n_layer', 'Layers'], ['n_embd', 'Stream'], ['n_head', 'Heads'], ['head_dim', 'Size of a head'],
  ['n_inner', 'FFN'], ['vocab_size', 'Vocabulary'], ['n_positions', 'Context']];

/** growth: of the API; candidate: one of its candidates that grows. */
export function drawing(growth, candidate) {
  const told = growth.effect?.candidate === candidate.id ? growth.effect : null;
  const layers = told?.layers ?? layersOf(candidate.recipe), strategy = candidate.strategy;
  const axes = AXES.filter(([axis]) => growth.from[axis] !== growth.to[axis]);
  const wide = axes.some(([axis]) => ['n_embd', 'n_head', 'head_dim', 'n_inner'].includes(axis));
  const has = (test) => layers.some(test), noise = noiseOf(strategy);
  const operator = strategy?.with ?? strategy?.operator ?? candidate.operator;
  const learns = LEARNED.includes(strategy?.operator ?? candidate.operator);
  const label = `${candidate.label ?? candidate.operator}: ${f.shapeChange(growth)}. From the bottom: `
    + `${layers.map((one) => tagOf(one)).join('; ')}.`;
  const key = (kind, text) => h('li', {}, h('span', { class: `key ${kind}`, 'aria-hidden': 'true' }), ` ${text}`);
  return h('figure', { class: 'grown-figure' },
    h('div', {}, picture(growth, layers, wide, label)),
    h('figcaption', {},
      facts(axes.map(([axis, name]) => fact(name, `${f.count(growth.from[axis])} → ${f.count(growth.to[axis])}`))),
      h('ul', { class: 'keys' },
        key('kept', learns ? 'learned mixes, which begin as layers of the parent' : 'layers of the parent'),
        has((one) => one.source !== null && one.is_new)
          && key('copied', learns ? 'learned mixes, which begin as copies of them' : 'copies of them'),
        has((one) => one.source === null) && key('fresh', 'fresh layers'),
        has((one) => one.zeroed) && key('copied zero', 'output projections at zero: they add nothing at first'),
        has((one) => one.gated) && key('copied gated', 'behind gates, shut at first and trained'),
        has((one) => one.masked) && key('copied masked', `behind a mask that opens ${rampOf(strategy)}`),
        wide && key('units', `new units: ${UNITS[operator] ?? 'see the operator'}`)),
      noise && h('p', {}, `Beside it: ${noise}.`),
      told && h('div', { class: 'did' }, effectOf(told)),
      told && h('details', { class: 'as-table' }, h('summary', {}, 'As a table'), table({ caption: 'Layers',
        head: ['Layer', 'From', 'Begins', 'Stream\'s RMS over the parent\'s'],
        rows: told.layers.map((one) => [one.layer, one.source ?? 'fresh',
          one.zeroed ? 'at zero' : one.gated ? 'behind shut gates' : one.masked ? 'behind a mask'
            : one.is_new ? 'new' : 'as it was', f.tick(one.rms_ratio ?? NaN)]) }))));
}

/** What it did, as measured. */
function effectOf(effect) {
  const kept = effect.preserved === null ? '–' : effect.preserved ? 'kept' : 'changed';
  const expected = effect.preserved !== null && effect.promised !== effect.preserved
    ? effect.promised ? 'though it was to be kept' : 'though its operators do not promise it'
    : effect.logit_change !== null && `logits by ${effect.logit_change.toPrecision(2)}`;
  return facts(
    fact('Loss at step 0', effect.loss_change === null ? '–'
      : `${effect.loss_change < 0 ? '−' : '+'}${f.loss(Math.abs(effect.loss_change))}`, 'nats'),
    fact('The function', kept, expected),
    fact('Spike', effect.spike > 0 ? f.loss(effect.spike) : 'none',
      effect.spike > 0 && `nats, after ${f.count(effect.spike_steps)} steps`),
    effect.spike > 0 && fact('Back at the parent\'s loss', effect.recovery_steps === null ? 'not yet'
      : `after ${f.count(effect.recovery_steps)} steps`),
    effect.new_gradient_share !== null && fact('New parts', f.percent(effect.new_gradient_share),
      'of the first gradient'),
    effect.connection_rate !== null && fact('Connection rate', f.percent(effect.connection_rate)));
}
