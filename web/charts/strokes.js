// The path of a wide line, in pieces: what a canvas needs for one path grows with the square of how often the path
// crosses itself, and a noisy loss does that at each point. A few dozen points a piece take a fifth of the time.
import { styleOf } from './style.js';

const PIECE = 40; // points
const DENSE = 4; // points a pixel: so many are thinned by uPlot itself

const whole = window.uPlot.paths.linear();

/** Faint lines stay whole, since their pieces would show where they meet, and thin ones are quick as they are. */
export const inPieces = (line) => (line.width ?? 2) > 1 && (line.alpha ?? 1) === 1;

/** The points of a line in pieces: [[i, …], …], each begins where the one before ends. */
export function pieces(values, from, to, shared) {
  const out = [];
  let piece = [];
  for (let i = from; i <= to; i++) {
    if (values[i] === null || values[i] === undefined) continue;
    piece.push(i);
    if (piece.length < PIECE) continue;
    out.push(piece);
    piece = piece.slice(-shared);
  }
  if (piece.length > (out.length ? shared : 0)) out.push(piece);
  return out;
}

/** What uPlot calls for the path of a line. Pieces of a solid one share a stretch, so that no corner is cut there. */
export const strokesOf = (line) => (u, series, from, to) => {
  const [x, y] = [u.data[0], u.data[series]];
  const list = pieces(y, from, to, line.dash?.length ? 1 : 2);
  if (list.length < 2 || list.length * PIECE > DENSE * u.bbox.width) return whole(u, series, from, to);
  const { colour } = styleOf(line), stroke = new Map(); // uPlot draws each with its key as the colour
  for (const piece of list) {
    const path = new Path2D();
    for (const i of piece)
      path.lineTo(Math.round(u.valToPos(x[i], 'x', true)), Math.round(u.valToPos(y[i], u.series[series].scale, true)));
    stroke.set({ toString: () => colour }, path);
  }
  return { stroke, fill: null, clip: null, band: null, gaps: null, flags: 1 };
};
