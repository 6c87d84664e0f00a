// The one module that uses Intl: numbers, money, data, dates, durations, lists and plural forms, from the person's settings
// and never from the browser's. What does not belong here: words (messages/*.json).
import type { Grammar } from '../i18n/message';
import { isolate, isolateLtr, type Direction } from './bidi';

export interface FormatSettings {
  /** `en`, `fr`, `sw`, `pt`, `ar`, or the pseudo-locale `en-XA`. */
  language: string;
  /** ISO country, two letters; chooses separators and date order. */
  region?: string;
  /** IANA name. */
  timeZone: string;
  /** ISO 4217; shown beside dollars when a rate is known. */
  currency?: string;
  arabicDigits?: boolean;
  rates?: Readonly<Record<string, Rate>>;
}

/** How many units of a currency one dollar buys, and the day of that rate. */
export interface Rate {
  per_usd: number;
  /** Digits after the point: 2 for KES, 0 for UGX. */
  minor_digits: number;
  /** ISO date. */
  day: string;
}

export interface Money {
  usd: string;
  /** Absent when no rate is known. */
  local?: string;
  /** "20 Nov", for "rate of 20 Nov". */
  rateDay?: string;
}

export type Format = Grammar & ReturnType<typeof createFormat>;

const NBSP = '\u00a0';
/** As people write them on price tags, which Intl does not know for every locale. */
const SYMBOLS: Readonly<Record<string, string>> = {
  NGN: '₦',
  KES: `KSh${NBSP}`,
  ZAR: `R${NBSP}`,
  EGP: `E£${NBSP}`,
  GHS: `GH₵${NBSP}`,
  TZS: `TSh${NBSP}`,
  UGX: `USh${NBSP}`,
  XOF: `CFA${NBSP}`,
  XAF: `FCFA${NBSP}`,
  MAD: `DH${NBSP}`,
  ETB: `Br${NBSP}`,
  RWF: `RF${NBSP}`,
};
export const CURRENCIES = Object.keys(SYMBOLS);

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const SMALLEST_USD = 0.0001;

/** Digits after the point of a currency; two where nobody knows it. */
export function minorDigits(currency: string): number {
  try {
    return (
      new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ??
      2
    );
  } catch {
    return 2;
  }
}

export function directionOfLanguage(language: string): Direction {
  return language === 'ar' || language.startsWith('ar-') ? 'rtl' : 'ltr';
}

/** The BCP 47 tag Intl gets. */
export function localeTag(settings: Pick<FormatSettings, 'language' | 'region' | 'arabicDigits'>): string {
  const language = settings.language === 'en-XA' ? 'en' : settings.language;
  const tag = settings.region ? `${language}-${settings.region}` : language;
  return language === 'ar' ? `${tag}-u-nu-${settings.arabicDigits ? 'arab' : 'latn'}` : tag;
}

/** A region a person typed may be unknown to this engine; a wrong one must not blank the window. */
function usableTag(settings: FormatSettings): string {
  const tag = localeTag(settings);
  try {
    Intl.getCanonicalLocales(tag);
    return tag;
  } catch {
    return localeTag({ ...settings, region: '' });
  }
}

/** The same of a time zone. */
function usableZone(timeZone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return timeZone;
  } catch {
    return 'UTC';
  }
}

/** Made when it is wanted for the first time: each of these takes milliseconds, and few windows need all of them. */
function later<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

