// Tokenizers on their page: trained, tried, extended, brought, taken away, deleted; a dataset of one's tokens, and the
// run on it; in both themes, wide and narrow, under axe.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { areForEveryone, browse, check, Daemon, folder, main, runBody, until } from './harness.mjs';

const pictures = process.env.LAGD_PICTURES; // a folder for screenshots
const data = join(folder, 'data'), taken = join(folder, 'taken.json'), lines = join(folder, 'lines.txt');
const SLOWLY = { LAGD_FAILPOINTS: 'tokenizer.make=sleep:4000' };
let daemon, browser;

const page = () => browser.page;
const text = (selector = 'main') => page().locator(selector).innerText();
const card = (name) => page().locator(`article[aria-label="${name}"]`);
const box = (title) => page().locator(`section[aria-label="${title}"]`);
const fault = (id) => page().locator(`.field:has(> #${id}) > .fault`).innerText();
const ready = async (name) => (await card(name).count()) && (await card(name).locator('.badge.ready').count());

async function refused(what, id, words) {
  browser.failuresAreExpected(true);
  await what();
  await until(`"${words}" is told at ${id}`, async () => (await fault(id)).includes(words));
  browser.failuresAreExpected(false);
}

async function picture(name) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page().screenshot({ path: join(pictures, `${name}.png`) });
}

const train = () => page().click('button:text-is("Train it")');

async function oneIsTrained() {
  mkdirSync(data, { recursive: true });
  daemon = await new Daemon('tokenizers', { LAGD_STORAGE_DATASET_ROOTS: data }).start();
  browser = await browse(daemon.origin);
  await browser.open('#/tokenizers');
  await until('there is none, and no text', async () => (await text()).includes('No tokenizer yet')
    && (await text()).includes('add one first'));
  check(await box('Try it').isHidden(), 'there is nothing to try');
  await daemon.upload('words');
  await page().reload();
  await page().fill('#train-name', 'mine');
  await page().fill('#train-train-vocab_size', '300');
  await train();
  await until('it is ready', () => ready('mine'));
  const told = await card('mine').innerText();
  for (const part of ['300', 'merges', 'BPE', 'gpt2', '<|endoftext|>', 'on words', 'no dataset of its tokens yet'])
    check(told.includes(part), `${part} in ${told}`);
}

async function whatIsWrongIsToldAtItsField() {
  await refused(train, 'train-name', 'exists already');
  await page().fill('#train-name', 'other');
  await page().fill('#train-train-vocab_size', '100');
  await refused(train, 'train-train-vocab_size', 'must be larger than the 257');
  await page().fill('#train-train-vocab_size', '270');
  await page().fill('#train-train-pattern', '(');
  await refused(train, 'train-train-pattern', 'cannot be read');
  await page().fill('#train-train-pattern', '\\w+|\\W');
  await page().fill('#train-train-specials', '<a>, <b>');
  await train();
  await until('it is ready', () => ready('other'));
  check((await card('other').innerText()).includes('2 special or added'), await card('other').innerText());
  check((await daemon.get('/tokenizers/other')).n_added === 2, 'both are special');
}

async function oneIsTried() {
  await card('mine').locator('button:text-is("Try it")').click();
  await until('it is chosen', async () => await page().locator('#try-tokenizer').count() === 1
    && await page().locator('#try-tokenizer').inputValue() === 'mine'
    && await page().locator('#try-text').evaluate((input) => input === document.activeElement));
  check(page().url().endsWith('#/tokenizers?try=mine'), page().url());
  const words = 'And the king\twent — 7.\n';
  await page().fill('#try-text', words);
  const wanted = (await daemon.post('/tokenizers/mine/encode', { text: words })).ids;
  const shown = () => page().locator('.piece small').allInnerTexts();
  await until('its ids are shown', async () => String(await shown()) === String(wanted));
  const pieces = (await page().locator('.piece > span').allInnerTexts()).join('');
  check(pieces.startsWith('And·the·king→') && pieces.endsWith('.⏎'), pieces);
  const counts = await page().locator('.counts').innerText(), n = Buffer.byteLength(words);
  check(counts.startsWith(`${wanted.length} tokens for ${n} bytes: ${(n / wanted.length).toPrecision(4)}`), counts);
  await page().click('button:text-is("Take those above")');
  await page().click('button:text-is("Decode")');
  await until('they are the text', async () =>
    await page().locator('pre[aria-label="Decoded text"]').textContent() === words);
  await page().fill('#try-ids', '1, 4000');
  await refused(() => page().click('button:text-is("Decode")'), 'try-ids', 'no token has the id 4000');
  await page().fill('#try-ids', '1 x');
  await refused(() => page().click('button:text-is("Decode")'), 'try-ids', 'must be an id');
  await page().selectOption('#try-tokenizer', 'other');
  await until('the other one takes the text', async () => String(await shown())
    === String((await daemon.post('/tokenizers/other/encode', { text: words })).ids));
}

