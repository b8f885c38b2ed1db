// Runs: all of them in a table that is searched, filtered, sorted and grouped; the ticked ones get one verb together.
import * as api from '../api.js';
import { ask, button, fill, h, toast } from '../dom.js';
import * as f from '../format.js';
import * as live from '../live.js';
import { panel } from '../panel.js';
import { Settings, address } from '../state.js';
import { STATES } from '../states.js';
import { throttle } from '../throttle.js';
import { compareAddress, MOST } from './compare_data.js';
import { editableNote, editableTags, isEditing } from './edit.js';
import { badge, eta, isActive, runBadge, runLink } from './parts.js';
import { groupsOf, keepPlace, placeOf, RunRows, window_ } from './run_rows.js';

const PAGE = 200, ROW_PX = 34, AHEAD = 12, TYPED_MS = 120, LIVE_MS = 1000;
const PRESETS = { q: '', tag: '', state: '', waiting_for: '', sort: 'created', order: '', group: '', cols: '' };
const RUN_STATES = Object.keys(STATES.run);
const FILTERS = ['q', 'tag', 'state', 'waiting_for', 'sort', 'order'];

// name in the address, title, sort word or null, cell
const COLUMNS = [
  ['name', 'Name', 'name', (run) => runLink(run.name)],
  ['state', 'State', null, (run) => (run.waiting_for === 'approval' ? decide(run) : runBadge(run))],
  ['step', 'Step', 'step', (run) => `${f.count(run.step)} of ${f.count(run.max_steps)}`],
  ['best', 'Best val loss', 'best', (run) => f.loss(run.best?.value)],
  ['val', 'Val loss', 'latest', (run) => f.loss(run.latest['val/loss'])],
  ['params', 'Parameters', 'params', (run) => f.si(run.n_params)],
  ['layers', 'Layers', null, (run) => run.model.n_layer],
  ['tokens', 'Tokens', 'tokens', (run) => f.si(run.tokens)],
  ['flops', 'FLOPs', 'flops', (run) => f.si(run.flops_training)],
  ['tags', 'Tags', null, null],
  ['created', 'Created', 'created', (run) => f.when(run.created_at)],
  ['note', 'Note', null, (run, after) => editableNote(run, h('span', { class: 'note-text', title: run.note }, run.note),
    after)],
  ['best_step', 'Best at step', null, (run) => (run.best ? f.count(run.best.step) : '–')],
  ['train', 'Train loss', null, (run) => f.loss(run.latest['train/loss'])],
  ['lr', 'Learning rate', null, (run) => f.number(run.optim.lr)],
  ['seed', 'Seed', null, (run) => run.seed],
  ['dataset', 'Dataset', null, (run) => run.dataset],
  ['width', 'Width', null, (run) => f.count(run.model.n_embd)],
  ['speed', 'Tokens/s', null, (run) => (isActive(run) ? f.si(run.latest['perf/tokens_per_s']) : '–')],
  ['left', 'Time left', null, (run) => f.duration(eta(run))],
];
const USUAL = ['name', 'state', 'step', 'best', 'val', 'params', 'layers', 'tokens', 'flops', 'tags', 'created'];
const KEPT = 'lagd.columns'; // the last choice, for the next time
const knownColumns = (text) => COLUMNS.map(([name]) => name)
  .filter((name) => name === 'name' || String(text).split(',').includes(name));
const decide = (run) => h('a', { href: address(['growths', run.growth]) },
  badge('growth', 'awaiting_approval', 'decide'));
const RISING = new Set(['name', 'best', 'latest']);
const VERBS = [['pause', 'Pause'], ['resume', 'Resume'], ['checkpoint', 'Checkpoint'], ['cancel', 'Cancel …'],
  ['delete', 'Delete …']];
const FINAL = { cancel: 'End', delete: 'Delete' }; // verbs that are asked about first

/** In place of the rows that are not in sight. */
function gap(n, columns) {
  if (n <= 0) return null;
  const row = h('tr', { class: 'gap', 'aria-hidden': 'true' }, h('td', { colspan: columns }));
  row.style.height = `${n * ROW_PX}px`;
  return row;
}

