// The language of the window: the loaded catalogue, `t`, and the formatter that goes with it. Everything that draws words
// reads from here, so a change of language redraws the window without a reload.
import { createFormat, directionOfLanguage, type FormatSettings } from '../lib/format';
import keys from 'virtual:messages/keys';
import { fillMessage, pieces, type Message, type Piece, type Values } from './message';
import type { MessageArguments } from './keys';

export type MessageKey = keyof MessageArguments;
/** Keys of messages that take no values. */
export type PlainKey = { [K in MessageKey]: MessageArguments[K] extends undefined ? K : never }[MessageKey];
type Rest<K extends MessageKey> = MessageArguments[K] extends undefined ? [] : [MessageArguments[K]];

export const LANGUAGES = [
  { id: 'en', name: 'English' },
  { id: 'fr', name: 'Français' },
  { id: 'sw', name: 'Kiswahili' },
  { id: 'pt', name: 'Português' },
  { id: 'ar', name: 'العربية' },
] as const;

const LOADERS: Record<string, () => Promise<{ default: readonly Message[] }>> = {
  en: () => import('virtual:messages/en'),
  fr: () => import('virtual:messages/fr'),
  sw: () => import('virtual:messages/sw'),
  pt: () => import('virtual:messages/pt'),
  ar: () => import('virtual:messages/ar'),
};
if (__WITH_GALLERY__) LOADERS['en-XA'] = () => import('virtual:messages/en-XA');

let settings = $state.raw<FormatSettings>({ language: 'en', timeZone: 'UTC' });
/** The messages of the language, in the order of their keys. */
let messages = $state.raw<readonly Message[]>([]);
const places = new Map<string, number>(keys.map((key, place) => [key, place]));
const current = $derived(createFormat(settings));

/** Dates, money and figures in the person's language and region. */
export function format(): ReturnType<typeof createFormat> {
  return current;
}

export function language(): string {
  return settings.language;
}

function messageOf(key: string): Message | undefined {
  const place = places.get(key);
  return place === undefined ? undefined : messages[place];
}

/** The words for a key. A wrong key or a missing value is a type error. */
export function t<K extends MessageKey>(key: K, ...rest: Rest<K>): string {
  return fillMessage(messageOf(key) ?? key, (rest[0] ?? {}) as Values, current);
}

/** The same in pieces, so that a part can be drawn bold or isolated. */
export function tPieces<K extends MessageKey>(key: K, ...rest: Rest<K>): Piece[] {
  return pieces(messageOf(key) ?? key, (rest[0] ?? {}) as Values, current);
}

/** The words for a code of the engine, `undefined` when this version does not know it. */
export function tCode(key: string, params: Values = {}): string | undefined {
  const message = messageOf(key);
  return message === undefined ? undefined : fillMessage(message, params, current);
}

/** Counts wishes for a language. */
let wishes = 0;

/**
 * Loads a language and makes it the window's. The old words stand until the new ones are there; of several wishes the last one
 * counts, whichever file comes first.
 * @throws when the language is unknown or its file cannot be loaded
 */
export async function useLanguage(next: FormatSettings): Promise<void> {
  const load = LOADERS[next.language];
  if (!load) throw new Error(`no messages for the language ${next.language}`);
  const mine = ++wishes;
  const { default: loaded } = await load();
  if (mine !== wishes) return;
  messages = loaded;
  // What says the same is the same: every word in the window is drawn anew for another one.
  if (JSON.stringify(next) !== JSON.stringify(settings)) settings = next;
  document.documentElement.lang = next.language;
  document.documentElement.dir = directionOfLanguage(next.language);
}
