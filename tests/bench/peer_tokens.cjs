// What Hugging Face's tokenizers (Rust, through npm) say of the same files, for peer_tokens.py. Arguments:
//   ids TOKENIZER.json TEXT      a line of ids for each line of the text
//   speed TOKENIZER.json TEXT    bytes of the text per CPU-second, all of it at once
//   train TEXT OUT               a byte-level BPE with every merge that the text has; CPU-seconds
// NODE_PACKAGES is the folder of the npm packages.
const fs = require('fs');
const { BPE, Tokenizer, byteLevelPreTokenizer } = require(`${process.env.NODE_PACKAGES}/@anush008/tokenizers`);

const seconds = (begin) => { const used = process.cpuUsage(begin); return (used.user + used.system) / 1e6; };

async function ids(file, path) {
  const tokenizer = Tokenizer.fromFile(file);
  const lines = fs.readFileSync(path, 'utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (let i = 0; i < lines.length; i += 1000) {
    const coded = await tokenizer.encodeBatch(lines.slice(i, i + 1000));
    process.stdout.write(coded.map((one) => one.getIds().join(',') + '\n').join(''));
  }
}

async function speed(file, path) {
  const tokenizer = Tokenizer.fromFile(file), text = fs.readFileSync(path, 'utf8');
  const begin = process.cpuUsage();
  await tokenizer.encode(text);
  console.log(Buffer.byteLength(text) / seconds(begin));
}

async function train(path, out) {
  const tokenizer = new Tokenizer(BPE.empty());
  tokenizer.setPreTokenizer(byteLevelPreTokenizer(false, true));
  const begin = process.cpuUsage();
  tokenizer.train([path]);
  const took = seconds(begin);
  tokenizer.save(out);
  console.log(took);
}

const [verb, ...paths] = process.argv.slice(2);
({ ids, speed, train })[verb](...paths);