export function runsView(main) {
  const settings = new Settings({ ...PRESETS,
    cols: knownColumns(localStorage.getItem(KEPT) ?? USUAL.join(',')).join(',') });
  const columns = () => knownColumns(settings.get('cols')).map((name) => COLUMNS.find((one) => one[0] === name));
  const rows = new RunRows(PAGE);
  const place = placeOf(location.hash);
  const ticked = new Map(place.ticked), tickedTags = new Set(place.tags); // id → name
  const asked = () => Object.fromEntries(FILTERS.map((name) => [name, settings.get(name)])
    .filter(([name, value]) => value !== '' && !(name === 'sort' && value === PRESETS.sort)));

  const body = h('tbody', {}), head = h('tr', {});
  const table = h('table', { class: 'runs' }, h('thead', {}, head), body);
  const scroller = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Runs, scrollable' }, table);
  const found = h('p', { class: 'dim', role: 'status' }), bulk = h('div', { class: 'row bulk' });
  const groups = h('div', {});

  const list = panel({
    title: 'Runs', wide: true, curl: () => ['GET', `/runs${api.query(asked())}`],
    load: (signal) => rows.load(asked(), signal),
    show(_, into) {
      into.append(bulk, groups, scroller, found);
      draw();
      return draw;
    },
  });

  // --- what is drawn: the rows in sight only ---

  function draw() {
    if (isEditing()) return;
    const shown = columns(), sort = settings.get('sort'), falling = isFalling(), arrow = falling ? ' ↓' : ' ↑';
    fill(head, h('th', {}, tickAll()), shown.map(([, title, word]) => h('th',
      { 'aria-sort': word === sort ? (falling ? 'descending' : 'ascending') : null },
      word ? button(`${title}${word === sort ? arrow : ''}`, () => sortBy(word), { class: 'quiet' }) : title)));
    drawRows();
    const total = rows.items.length;
    table.setAttribute('aria-rowcount', rows.next ? -1 : total + 1);
    fill(found, total ? `${f.count(total)} runs${rows.next ? ', and more below' : ''}.` : 'No run is like that.');
    drawBulk();
    fill(groups, settings.get('group') === 'tag' && groupTable(groupsOf(rows.items)));
  }

  /** All that changes while one scrolls. Rows that were in sight before are the same elements. */
  function drawRows() {
    if (isEditing()) return;
    const shown = columns(), look = settings.get('cols'), total = rows.items.length;
    const { first, last } = window_(scroller, ROW_PX, total, AHEAD);
    const inSight = rows.items.slice(first, last).map((run) => {
      let known = made.get(run);
      if (known?.look !== look) made.set(run, known = { look, row: line(run, shown) });
      known.row.querySelector('input').checked = ticked.has(run.id);
      return known.row;
    });
    fill(body, gap(first, shown.length + 1), inSight, gap(total - last, shown.length + 1));
    if (rows.next && last > total - PAGE / 2) rows.more(asked()).then(draw, (error) => toast(error.message, 'bad'));
  }
  const made = new WeakMap(); // run, as it was told → its row

  const line = (run, shown) => h('tr', { class: run.waiting_for === 'approval' ? 'waits' : '' },
    h('td', {}, h('input', { type: 'checkbox', 'aria-label': `Tick ${run.name}`, checked: ticked.has(run.id),
      onchange: (event) => tick([run], event.target.checked) })),
    shown.map(([, , , cell]) => h('td', {}, cell ? cell(run, edited) : editableTags(run, run.tags.map((tag) =>
      button(tag, () => set({ tag }), { class: 'run-tag small', title: `Only runs with the tag ${tag}` })), edited))));

  const edited = () => rows.load(asked()).then(draw, (error) => toast(error.message, 'bad'));

  const groupTable = (all) => h('table', { class: 'groups' },
    h('caption', {}, `Of the ${f.count(rows.items.length)} runs that are listed below, by tag`),
    h('thead', {}, h('tr', {}, ['Tag', 'Runs', 'Mean best val loss', '± 1 standard deviation', 'Lowest']
      .map((text) => h('th', {}, text)))),
    h('tbody', {}, all.map((one) => h('tr', {}, h('td', {}, h('label', { class: 'check' },
      h('input', { type: 'checkbox', 'aria-label': `Tick the group ${one.tag}`, checked: tickedTags.has(one.tag),
        onchange: (event) => tickTag(one.tag, event.target.checked) }), one.tag)), h('td', {}, one.n),
    h('td', {}, f.loss(one.mean)), h('td', {}, f.loss(one.deviation)), h('td', {}, f.loss(one.low))))));

  // --- what is chosen ---

  const chooser = h('details', { class: 'columns-chosen' }, h('summary', {}, 'Columns'), h('div', { class: 'row' },
    COLUMNS.slice(1).map(([name, title]) => h('label', { class: 'check' }, h('input', { type: 'checkbox', value: name,
      checked: columns().some((one) => one[0] === name), onchange: chooseColumns }), title)),
    button('Usual ones', () => {
      for (const box of chooser.querySelectorAll('input')) box.checked = USUAL.includes(box.value);
      chooseColumns();
    }, { class: 'quiet small' })));

  function chooseColumns() {
    const cols = knownColumns([...chooser.querySelectorAll('input:checked')].map((box) => box.value).join(','))
      .join(',');
    settings.set({ cols });
    settings.presets.cols = cols; // what is left out of the address from now on
    settings.set({ cols });
    localStorage.setItem(KEPT, cols);
    draw();
  }

  const isFalling = () => (settings.get('order') || (RISING.has(settings.get('sort')) ? 'asc' : 'desc')) === 'desc';

  function set(changes) {
    settings.set(changes);
    drawFilters();
    rows.clear();
    scroller.scrollTop = 0;
    return list.refresh();
  }

  const sortBy = (word) => set(word === settings.get('sort') ? { order: isFalling() ? 'asc' : 'desc' }
    : { sort: word, order: '' });

  function tick(runs, truth) {
    for (const run of runs) if (truth) ticked.set(run.id, run.name); else ticked.delete(run.id);
    keep();
    draw();
  }

  function tickTag(tag, truth) {
    if (truth) tickedTags.add(tag); else tickedTags.delete(tag);
    keep();
    draw();
  }

  const tickAll = () => h('input', { type: 'checkbox', 'aria-label': 'Tick all that are listed',
    checked: rows.items.length > 0 && rows.items.every((run) => ticked.has(run.id)),
    onchange: (event) => tick(rows.items, event.target.checked) });

  function drawBulk() {
    const n = ticked.size + tickedTags.size;
    bulk.hidden = n === 0;
    if (n === 0) return;
    const compare = n > MOST ? h('span', { class: 'dim' }, `Up to ${MOST} can be compared.`)
      : h('a', { class: 'button primary', href: compareAddress({ runs: [...ticked.values()], tags: [...tickedTags] }) },
        'Compare');
    fill(bulk, h('b', {}, `${n} ticked:`), compare, ticked.size > 0 && VERBS.map(([verb, label]) =>
      button(label, () => carryOut(verb), { class: FINAL[verb] ? 'danger' : '' })),
    button('Untick', () => { ticked.clear(); tickedTags.clear(); keep(); draw(); }, { class: 'quiet' }));
  }

  async function carryOut(verb) {
    const n = ticked.size;
    if (FINAL[verb] && !await ask({ title: `${FINAL[verb]} ${n} ${n === 1 ? 'run' : 'runs'}?`, danger: true,
      text: 'This cannot be taken back.', confirm: `${FINAL[verb]} ${n === 1 ? 'it' : 'them'}` })) return;
    const answer = await api.send('POST', '/runs/bulk', { runs: [...ticked.keys()], verb }).catch((error) =>
      toast(error.message, 'bad'));
    if (!answer) return;
    const refused = answer.items.filter((one) => !one.done);
    toast(`${verb}: ${n - refused.length} of ${n} done`);
    if (refused.length) toast(`${refused[0].name ?? refused[0].run}: ${refused[0].detail}`, 'bad');
    if (verb === 'delete') ticked.clear();
    await list.refresh();
  }

  // --- filters: all in the address ---

  const typed = throttle(() => set({ q: search.value }), TYPED_MS);
  const search = h('input', { type: 'search', name: 'q', placeholder: 'Search name, tags, note', 'aria-label': 'Search',
    value: settings.get('q'), oninput: () => typed() });
  const chips = h('div', { class: 'row chips' });
  function drawFilters() {
    const states = settings.get('state').split(',').filter(Boolean);
    const flip = (name) => set({ state: (states.includes(name) ? states.filter((one) => one !== name)
      : [...states, name]).join(',') });
    const chip = (label, on, action) => button(label, action,
      { class: `chip small${on ? ' on' : ''}`, 'aria-pressed': String(on) });
    const waits = settings.get('waiting_for') === 'approval', grouped = settings.get('group') === 'tag';
    fill(chips, chip('waits for you', waits, () => set({ waiting_for: waits ? '' : 'approval' })),
      RUN_STATES.map((name) => chip(name, states.includes(name), () => flip(name))),
      settings.get('tag') && chip(`tag ${settings.get('tag')} ×`, true, () => set({ tag: '' })),
      chip('groups by tag', grouped, () => set({ group: grouped ? '' : 'tag' })));
  }

  fill(main, h('div', { class: 'page-head' }, h('h1', {}, 'Runs'), h('span', { class: 'grow' }),
    h('a', { class: 'button primary', href: '#/new' }, 'New run')),
  h('div', { class: 'filters' }, search, chips, chooser),
  list.element);
  drawFilters();
  rows.want(place.n);
  const keep = () => keepPlace(location.hash, { n: rows.items.length, top: scroller.scrollTop, ticked: [...ticked],
    tags: [...tickedTags] });
  scroller.addEventListener('scroll', throttle(() => {
    drawRows();
    keep();
  }, 30));
  const refresh = throttle(() => rows.freshen(asked()).then(draw, () => {}), LIVE_MS);
  const unsubscribe = live.subscribe((event) => {
    if (rows.note(event)) refresh();
  });
  list.refresh().then(() => {
    scroller.scrollTop = place.top;
    draw();
  });
  return {
    title: 'Runs',
    changed: () => { search.value = settings.get('q'); drawFilters(); rows.clear(); list.refresh(); },
    destroy() {
      unsubscribe();
      typed.cancel();
      refresh.cancel();
      list.destroy();
    },
  };
}