export function createFormat(settings: FormatSettings) {
  const tag = usableTag(settings);
  const zone = later(() => usableZone(settings.timeZone));
  const direction = directionOfLanguage(settings.language);
  const cardinal = later(() => new Intl.PluralRules(tag));
  const ordinal = later(() => new Intl.PluralRules(tag, { type: 'ordinal' }));
  const relative = later(() => new Intl.RelativeTimeFormat(tag, { numeric: 'auto', style: 'short' }));
  const conjunction = later(() => new Intl.ListFormat(tag, { type: 'conjunction' }));
  const collator = later(() => new Intl.Collator(tag));
  const numbers = new Map<string, Intl.NumberFormat>();
  const dates = new Map<string, Intl.DateTimeFormat>();

  const figure = (value: number, options: Intl.NumberFormatOptions = {}): string => {
    const key = JSON.stringify(options);
    let format = numbers.get(key);
    if (!format) numbers.set(key, (format = new Intl.NumberFormat(tag, options)));
    return format.format(value);
  };
  const moment = (at: number | string | Date, options: Intl.DateTimeFormatOptions): string => {
    const key = JSON.stringify(options);
    let format = dates.get(key);
    if (!format) dates.set(key, (format = new Intl.DateTimeFormat(tag, { timeZone: zone(), ...options })));
    const date = new Date(at);
    return Number.isNaN(date.getTime()) ? '' : format.format(date);
  };
  const ltr = (text: string) => isolateLtr(text, direction);

  const usdFigure = (value: number): string => {
    const size = Math.abs(value);
    if (size === 0 || size >= 0.095)
      return figure(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    return figure(value, { maximumSignificantDigits: 2, minimumFractionDigits: 2 });
  };
  const localFigure = (value: number, minorDigits: number): string => {
    const size = Math.abs(value);
    if (size >= 10 || minorDigits === 0) return figure(value, { maximumFractionDigits: 0 });
    if (size >= 1) return figure(value, { maximumFractionDigits: 1 });
    return figure(value, { maximumSignificantDigits: 2 });
  };
  const sign = (value: number) => (value < 0 ? '−' : '');
  const rate = settings.currency ? settings.rates?.[settings.currency] : undefined;
  const symbol = settings.currency ? (SYMBOLS[settings.currency] ?? `${settings.currency}${NBSP}`) : '';

  function usd(value: number): string {
    const size = Math.abs(value);
    if (size > 0 && size < SMALLEST_USD)
      return ltr(`<$${figure(SMALLEST_USD, { maximumFractionDigits: 4 })}`);
    return ltr(`${sign(value)}$${usdFigure(size)}`);
  }

  function local(value: number): string | undefined {
    if (!rate) return undefined;
    const size = Math.abs(value) * rate.per_usd;
    const least = rate.minor_digits === 0 ? 1 : 0.01;
    if (size > 0 && size < least) return ltr(`<${symbol}${figure(least)}`);
    return ltr(`${sign(value)}${symbol}${localFigure(size, rate.minor_digits)}`);
  }

  function money(value: number): Money {
    const inLocal = local(value);
    const out: Money = { usd: usd(value) };
    if (inLocal !== undefined && rate) {
      out.local = inLocal;
      out.rateDay = moment(`${rate.day}T12:00:00Z`, { day: 'numeric', month: 'short' });
    }
    return out;
  }

  /** "$0.03–0.08". */
  function usdRange(low: number, high: number): string {
    return usd(low) === usd(high) ? usd(high) : ltr(`$${usdFigure(low)}–${usdFigure(high)}`);
  }

  /** "KSh 4–10"; undefined when no rate is known. */
  function localRange(low: number, high: number): string | undefined {
    if (!rate) return undefined;
    const [from, to] = [low, high].map((value) => localFigure(value * rate.per_usd, rate.minor_digits));
    return from === to ? local(high) : ltr(`${symbol}${from}–${to}`);
  }

  /** SI bytes: "512 B", "18 kB", "3.1 MB". */
  function bytes(count: number): string {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let value = Math.abs(count);
    let unit = 0;
    while (value >= 999.5 && unit < units.length - 1) {
      value /= 1000;
      unit += 1;
    }
    const digits = unit > 1 && value < 9.95 ? 1 : 0;
    return ltr(`${sign(count)}${figure(value, { maximumFractionDigits: digits })}${NBSP}${units[unit]}`);
  }

  /** "0:58", "2:14", "1:02:03": a clock of what has passed. */
  function clock(elapsedMs: number): string {
    const total = Math.max(0, Math.floor(elapsedMs / SECOND_MS));
    const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
    const two = (value: number) => figure(value, { minimumIntegerDigits: 2 });
    return ltr(
      hours ? `${figure(hours)}:${two(minutes)}:${two(seconds)}` : `${figure(minutes)}:${two(seconds)}`,
    );
  }

  /** "850 ms", "1.2 s", "3 min", "2 h", "6 d": one figure and its unit. */
  function duration(elapsedMs: number): string {
    const size = Math.max(0, elapsedMs);
    const [value, unit, short, digits] =
      size < SECOND_MS
        ? ([size, 'millisecond', 'ms', 0] as const)
        : size < 59_500
          ? ([size / SECOND_MS, 'second', 's', size < 9_950 ? 1 : 0] as const)
          : size < 59.5 * MINUTE_MS
            ? ([size / MINUTE_MS, 'minute', 'min', 0] as const)
            : size < 2 * DAY_MS
              ? ([size / HOUR_MS, 'hour', 'h', size < 9.95 * HOUR_MS ? 1 : 0] as const)
              : ([size / DAY_MS, 'day', 'd', 0] as const);
    if (direction === 'rtl')
      return figure(value, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits });
    return `${figure(value, { maximumFractionDigits: digits })}${NBSP}${short}`;
  }

  /** "in 5 min", "yesterday", "3 days ago". */
  function ago(at: number | string, now: number): string {
    const difference = new Date(at).getTime() - now;
    const size = Math.abs(difference);
    const in_ = (ms: number, unit: Intl.RelativeTimeFormatUnit) =>
      relative().format(Math.round(difference / ms), unit);
    if (size < 45 * SECOND_MS) return relative().format(0, 'second');
    if (size < 45 * MINUTE_MS) return in_(MINUTE_MS, 'minute');
    if (size < 22 * HOUR_MS) return in_(HOUR_MS, 'hour');
    if (size < 26 * DAY_MS) return in_(DAY_MS, 'day');
    return size < 320 * DAY_MS ? in_(30.44 * DAY_MS, 'month') : in_(365.25 * DAY_MS, 'year');
  }

  return {
    tag,
    direction,
    get timeZone() {
      return zone();
    },
    plural: (count: number, asOrdinal = false) => (asOrdinal ? ordinal() : cardinal()).select(count),
    isolate: (value: string) => isolate(value, direction),
    number: (value: number) => figure(value, { maximumFractionDigits: 3 }),
    /** At most this many digits after the point. */
    decimal: (value: number, digits: number) => figure(value, { maximumFractionDigits: digits }),
    percent: (share: number) =>
      figure(share, { style: 'percent', maximumFractionDigits: share < 0.1 ? 1 : 0 }),
    usd,
    local,
    money,
    usdRange,
    localRange,
    bytes,
    clock,
    duration,
    ago,
    /** "14:02". */
    time: (at: number | string) => ltr(moment(at, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })),
    /** "14:02:11". */
    timeExact: (at: number | string) =>
      ltr(moment(at, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })),
    /** "20 Nov". */
    day: (at: number | string) => moment(at, { day: 'numeric', month: 'short' }),
    /** "20 Nov 2026, 14:02". */
    dateTime: (at: number | string) =>
      moment(at, {
        day: 'numeric',
        month: 'short',
        year: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        hourCycle: 'h23',
      }),
    weekday: (at: number | string) => moment(at, { weekday: 'short' }),
    /** The calendar day in the person's zone, for grouping: "2026-11-20". */
    dayKey: (at: number | string) =>
      new Intl.DateTimeFormat('en-CA', { timeZone: zone(), dateStyle: 'short' }).format(new Date(at)),
    list: (items: readonly string[]) => conjunction().format(items.map((item) => isolate(item, direction))),
    compare: (a: string, b: string) => collator().compare(a, b),
  };
}
