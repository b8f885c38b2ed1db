// Models that are brought, on their page: one by its path, one that is refused, a run that begins from one; in both
// themes, wide and narrow, under axe.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { areForEveryone, browse, check, Daemon, folder, main, until } from './harness.mjs';

const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const data = join(folder, 'data');
let daemon, browser;

const page = () => browser.page;
const text = (selector = 'main') => page().locator(selector).innerText();

/** What a person has: GPT-2 folders, and a file of tokens. */
function makeFolders() {
  const source = `import os, struct, sys; sys.path.insert(0, sys.argv[1]); import hf_folder as h; d = sys.argv[2]
for name, how in h.FOLDERS.items(): h.write(os.path.join(d, 'gpt2-' + name), h.files_of(how))
h.write(os.path.join(d, 'wrong'), h.files_of(h.FOLDERS['f32'], scale_attn_by_inverse_layer_idx=True))
open(os.path.join(d, 'tokens.bin'), 'wb').write(struct.pack('<3000H', *h.ids()))`;
  mkdirSync(data, { recursive: true });
  execFileSync('python3', ['-c', source, join(process.argv[2], 'tests/integration'), data]);
}

async function bring(path, name) {
  await page().fill('section[aria-label="Bring a model"] input >> nth=0', path);
  await page().fill('section[aria-label="Bring a model"] input >> nth=1', name);
  await page().click('button:text-is("Bring it")');
}

const card = (name) => page().locator(`article[aria-label="${name}"]`);

async function aModelIsBrought() {
  makeFolders();
  daemon = await new Daemon('models', { LAGD_STORAGE_DATASET_ROOTS: data }).start();
  await daemon.post('/datasets', { name: 'tokens', path: 'tokens.bin', format: 'nanogpt', vocab_size: 300 });
  await daemon.upload('words');
  browser = await browse(daemon.origin);
  await browser.open('#/models');
  await until('there is none', async () => (await text()).includes('No model yet'));
  await bring('gpt2-bf16', 'small');
  await until('it is ready', async () => (await text()).includes('Begin a run from it'));
  const told = await card('small').innerText();
  for (const part of ['bf16', '2 layers, width 24', 'BPE', '300 tokens', 'gpt2-bf16'])
    check(told.includes(part), `${part} in ${told}`);
}

async function whatIsWrongIsTold() {
  await bring('wrong', 'odd');
  await until('the reason is told', async () => (await text())
    .includes('config.json: scale_attn_by_inverse_layer_idx true is not supported'));
  browser.failuresAreExpected(true);
  await bring('/nowhere', 'nowhere');
  await until('a path out of the roots is told at its field', async () =>
    (await text('section[aria-label="Bring a model"]')).includes('is not below a folder of storage/dataset_roots'));
  browser.failuresAreExpected(false);
}

async function aRunBeginsFromIt() {
  await card('small').locator('a:text-is("Begin a run from it")').click();
  await until('the form knows it', async () => await page().locator('#f-from-model').inputValue() === 'small');
  check(!await page().locator('#f-model-n_layer').isVisible(), 'the model brings its shape');
  await page().selectOption('#f-dataset', 'words');
  browser.failuresAreExpected(true);
  await until('bytes are not its tokens', async () => (await text()).includes('model small needs its tokenizer'));
  await page().selectOption('#f-dataset', 'tokens');
  await until('tokens are', async () => (await text('aside')).includes('Parameters'));
  browser.failuresAreExpected(false);
  await page().fill('#f-name', 'tuned');
  await page().fill('#f-schedule-max_steps', '60');
  await page().click('button:text-is("Create run")');
  await until('it says from what', async () => (await text()).includes('Began from the model small'));
  await until('it ends', async () => (await daemon.get('/runs/tuned')).state === 'completed');
  check((await daemon.get('/runs/tuned')).from_model === 'small', 'it is of the model');
  await browser.open('#/new');
  await until('random weights are the preset', async () => await page().locator('#f-model-n_layer').isVisible());
}

async function oneThatIsNeededStays() {
  await browser.open('#/models');
  await card('small').locator('button:text-is("Delete")').click();
  browser.failuresAreExpected(true);
  await page().click('dialog[open] button:text-is("Delete it")');
  await until('who needs it is told', async () => (await text('body')).includes('run tuned is of this model'));
  browser.failuresAreExpected(false);
  await card('odd').locator('button:text-is("Delete")').click();
  await page().click('dialog[open] button:text-is("Delete it")');
  await until('it has gone', async () => await card('odd').count() === 0);
}

async function itIsForEveryone() {
  await bring('gpt2-f32', 'medium');
  await bring('wrong', 'odd');
  await until('both are told', async () => await page().locator('.badge.ready, .badge.failed').count() === 3);
  const pages = [['models', '#/models'], ['new', '#/new?model=small'], ['run', '#/runs/tuned']];
  await areForEveryone(daemon.origin, pages.map((one) => [...one, 'main:has-text("small")']), { pictures });
}

main([aModelIsBrought, whatIsWrongIsTold, aRunBeginsFromIt, oneThatIsNeededStays, itIsForEveryone]);
