// What a line looks like: its colour as the theme has it now, its dash.
import * as theme from '../theme.js';

/** line: {colour: an index of the palette or a name of the page's, dash, width, alpha} */
export function styleOf(line) {
  return { colour: typeof line.colour === 'number' ? theme.colour(line.colour) : theme.css(line.colour),
    dash: line.dash ?? [] };
}

/** Colour and dash of the i-th of lines that lie on one chart. */
export const lineStyle = (i) => ({ colour: i, dash: theme.dash(i) });
