// What a text field of the settings holds, as the engine takes it, or why it is not sent at all. Pure.
import type { SettingKind } from '../../bindings/types';
import { typedNumber, typedWhole } from '../../lib/typed';

/** The engine keeps no larger amount. */
export const MOST_USD = 1_000_000;
/** Texts that are numbers. */
const RATES = new Set(['currency_rate']);

export type Wrong = 'number' | 'whole' | 'most' | 'rate';
export type Read = { value: string | number | null } | { wrong: Wrong };

export function readSetting(setting: string, kind: SettingKind, text: string): Read {
  const wanted = text.trim();
  if (wanted === '') return { value: null };
  if (kind === 'number') {
    const whole = typedWhole(wanted);
    return whole === undefined ? { wrong: 'whole' } : { value: whole };
  }
  if (kind !== 'money' && !RATES.has(setting)) return { value: wanted };
  const number = typedNumber(wanted);
  if (kind === 'money') {
    if (number === undefined) return { wrong: 'number' };
    return Number(number) > MOST_USD ? { wrong: 'most' } : { value: number };
  }
  return number === undefined || Number(number) === 0 ? { wrong: 'rate' } : { value: number };
}
