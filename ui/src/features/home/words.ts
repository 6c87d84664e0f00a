// How a plan's codes are said.
import type { Estimate, RiskClass, Words } from '../../bindings/types';
import { format, t, tCode, type PlainKey } from '../../i18n/i18n.svelte';
import type { Sign } from './compose';

const ASKS: Record<RiskClass, PlainKey> = {
  read_local: 'home.ask.read_local',
  read_net: 'home.ask.read_net',
  write_reversible: 'home.ask.write_reversible',
  execute: 'home.ask.execute',
  destructive: 'home.ask.destructive',
  contact: 'home.ask.contact',
  money: 'home.ask.money',
};

export function askWord(risk: RiskClass): string {
  return t(ASKS[risk]);
}

/** What an estimate says: the figure first, then what goes with it. */
export function estimateWords(estimate: Estimate): { first: string; more: string[] } {
  const { usd, usdRange, localRange, local, bytes, duration } = format();
  switch (estimate.basis) {
    case 'median': {
      const dollars = usdRange(estimate.usd_low, estimate.usd_high);
      const here = localRange(estimate.usd_low, estimate.usd_high);
      return {
        first: here ?? dollars,
        more: [
          ...(here === undefined ? [] : [dollars]),
          bytes(estimate.bytes),
          t('home.about', { time: duration(estimate.elapsed_ms) }),
          t('home.as_before', { n: estimate.runs }),
        ],
      };
    }
    case 'prices': {
      if (estimate.usd_high === 0) return { first: t('home.free'), more: [] };
      const here = local(estimate.usd_high);
      return {
        first: t('home.at_most', { cost: here ?? usd(estimate.usd_high) }),
        more: [
          ...(here === undefined ? [] : [usd(estimate.usd_high)]),
          t('home.at_most', { cost: bytes(estimate.bytes) }),
          t('home.by_limits'),
        ],
      };
    }
    case 'unknown':
      return {
        first:
          estimate.missing.length > 0
            ? t('home.price_missing', { models: format().list(estimate.missing) })
            : t('home.price_unknown'),
        more: [],
      };
  }
}

export interface Problem {
  code: string;
  words: string;
  /** What can be put right with one press. */
  fix?: { kind: 'name'; sign: Sign; id: string } | { kind: 'connect' };
  details?: string;
}

export function problemOf({ code, params = {} }: Words): Problem {
  const near = params['near'] ?? '';
  const details = params['detail'];
  const key = near === '' ? `home.problem.${code}` : `home.problem.${code}_near`;
  return {
    code,
    words: tCode(key, params) ?? t('home.problem.other'),
    ...(near === ''
      ? {}
      : { fix: { kind: 'name', sign: code === 'plan.unknown_agent' ? '@' : '/', id: near } }),
    ...(/^(provider|model|secret)\./.test(code) ? { fix: { kind: 'connect' } } : {}),
    ...(details === undefined ? {} : { details }),
  };
}
