// What the whole window shares: the platform, the feed, the settings, today's figures and how many tasks wait. Made once at
// start, read through `session()`.
import type {
  HealthShown,
  SettingShown,
  SettingsProblem,
  SettingsShown,
  TaskList,
  TaskShown,
  Today,
} from '../bindings/types';
import type { LinkState, Platform } from '../platform/platform';
import { minorDigits, type FormatSettings, type Rate } from '../lib/format';
import { useLanguage } from '../i18n/i18n.svelte';
import { ShortcutRegistry } from '../lib/shortcuts';
import { Collection } from './collection.svelte';
import { Feed } from './feed';
import { readGiven } from './given';

/** A connection that is back by then was hardly gone: nothing is said of it. */
const LOST_SHOWN_MS = 700;
/** The id of the one row of the topic `home`. */
const HEALTH = 'health';

export class Session {
  readonly platform: Platform;
  readonly feed: Feed;
  readonly shortcuts: ShortcutRegistry;
  readonly settings: Collection<SettingShown, SettingsShown>;
  /** Why the settings file as it is now is not in force. */
  settingsProblem = $state.raw<SettingsProblem>();
  /** Whether the disk is full or the database damaged: one row. */
  readonly #health: Collection<HealthShown, HealthShown>;
  readonly today: Collection<Today, Today>;
  /** The open ones. */
  readonly tasks: Collection<TaskShown, TaskList>;
  link = $state<LinkState>('connecting');
  /** The engine does not answer, and not only for a moment: what is shown is how things stood last. */
  lost = $state(false);
  #losing: ReturnType<typeof setTimeout> | undefined;

  constructor(platform: Platform) {
    this.platform = platform;
    this.feed = new Feed(platform);
    this.shortcuts = new ShortcutRegistry({
      mac: /Mac/.test(navigator.platform),
      inBrowser: platform.kind === 'web',
    });
    this.shortcuts.give(readGiven());
    const { feed } = this;
    this.settings = new Collection({
      feed,
      topic: 'settings',
      query: async () => {
        const answer = await platform.rpc<SettingsShown>('settings.show');
        this.settingsProblem = answer.value.problem ?? undefined;
        return answer;
      },
      rowsOf: (shown) => shown.settings.map((row) => [row.key, row] as const),
    });
    this.#health = new Collection({
      feed,
      topic: 'home',
      query: () => platform.rpc<HealthShown>('home.health'),
      rowsOf: (shown) => [[HEALTH, shown] as const],
    });
    this.today = new Collection({
      feed,
      topic: 'usage',
      query: () => platform.rpc<Today>('usage.today'),
      rowsOf: (shown) => [['today', shown] as const],
    });
    this.tasks = new Collection({
      feed,
      topic: 'tasks',
      query: () => platform.rpc<TaskList>('tasks.list'),
      rowsOf: (shown) => shown.tasks.map((row) => [row.id, row] as const),
      belongs: (row) => row.status === 'open',
    });
    platform.onLink((state) => this.#linked(state));
  }

  #linked(state: LinkState): void {
    this.link = state;
    if (state === 'lost') this.#losing ??= setTimeout(() => (this.lost = true), LOST_SHOWN_MS);
    else {
      clearTimeout(this.#losing);
      this.#losing = undefined;
      this.lost = false;
    }
  }

  get health(): HealthShown | undefined {
    return this.#health.get(HEALTH);
  }

  /** What is free on the disk changes without being told. */
  lookAtHealth(): void {
    this.#health.retry();
  }

  get waiting(): number {
    return this.tasks.size;
  }

  setting(key: string): unknown {
    return this.settings.get(key)?.value;
  }

  /** The person's language and region as the settings have them; sensible ones until they are there. */
  get formatSettings(): FormatSettings {
    return formatOf((key) => this.setting(key), this.today.get('today')?.time_zone);
  }

  async open(): Promise<void> {
    document.addEventListener('visibilitychange', () => this.feed.setVisible(!document.hidden));
    await Promise.all([this.settings.open(), this.today.open(), this.tasks.open(), this.#health.open()]);
    await useLanguage(this.formatSettings);
  }
}

/** Language and region as settings have them; `zone`: the time zone where none is set. */
export function formatOf(setting: (key: string) => unknown, zone: string | undefined): FormatSettings {
  const text = (key: string) => {
    const value = setting(key);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const [region, currency] = [text('region'), text('currency')];
  const rate = rateOf(currency, setting('currency_rate'), setting('currency_rate_date'));
  return {
    language: text('language') ?? 'en',
    timeZone: text('time_zone') ?? zone ?? 'UTC',
    ...(region ? { region } : {}),
    ...(currency ? { currency } : {}),
    arabicDigits: setting('arabic_digits') === true,
    ...(currency && rate ? { rates: { [currency]: rate } } : {}),
  };
}

/** The person's own rate, if it is one and its day is known: without a day nobody could say how old it is. */
function rateOf(currency: string | undefined, rate: unknown, day: unknown): Rate | undefined {
  const perUsd = typeof rate === 'string' || typeof rate === 'number' ? Number(rate) : NaN;
  if (currency === undefined || !Number.isFinite(perUsd) || perUsd <= 0) return undefined;
  if (typeof day !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(day)) return undefined;
  return { per_usd: perUsd, minor_digits: minorDigits(currency), day };
}

let only: Session | undefined;

export function startSession(platform: Platform): Session {
  only = new Session(platform);
  return only;
}

/** @throws before the window has started */
export function session(): Session {
  if (!only) throw new Error('the session has not started');
  return only;
}
