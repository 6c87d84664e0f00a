// Every pair of text and ground that parts may combine, computed with the WCAG 2 formula in all four themes.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

function tokens(selector: string): Map<string, string> {
  const start = css.indexOf(`${selector} {`);
  expect(start, `no block ${selector}`).toBeGreaterThanOrEqual(0);
  const block = css.slice(start, css.indexOf('\n}', start));
  return new Map([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map((m) => [m[1]!, m[2]!]));
}

function luminance(hex: string): number {
  const channel = (at: number) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const grounds = ['bg', 'surface', 'sunken', 'hover', 'selected'];
const agents = ['a-bi', 'a-tech', 'a-cs', 'a-sales', 'a-ops'];
const TEXT_PAIRS: [string, string][] = [
  ...['text', 'text-2', 'text-3', 'accent'].flatMap((t) => grounds.map((g): [string, string] => [t, g])),
  ...['ok', 'warn', 'err'].flatMap((t) =>
    ['bg', 'surface', 'sunken', 'hover', 'selected', `${t}-tint`].map((g): [string, string] => [t, g]),
  ),
  ...['text', 'text-2', 'text-3'].flatMap((t) =>
    ['warn-tint', 'err-tint', 'ok-tint', 'accent-tint'].map((g): [string, string] => [t, g]),
  ),
  ['accent', 'accent-tint'],
  ['on-accent', 'accent'],
  ['on-accent', 'accent-hover'],
  ['on-err', 'err'],
  ['on-err', 'err-hover'],
  ...agents.map((a): [string, string] => [a, `${a}-tint`]),
  ...['code-key', 'code-str', 'code-num', 'code-com', 'code-name'].flatMap((t) =>
    ['surface', 'sunken'].map((g): [string, string] => [t, g]),
  ),
];
const SHAPE_PAIRS: [string, string][] = [
  ...['border-strong', 'focus', ...agents].flatMap((t) =>
    ['bg', 'surface', 'sunken'].map((g): [string, string] => [t, g]),
  ),
];

describe.each([
  [':root', 4.5],
  [":root[data-theme='dark']", 4.5],
  [":root[data-theme='hc-light']", 7],
  [":root[data-theme='hc-dark']", 7],
])('the theme %s', (selector, least) => {
  const theme = tokens(selector);
  const ratio = ([front, ground]: [string, string]) => {
    const [a, b] = [theme.get(front), theme.get(ground)];
    if (!a || !b) throw new Error(`${selector} lacks --${a ? ground : front}`);
    return contrast(a, b);
  };

  it.each(TEXT_PAIRS)('writes %s on %s so that it can be read', (...pair) => {
    expect(ratio(pair)).toBeGreaterThanOrEqual(least);
  });

  it.each(SHAPE_PAIRS)('draws %s on %s so that it can be seen', (...pair) => {
    expect(ratio(pair)).toBeGreaterThanOrEqual(3);
  });
});
