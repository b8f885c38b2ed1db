// Colours of the curves: Okabe and Ito's palette, darkened or lightened until each has 3:1 against its ground; a dash
// for each group of eight, so that no curve is told by its colour alone.

const LIGHT = ['#0b62ad', '#c44e00', '#00805c', '#a8467e', '#8a6500', '#2a8cb8', '#6a4fbf', '#5b5f66'];
const DARK = ['#5aa9f2', '#ff8f4d', '#2fc795', '#ee8fc5', '#e3b341', '#7fd4f5', '#b29cff', '#a9afb8'];
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
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

export function colour(index) {
  return (isDark() ? DARK : LIGHT)[index % LIGHT.length];
}

export function dash(index) {
  return DASHES[Math.floor(index / LIGHT.length) % DASHES.length];
}

/** A colour of the page: css('--ink'). */
export function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

media.addEventListener('change', tell);
tell();