async function oneIsExtended() {
  await card('mine').locator('button:text-is("Extend …")').click();
  await page().fill('#extend-name', 'more');
  await page().fill('#extend-vocab_size', '290');
  const extend = () => page().click('dialog[open] button:text-is("Extend it")');
  await refused(extend, 'extend-vocab_size', '300 tokens already');
  await picture('extend');
  await page().fill('#extend-vocab_size', '330');
  await extend();
  await until('it is ready', () => ready('more'));
  check(await page().locator('dialog[open]').count() === 0, 'the dialog has closed');
  check((await card('more').innerText()).includes('from mine, on words'), await card('more').innerText());
}

async function oneIsTakenAwayAndBrought() {
  const [download] = await Promise.all([page().waitForEvent('download'), card('mine').locator('a[download]').click()]);
  check(download.suggestedFilename() === 'mine.tokenizer.json' || download.suggestedFilename() === 'tokenizer.json',
    download.suggestedFilename());
  await download.saveAs(taken);
  const { model } = JSON.parse(readFileSync(taken, 'utf8'));
  check(Object.keys(model.vocab).length === 300, 'all of its tokens');
  await page().fill('#bring-name', 'sent');
  await page().setInputFiles('#bring-file', taken);
  await page().click('button:text-is("Bring it")');
  await until('what was sent is ready', () => ready('sent'));
  const [mine, sent] = await Promise.all(['mine', 'sent'].map((name) => daemon.get(`/tokenizers/${name}`)));
  check(mine.sha256 === sent.sha256 && sent.origin === 'upload', JSON.stringify(sent));
  writeFileSync(join(data, 'wrong.json'), JSON.stringify({ model: { type: 'Unigram', vocab: [] } }));
  await page().fill('#bring-name', 'wrong');
  await page().fill('#bring-path', 'nowhere.json');
  check(await page().locator('#bring-file').inputValue() === '', 'a path is in place of a file');
  await refused(() => page().click('button:text-is("Bring it")'), 'bring-path', 'no file or folder');
  await page().fill('#bring-path', 'wrong.json');
  await page().click('button:text-is("Bring it")');
  await until('the reason is told', async () => (await card('wrong').count())
    && (await card('wrong').innerText()).includes('Unigram is not supported'));
}

async function oneMakesTokensOfAText() {
  await card('mine').locator('a:text-is("Make tokens of a text")').click();
  await until('the form knows it', async () => await page().locator('#text-tokenizer').count()
    && await page().locator('#text-tokenizer').inputValue() === 'mine');
  writeFileSync(lines, 'the king went up to the city\n'.repeat(800));
  await page().fill('#text-name', 'tokens');
  const upload = () => page().click('button:text-is("Upload")');
  await upload();
  check((await fault('text-path')).includes('choose a file first'), await fault('text-path'));
  await page().setInputFiles('#text-path', lines);
  await page().selectOption('#text-documents-kind', 'separator');
  check(await page().locator('label[for="text-documents-field"]').innerText() === 'Separator', 'it is asked for');
  await refused(upload, 'text-documents-field', 'need a field');
  await page().selectOption('#text-documents-kind', 'line');
  check(await page().locator('#text-documents-field').isHidden(), 'lines need none');
  await upload();
  await until('it is ready', () => ready('tokens'));
  const told = await card('tokens').innerText(), row = await daemon.get('/datasets/tokens');
  check(row.tokenizer === 'mine' && row.documents === 'line', JSON.stringify(row));
  for (const part of ['mine', 'each line a document', 'Tokens a byte', row.tokens_per_byte.toPrecision(4)])
    check(told.includes(part), `${part} in ${told}`);
  check((await card('words').innerText()).includes('bytes'), 'the other one holds bytes');
  await card('tokens').locator('a:text-is("mine")').click();
  await until('its page tells what was measured', async () => await ready('mine')
    && (await card('mine').innerText()).includes('on tokens'));
}

