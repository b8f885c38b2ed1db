// The main job in the browser: an empty page, a run by the form, its curves live, a growth whose line is moved and that
// is approved by a click, a restart of the daemon under the open page; then every view in both themes under axe, and
// pictures of them.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as f from '../../web/format.js';
import { axe, browse, check, Daemon, main, runBody, sleep, until } from './harness.mjs';

const HOSTILE = '<img src=x onerror="document.title=\'owned\'">\u2028<script>document.title="owned"</script>';
const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const daemon = new Daemon();
let browser, growth;

const page = () => browser.page;
const texts = (selector) => page().locator(selector).allTextContents();
const main_ = () => page().locator('main').innerText();

async function emptyOverviewSaysWhatToDo() {
  await daemon.start();
  browser = await browse(daemon.origin);
  await browser.open('');
  await page().waitForSelector('.first pre');
  const text = await page().locator('.first pre').innerText();
  check(text.includes('curl') && text.includes(daemon.origin), text);
  await until('the light is green', async () => (await page().locator('#bar .light').innerText()) === 'live');
}

async function aRunIsMadeByTheForm() {
  await daemon.upload('words');
  await browser.open('#/new');
  await page().fill('#f-name', 'first');
  browser.failuresAreExpected(true);
  await page().fill('#f-model-n_embd', '33');
  await until('the fault stands at its field', async () => (await page()
    .locator('[aria-invalid=true], .reason:not([hidden])').count()) > 0);
  await page().fill('#f-model-n_embd', '32');
  await page().fill('#f-model-n_head', '2');
  await page().fill('#f-model-n_positions', '32');
  await page().fill('#f-schedule-max_steps', '100000');
  await page().fill('#f-batch-sequences', '4');
  await page().fill('#f-eval-every_steps', '20');
  browser.failuresAreExpected(false);
  await until('the dry run tells parameters', async () => (await texts('.dry .fact dt')).includes('Parameters'));
  await page().click('text=Create run');
  await page().waitForURL(/#\/runs\/first/);
  await page().waitForSelector('.u-over');
  const step = () => page().locator('.fact dd').first().innerText()
    .then((t) => Number(t.split(' of')[0].replace(/\D/g, '')));
  const first = await step();
  await until('the steps go on', async () => (await step()) > first + 5);
  await page().click('button:text-is("Pause")');
  await until('the run is paused', async () => (await daemon.get('/runs/first')).state === 'paused');
  await until('the page shows it', async () => (await texts('.badge')).some((t) => t.includes('paused')));
  check(await page().locator('button:text-is("Resume")').isVisible(), 'a paused run can be resumed');
}

/** Where the first chart is: a moment passes while it is drawn anew. */
async function chartBox() {
  let box = null;
  await until('the chart is there', async () => {
    box = await page().locator('.u-over').first().boundingBox();
    return box !== null;
  });
  return box;
}

async function curvesObeyTheirControls() {
  await page().selectOption('.controls select', 'tokens');
  check(page().url().includes('x=tokens'), page().url());
  for (const x of ['time', 'flops', 'step']) {
    await page().selectOption('.controls select', x);
    await until(`x is ${x}`, async () => (await texts('.readout')).length > 0 && !(await main_()).includes('stale'));
  }
  await page().check('text=log y');
  await page().check('text=log x');
  check(/logx=true/.test(page().url()) && /logy=true/.test(page().url()), page().url());
  await page().uncheck('text=log x');
  const plot = page().locator('.plot').first();
  await plot.focus();
  for (const key of ['Home', 'ArrowRight', 'ArrowRight', '+', 'Escape', 'End', 'ArrowLeft'])
    await page().keyboard.press(key);
  const box = await chartBox();
  await page().mouse.move(box.x + box.width * 0.3, box.y + 80);
  await page().mouse.down();
  await page().mouse.move(box.x + box.width * 0.6, box.y + 80, { steps: 5 });
  const asked = page().waitForRequest((request) => /series\?.*from=\d+&to=\d+/.test(request.url()));
  await page().mouse.up();
  await asked;
  check(/from=\d+.*to=\d+/.test(page().url()), `the zoom is not in the address: ${page().url()}`);
  await page().click('button.reset >> nth=0');
  check(!/from=/.test(page().url()), page().url());
  await page().locator('.as-table summary').first().click();
  await page().waitForSelector('.as-table[open] tbody tr');
  await page().locator('button:text-is("curl")').nth(1).click();
  const copied = await page().evaluate(() => navigator.clipboard.readText());
  check(copied.startsWith('curl ') && copied.includes('/series?key=train/loss'), copied);
  await page().fill('input[name=n_tokens]', '20');
  await page().click('button:text-is("Write")');
  await until('a sample is written', async () => (await page().locator('pre.sample').innerText()).length > 5);
}

async function aSampleSaysWhatItWaitsFor() {
  const tokens = Buffer.alloc(8000);
  for (let i = 0; i < tokens.length / 2; i++) tokens.writeUInt16LE((i * i) % 5000, 2 * i);
  const response = await fetch(`${daemon.origin}/api/v1/datasets?name=tokens&file_name=train.bin`,
    { method: 'POST', body: tokens, headers: { 'Content-Type': 'application/octet-stream' } });
  check(response.ok, await response.text());
  await daemon.post('/runs', runBody('young', { start: false, schedule: { max_steps: 1000000 },
    checkpoint: { every_steps: 1000000 } }));
  await daemon.post('/runs', runBody('of-tokens', { start: false, dataset: 'tokens' }));
  const said = () => page().locator('section[aria-label="Text sample"]').innerText();
  browser.failuresAreExpected(true); // 409: nothing to write with
  await browser.open('#/runs/young');
  await page().click('button:text-is("Write")');
  await until('it says what it waits for', async () => (await said()).includes('resume it'));
  browser.failuresAreExpected(false);
  await daemon.post('/runs/young/resume');
  await until('it trains', async () => (await daemon.get('/runs/young')).step > 0);
  await page().click('button:text-is("Write")');
  await until('it writes without a checkpoint', async () => (await said()).includes('no checkpoint yet'));
  await daemon.post('/runs/young/cancel');
  await browser.open('#/runs/of-tokens');
  await until('tokens have no text', async () => (await said()).includes('no tokenizer'));
}

async function aGrowthIsApprovedByClicking() {
  await daemon.post('/runs', runBody('grown', { start: false, note: HOSTILE, tags: ['a'],
    schedule: { warmup_steps: 10, max_steps: 100000 } }));
  await browser.open('#/runs/grown/grow');
  await page().waitForSelector('.dry table');
  await page().fill('#f-when-at_step', '60');
  await page().fill('#f-probe-steps', '48');
  await page().fill('#f-probe-eval_every', '4');
  await page().click('text=Ask for this growth');
  await page().waitForURL(/#\/growths\/gr_/);
  growth = decodeURIComponent(page().url().split('/').pop());
  await until('the page says what it waits for', async () => (await main_()).includes('waits for step 60'));
  await daemon.post('/runs/grown/resume');
  await page().waitForSelector('button.approve', { timeout: 120000 });
  await page().waitForSelector('.verdict .sentence');
  await theLineMoves();
  const pick = (await daemon.get(`/growths/${growth}`)).decision.candidate;
  await page().click('button.approve');
  await until('it is applied', async () => (await daemon.get(`/growths/${growth}`)).state === 'applied');
  check((await daemon.get(`/growths/${growth}`)).decision.candidate === pick, 'what was proposed is what is applied');
  await until('the page shows it', async () => (await texts('.badge')).some((t) => t.includes('applied')));
  await page().click('text=Copy report');
  await until('the report is copied', async () => (await page().evaluate(() => navigator.clipboard.readText()))
    .startsWith('# '));
  const report = await page().evaluate(() => navigator.clipboard.readText());
  check(report.includes('random') && report.includes('|') && report.includes(growth), report);
  const saving = page().waitForEvent('download');
  await page().click('text=Report (Markdown)');
  check((await saving).suggestedFilename() === 'growth-grown-60.md', 'the report has a name');
}

async function theLineMoves() {
  const line = page().locator('.decide-line');
  const ranks = () => texts('.rank-name');
  check(await line.getAttribute('aria-valuenow') === '48', 'the line begins at the lag');
  const last = await ranks();
  await line.focus();
  await page().keyboard.press('Home');
  await until('the line is at 0', async () => await line.getAttribute('aria-valuenow') === '0');
  check(/k=0/.test(page().url()), page().url());
  const first = await ranks();
  const answer = await daemon.get(`/growths/${growth}/ranking?at_step=0`);
  const names = new Map((await daemon.get(`/growths/${growth}`)).candidates.map((one) => [one.id, one.operator]));
  check(first[0] === names.get(answer.items[0].candidate),
    `first at 0: ${first[0]}, the daemon says ${names.get(answer.items[0].candidate)}`);
  check(String(first) !== String(last), 'the list is sorted anew');
  await page().keyboard.press('ArrowRight');
  check(await line.getAttribute('aria-valuenow') === '1', 'an arrow goes to the next evaluation');
  const box = await chartBox(), grip = await line.boundingBox();
  await page().mouse.move(grip.x + grip.width / 2, grip.y + 150);
  await page().mouse.down();
  await page().mouse.move(box.x + box.width / 2, grip.y + 150, { steps: 8 });
  await page().mouse.up();
  check(await line.getAttribute('aria-valuenow') === '24',
    `dragged to the middle: ${await line.getAttribute('aria-valuenow')}`);
  await until('ties are told plainly', async () => /cannot be told apart|Every other is behind/.test(
    await page().locator('.says').innerText()));
  await page().locator('.bump').click({ position: { x: 40, y: 60 } });
  await until('the ranks\' chart moves the line too',
    async () => Number(await line.getAttribute('aria-valuenow')) <= 1);
  await page().check('label:has-text("close up") input');
  check(/near=true/.test(page().url()), page().url());
  await page().uncheck('label:has-text("close up") input');
  await line.focus();
  await page().keyboard.press('End');
}

async function aRestartHealsByItself() {
  await browser.open('#/runs/grown');
  await page().waitForSelector('.u-over');
  browser.failuresAreExpected(true);
  await daemon.stop();
  await until('the page says so', async () => /lost/.test(await page().locator('#bar .light').innerText()));
  await until('panels are marked stale', async () => (await page().locator('.panel[data-state=stale]').count()) > 0);
  await daemon.start();
  await until('the light is green again', async () => (await page().locator('#bar .light').innerText()) === 'live');
  browser.failuresAreExpected(false);
  await until('nothing is stale', async () => (await page()
    .locator('.panel[data-state=stale], .panel[data-state=error]').count()) === 0);
  const step = async () => Number((await page().locator('.fact dd').first().innerText())
    .split(' of')[0].replace(/\D/g, ''));
  const before = await step();
  await until('the steps go on', async () => (await step()) > before);
  browser.failuresAreExpected(true);
  await daemon.stop('SIGKILL');
  await daemon.start();
  await until('also after kill -9', async () => (await page().locator('#bar .light').innerText()) === 'live'
    && (await step()) > before);
  browser.failuresAreExpected(false);
  await page().click('button:text-is("Pause")');
  await until('the run is paused', async () => (await daemon.get('/runs/grown')).state === 'paused');
}

/** The cost of another growth is compared with what the run itself has spent, as that of a decision is. */
async function aPlanIsComparedWithTraining() {
  await browser.open('#/runs/grown/grow');
  const run = await daemon.get('/runs/grown');
  const plan = await daemon.post('/runs/grown/growths?dry_run=true', { target: { n_layer: run.model.n_layer * 2 } });
  check(run.flops_probes > 0 && run.flops === run.flops_training + run.flops_probes, JSON.stringify(run));
  const share = f.share(plan.flops_total / run.flops_training, 'training so far');
  await until(share, async () => (await page().locator('.dry').innerText()).includes(share));
  check(await page().locator('#f-probe-delta').count() === 1, 'the difference that matters can be told');
  // beside it what operators have done here before
  const { items } = await daemon.get('/prior'), text = await page().locator('.dry').innerText();
  check(items.length > 0 && text.includes('What operators have done here'), text);
}

/** A pool by name, operators and recipes by their boxes, and rules for all: the plan tells the rules of each. */
async function aPoolIsChosenByClicking() {
  await browser.open('#/runs/grown/grow');
  const plan = () => page().getByRole('table', { name: 'Candidates', exact: true }).innerText();
  await until('one rule for all', async () => /stack.*inherit, continue/s.test(await plan()));
  check(!(await plan()).includes('restart'), await plan());
  await page().check('text=the published pool');
  await until('recipes have their own', async () => /g_stack.*reset, restart/s.test(await plan())
    && (await plan()).includes('old layers frozen for good'));
  check(await page().locator('select[aria-label="optimiser of all"]').isDisabled(), 'recipes have rules of their own');
  await page().check('text=the default pool');
  await page().selectOption('select[aria-label="optimiser of all"]', 'reset');
  await page().fill('input[aria-label="only new layers train for"]', '20');
  await until('a rule for all', async () => /reset, continue, old layers frozen for 20 steps/.test(await plan())
    && (await plan()).includes('interleave'));
  await page().check('text=/^these$/');
  await page().uncheck('.operators label:has-text("interleave") input');
  await until('without one', async () => !(await plan()).includes('interleave'));
}

/** From any checkpoint, by a form; the page of the fork leads back to its origin. */
async function aRunIsForkedByClicking() {
  await browser.open('#/runs/grown');
  await page().click('a.button:text-is("Fork …")');
  await page().waitForSelector('#f-checkpoint');
  await page().fill('#f-name', 'first');
  await page().uncheck('#f-start');
  browser.failuresAreExpected(true); // 409: that name is taken
  await page().click('button:text-is("Fork")');
  await until('the name is complained of', async () => (await page().locator('#f-name').getAttribute('aria-invalid'))
    === 'true');
  browser.failuresAreExpected(false);
  await page().fill('#f-name', 'forked');
  await page().fill('#f-seed', '77');
  await page().click('button:text-is("Fork")');
  await page().waitForURL(/#\/runs\/forked$/);
  const fork = await daemon.get('/runs/forked'), { items } = await daemon.get('/runs/grown/checkpoints');
  check(fork.seed === 77 && fork.state === 'paused' && fork.origin.checkpoint === items[0].id, JSON.stringify(fork));
  await until('it leads back', async () => (await main_()).includes(`Forked from grown at step ${f.count(fork.step)}`));
  await page().click('p a:text-is("grown")');
  await until('to its origin', async () => (await page().locator('h1').innerText()) === `Run ${fork.origin.run}`);
  await page().locator('table a:text-is("Fork")').last().click();
  await page().waitForSelector('#f-checkpoint');
  check(await page().locator('#f-checkpoint').inputValue() === items.at(-1).id, 'the checkpoint is chosen');
}

/** With what loads it beside it. */
async function aModelIsTakenAway() {
  await browser.open('#/runs/grown');
  const { items } = await daemon.get('/runs/grown/checkpoints'), name = `${items[0].id}-hf`;
  const newest = page().locator('details:has(summary:text-is("Model"))').first();
  await newest.locator('summary').click();
  const [download] = await Promise.all([page().waitForEvent('download'), newest.locator('a:text-is("bf16")').click()]);
  check(download.suggestedFilename() === `${name}.tar`, download.suggestedFilename());
  const [file] = await Promise.all([page().waitForEvent('download'),
    newest.locator('a[aria-label^="GGUF"]:text-is("f16")').click()]);
  check(file.suggestedFilename() === `${items[0].id}.gguf`, file.suggestedFilename());
  const lines = (await newest.locator('pre').innerText()).trim().split('\n');
  const length = Math.min(100, (await daemon.get('/runs/grown')).model.n_positions - 4);
  check(lines.length === 3 && lines[1].includes(`model="${name}"`) && lines[2].includes(`max_new_tokens=${length})`),
    lines.join('\n'));
}

/** The learning rate is shown before; an end is none for a growth either. */
async function aRunIsExtendedByClicking() {
  await daemon.post('/runs', runBody('short', { schedule: { warmup_steps: 5, max_steps: 60, min_lr: 0.0001 } }));
  await until('it ends', async () => (await daemon.get('/runs/short')).state === 'completed');
  await browser.open('#/runs/short');
  await page().click('a.button:text-is("Extend …")');
  await page().waitForSelector('.dry .spark polyline');
  const said = () => page().locator('.dry').innerText();
  check((await said()).includes('rises at once'), await said());
  await page().selectOption('#f-schedule-after', 'minimum');
  await until('it stays at the minimum', async () => (await said()).includes('ends at 0.0001'));
  browser.failuresAreExpected(true); // 422
  await page().fill('#f-max_steps', '60');
  await until('the fault stands at its field', async () => (await page().locator('#f-max_steps')
    .getAttribute('aria-invalid')) === 'true');
  browser.failuresAreExpected(false);
  await page().fill('#f-max_steps', '90');
  await page().selectOption('#f-schedule-after', 'stable');
  await page().selectOption('#f-from', 'before_decay');
  await until('it tells what is given up', async () => /given up/i.test(await said()));
  if (pictures) await page().screenshot({ path: join(pictures, 'extend-filled.png'), fullPage: true });
  await page().click('button:text-is("Extend and go on")');
  await page().waitForURL(/#\/runs\/short$/);
  await until('it ends later', async () => { const run = await daemon.get('/runs/short');
    return run.state === 'completed' && run.step === 90; });
  await until('the page shows it', async () => (await page().locator('a.button:text-is("Grow …")').count()) === 1);
  await page().click('a.button:text-is("Grow …")');
  await page().waitForSelector('.dry table');
  check(await page().locator('#f-extend-max_steps').inputValue() === '180', 'it is to go on');
}

/** Probes count on the axis of FLOPs at the step after their growth, whatever became of it. */
async function everyProbeCountsAsCompute() {
  const knots = await page().evaluate(async () => {
    const { flopKnots } = await import('/ui/views/series.js');
    const run = await (await fetch('/api/v1/runs/grown')).json();
    const growth = (start_step, taken, ...flops) => ({ start_step, decision: { candidate: taken },
      candidates: flops.map((one, i) => ({ id: i, flops: one })) });
    const all = [growth(30, null, 5e15), growth(20, 1, 3e15, 7e15, 4e15), growth(30, null, 1e15),
      growth(null, null, 0)];
    return flopKnots({ ...run, max_steps: 100 }, [], all);
  });
  check(String(knots.map(([step]) => step)) === '0,20,21,30,31,100', JSON.stringify(knots));
  const [, [, at20], [, at21], [, at30], [, at31], [, end]] = knots, each = at20 / 20;
  for (const [is, should] of [[at21 - at20, 7e15 + each], [at30 - at21, 9 * each], [at31 - at30, 6e15 + each],
    [end - at31, 69 * each]]) check(Math.abs(is / should - 1) < 1e-6, `${is} ${should} in ${JSON.stringify(knots)}`);
}

async function everyViewIsForEveryone() {
  const views = { overview: '#/', run: '#/runs/grown?x=tokens', growth: `#/growths/${growth}?k=4`, new_run: '#/new',
    datasets: '#/datasets', models: '#/models', new_growth: '#/runs/grown/grow', fork: '#/runs/grown/fork',
    forked: '#/runs/forked', extend: '#/runs/short/extend', missing: '#/runs/nobody' };
  await daemon.post('/runs', runBody('hostile', { note: HOSTILE, start: false }));
  const found = [];
  for (const theme of ['light', 'dark']) {
    const other = await browse(daemon.origin, { theme });
    other.failuresAreExpected(true); // the view of a run that is not there
    for (const [name, hash] of Object.entries(views)) {
      await other.open('#/new');
      await other.open(hash);
      await sleep(900);
      if (pictures) {
        mkdirSync(pictures, { recursive: true });
        await other.page.screenshot({ path: join(pictures, `${name}-${theme}.png`), fullPage: true });
      }
      for (const finding of await axe(other.page)) found.push({ view: name, theme, ...finding });
      check((await other.page.title()) !== 'owned', 'a text was read as markup');
    }
    await other.open('#/runs/hostile');
    await sleep(500);
    check((await other.page.locator('main').innerText()).includes('<img src=x'), 'the note is shown as it is');
    check((await other.page.title()) !== 'owned', 'a text was read as markup');
    other.faults.length && check(false, other.faults.join('\n'));
    await other.context.close();
  }
  const serious = found.filter((one) => ['serious', 'critical'].includes(one.impact));
  const others = found.filter((one) => !serious.includes(one)).map((one) => `${one.id} (${one.view})`);
  console.log(`        axe: ${serious.length} serious or critical, ${others.length} others`
    + `${others.length ? `: ${others.join(', ')}` : ''}`);
  check(serious.length === 0, JSON.stringify(serious, null, 1));
}

/** An old decision is audited by clicking; its page tells how far that is, also once it was ended. */
async function aDecisionIsAudited() {
  const { items } = await daemon.get('/runs/grown/growths');
  const growth = items.find((one) => one.state === 'applied'), path = `/growths/${growth.id}`;
  await browser.open(`#${path}`);
  await page().click('button:text-is("Audit …")');
  await until('it says what it takes', async () => (await page().locator('dialog[open]').innerText())
    .includes('while nothing else wants to compute'));
  await page().click('dialog[open] button:text-is("Audit it")');
  const said = () => page().locator('.verdict[aria-label="Audit"]').innerText();
  await until('the page tells of it', async () => (await said()).includes('audit-'));
  const { audit } = await daemon.get(path);
  check(await page().locator('button:text-is("Audit …")').count() === 0, 'one is enough');
  await daemon.post(`/studies/${audit.study}/cancel`);
  await until('and of its end', async () => (await said()).includes('cancelled'));
  await page().click(`.verdict[aria-label="Audit"] a`);
  await until('it is a study', async () => (await main_()).includes('The audit of a growth\'s decision'));
}

async function nothingWentWrongOnTheWay() {
  check(browser.faults.length === 0, browser.faults.join('\n'));
}

await main([emptyOverviewSaysWhatToDo, aRunIsMadeByTheForm, curvesObeyTheirControls, aSampleSaysWhatItWaitsFor,
  aGrowthIsApprovedByClicking, aRestartHealsByItself, aDecisionIsAudited, aPlanIsComparedWithTraining,
  aPoolIsChosenByClicking, everyProbeCountsAsCompute, aRunIsForkedByClicking, aModelIsTakenAway,
  aRunIsExtendedByClicking, everyViewIsForEveryone, nothingWentWrongOnTheWay]);
