// Colours of the curves: Okabe and Ito's palette, darkened or lightened until each has 3:1 against its ground. Some of
// them look alike to people who see no red or no green; those never have the same dash, and every further eight curves
// have dashes of their own. So 24 curves can be told apart by everybody.

const LIGHT = ['#0b62ad', '#c44e00', '#00805c', '#a8467e', '#8a6500', '#2a8cb8', '#6a4fbf', '#5b5f66'];
const DARK = ['#5aa9f2', '#ff8f4d', '#2fc795', '#ee8fc5', '#e3b341', '#7fd4f5', '#b29cff', '#a9afb8'];
const LIKE_OTHERS = new Set([4, 6, 7]); // colours that somebody takes for one of the others
const DASHES = [[[], [9, 4]], [[2, 3], [12, 3, 2, 3]], [[5, 2, 5, 6], [2, 2, 2, 6]]]; // of the others, of those
const KEY = 'lagd.theme';
const media = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set();

export const choices = ['auto', 'light', 'dark'];

export function chosen() {
  return choices.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : 'auto';
}

export function isDark() {
  return chosen() === 'auto' ? media.matches : chosen() === 'dark';
}

function tell() {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  for (const listener of listeners) listener();
}

export function choose(theme) {
  localStorage.setItem(KEY, theme);
  tell();
}

/** Calls back when colours change; returns what ends that. */
export function onChange(callback) {
  listeners.add(callback);
  return () => listeners.delete(callback);
}

export const palettes = { light: LIGHT, dark: DARK };
export const N_STYLES = LIGHT.length * DASHES.length;

export function colour(index) {
  return (isDark() ? DARK : LIGHT)[index % LIGHT.length];
}

export function dash(index) {
  const pair = DASHES[Math.floor(index / LIGHT.length) % DASHES.length];
  return pair[LIKE_OTHERS.has(index % LIGHT.length) ? 1 : 0];
}

/** A colour of the page: css('--ink'). */
export function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

media.addEventListener('change', tell);
tell();