async function aRunTellsItsTokenizer() {
  await daemon.post('/runs', runBody('plain', { schedule: { warmup_steps: 5, max_steps: 40 } }));
  await daemon.post('/runs', runBody('pieces', { dataset: 'tokens', schedule: { warmup_steps: 5, max_steps: 40 } }));
  for (const name of ['plain', 'pieces'])
    await until('it ends', async () => (await daemon.get(`/runs/${name}`)).state === 'completed');
  await browser.open('#/runs/pieces');
  await until('it is named', async () => (await text('.facts')).includes('mine'));
  check((await text('.facts')).includes('bits a byte'), await text('.facts'));
  await until('the bits are drawn', async () => await box('Bits a byte').isVisible()
    && await box('Bits a byte').locator('canvas').count() > 0);
  await page().fill('section[aria-label="Text sample"] input[name="n_tokens"]', '5');
  await page().click('button:text-is("Write")');
  await until('it writes text', async () => (await text('section[aria-label="Text sample"]')).includes('5 tokens by'));
  await browser.open('#/runs/plain');
  await until('bytes are named', async () => (await text('.facts')).includes('bytes'));
}

async function oneThatIsNeededStays() {
  await browser.open('#/tokenizers');
  await until('they are there', () => ready('mine'));
  await card('mine').locator('button:text-is("Delete")').click();
  browser.failuresAreExpected(true);
  await page().click('dialog[open] button:text-is("Delete it")');
  await until('who needs it is told', async () => (await text('body')).includes('dataset tokens has its tokens from'));
  browser.failuresAreExpected(false);
  await card('sent').locator('button:text-is("Delete")').click();
  await page().click('dialog[open] button:text-is("Delete it")');
  await until('it has gone', async () => await card('sent').count() === 0);
}

const PAGES = [['tokenizers', '#/tokenizers?try=mine', '.piece'], ['datasets', '#/datasets?tokenizer=mine', '.card'],
  ['run', '#/runs/pieces', 'section[aria-label="Bits a byte"] canvas']];

/** Of a build with failpoints: others make it at once. */
async function oneIsGivenUp() {
  await page().goto('about:blank'); // nobody asks a daemon that is not there
  await daemon.stop();
  Object.assign(daemon.environment, SLOWLY);
  await daemon.start();
  await browser.open('#/tokenizers');
  await page().fill('#train-name', 'slow');
  await page().fill('#train-train-vocab_size', '300');
  await train();
  const making = async () => (await card('slow').count()) && (await card('slow').locator('progress').count());
  await until('how far it is is told', async () => (await making()) || ready('slow'));
  if (!(await making())) return;
  check((await card('slow').innerText()).includes('% made'), await card('slow').innerText());
  await picture('making');
  await card('slow').locator('button:text-is("Cancel")').click();
  await page().click('dialog[open] button:text-is("End it")');
  await until('it has gone', async () => await card('slow').count() === 0);
}

async function itIsForEveryone() {
  await areForEveryone(daemon.origin, PAGES, { widths: pictures ? [1400, 800, 390] : [1400, 390], pictures });
  browser.faults.length && check(false, browser.faults.join('\n'));
}

main([oneIsTrained, whatIsWrongIsToldAtItsField, oneIsTried, oneIsExtended, oneIsTakenAwayAndBrought,
  oneMakesTokensOfAText, aRunTellsItsTokenizer, oneThatIsNeededStays, oneIsGivenUp, itIsForEveryone]);
