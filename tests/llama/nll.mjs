// What llama.cpp makes of a GGUF file: mean negative log-likelihood over windows of tokens, and the ids of texts.
//
// usage: node nll.mjs MODEL.gguf < {"windows": [[id, …], …], "texts": ["…", …]}
// prints {"nll": [of each window], "ids": [[…], …], "texts": [what the ids say]}
//
// Of a window of n tokens the last n - 1 are asked for. Keys and values are kept as F32, and the context is larger than
// a window, so that nothing is shifted or rounded on the way.
import { readFileSync } from 'node:fs';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const [path] = process.argv.slice(2);
const asked = JSON.parse(readFileSync(0, 'utf8'));
const llama = await getLlama({ build: 'never', gpu: false, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: path, useMmap: false });
const longest = Math.max(1, ...asked.windows.map((window) => window.length));
const context = await model.createContext({
  contextSize: 2 * longest, batchSize: 2 * longest, threads: 1, flashAttention: false,
  experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32',
});
const sequence = context.getSequence();

async function nll(window) {
  const input = window.slice(0, -1).map((token) => [token, { generateNext: { logits: true, options: { topK: 0 } } }]);
  await sequence.clearHistory();
  const answers = await sequence.controlledEvaluate(input);
  let sum = 0;
  answers.forEach(({ next }, i) => {
    const logits = [...next.logits.values()];
    const largest = Math.max(...logits);
    const total = logits.reduce((weight, logit) => weight + Math.exp(logit - largest), 0);
    sum += largest + Math.log(total) - next.logits.get(window[i + 1]);
  });
  return sum / answers.length;
}

const found = { nll: [], ids: [], texts: [] };
for (const window of asked.windows) found.nll.push(await nll(window));
for (const text of asked.texts) {
  const ids = model.tokenize(text);
  found.ids.push(ids);
  found.texts.push(model.detokenize(ids));
}
console.log(JSON.stringify(found));
await llama.dispose();
