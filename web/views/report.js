// A growth as Markdown: what was tried, what came of it, by which rule it was decided, at what cost.
import * as f from '../format.js';
import { labelOf } from './probe.js';

const BARS = '▁▂▃▄▅▆▇█';

function bars(values) {
  const known = values.filter((v) => v !== null && Number.isFinite(v));
  if (known.length === 0) return '';
  const low = Math.min(...known), high = Math.max(...known);
  return values.map((v) => (v === null ? ' ' : BARS[Math.round(((v - low) / (high - low || 1)) * (BARS.length - 1))])).join('');
}

const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');
const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;

export function report(probe, run) {
  const { growth } = probe, { decision } = growth;
  const name = (id) => {
    const one = growth.candidates.find((candidate) => candidate.id === id);
    return one ? labelOf(one, growth.candidates) : '–';
  };
  const steps = probe.steps(), sampled = steps.filter((_, i) => i % Math.ceil(steps.length / 16 || 1) === 0);
  const order = steps.length ? probe.order(steps[steps.length - 1]) : [];
  const rest = probe.candidates().filter((one) => !order.some((entry) => entry.candidate.id === one.id));
  const rows = [...order.map((entry) => entry.candidate), ...rest].map((one) => line([
    one.id === decision?.candidate ? `**${one.label}**` : one.label, f.loss(one.loss_at_0), one.rank_at_0 ?? '–', f.loss(one.loss_at_lag), one.rank ?? '–',
    bars(sampled.map((step) => probe.lossAt(one, step))), f.count(one.n_params), f.flops(one.flops), f.words(one.state) + (one.reason ? `: ${one.reason}` : '')]));
  const parts = [
    `# Growth of ${run?.name ?? growth.run}: ${growth.n_layer_from} → ${growth.n_layer_to} layers`, '',
    decision ? decision.verdict : `No decision yet; the growth is ${f.words(growth.state)}.`, '',
    `- growth \`${growth.id}\`, state ${f.words(growth.state)}, mode ${growth.mode}`,
    `- run \`${growth.run}\`, step ${growth.start_step ?? 'not reached'}, parent checkpoint \`${growth.parent_checkpoint ?? '–'}\`, parent loss ${f.loss(growth.parent_loss)}`,
    `- lag ${growth.probe.steps} steps, evaluated every ${growth.probe.eval_every} and at 0, 1, 2, 4, 8 …, on ${growth.n_batches} batches of validation`,
  ];
  if (decision) {
    const [low, high] = decision.margin_interval;
    parts.push(`- decided by ${decision.decided_by} at ${decision.decided_at}: ${name(decision.candidate)}${decision.reason ? ` (“${decision.reason}”)` : ''}`,
      `- step 0 would have picked ${name(decision.pick_at_0)}; the lag picked ${name(decision.pick_at_lag)}, then ${name(decision.runner_up)}`,
      `- margin ${f.loss(decision.margin)}, 95 % interval ${f.loss(low)} to ${f.loss(high)}: ${decision.tied ? 'tied' : 'not tied'}`,
      `- rank agreement: Kendall's τ(k/2, k) ${f.number(decision.tau)}, τ(0, k) ${f.number(decision.tau_0)}`,
      `- cost of the probe ${f.flops(decision.flops)}${run?.flops ? `, ${f.percent(decision.flops / run.flops)} of the run's training so far` : ''}`);
  }
  parts.push('', line(['Candidate', 'Loss at 0', 'Rank at 0', 'Loss at lag', 'Rank', 'Curve', 'Parameters', 'Cost', 'State']),
    line(['---', '---:', '---:', '---:', '---:', '---', '---:', '---:', '---']), ...rows, '', '## Strategies', '',
    ...growth.candidates.map((one) => `- ${labelOf(one, growth.candidates)}: \`${one.strategy?.text ?? one.operator}\`, layers \`${one.recipe}\``), '');
  return parts.join('\n');
}
