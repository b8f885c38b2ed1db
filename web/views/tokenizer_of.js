// What a run's tokens are made by: a tokenizer, the one that came with its model, or nothing: then they are bytes.
import * as api from '../api.js';

const get = (path, signal) => api.get(path, signal).catch((error) => {
  if (error.status === 404) return null; // it was deleted
  throw error;
});

/** {name, known: it has a page, text: what the run writes can be told as text}. */
export async function tokenizerOf(run, signal) {
  const dataset = await get(`/datasets/${api.part(run.dataset_id)}`, signal);
  if (dataset?.tokenizer) return { name: dataset.tokenizer, known: true, text: true };
  const model = run.from_model_id && await get(`/models/${api.part(run.from_model_id)}`, signal);
  if (model && model.tokenizer !== 'none') return { name: model.name, known: true, text: true };
  if (dataset?.format === 'text') return { name: 'bytes', known: false, text: true };
  return { name: 'not known', known: false, text: false };
}
