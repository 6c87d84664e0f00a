// The sections that have working controls, their words, and what can be set in each: how a setting is found by its own name.
import type { SettingsSection } from '../../lib/route';
import type { PlainKey } from '../../i18n/i18n.svelte';

export interface Section {
  id: SettingsSection;
  label: PlainKey;
  /** Other words a person may look for it by. */
  words: PlainKey;
  decides?: true;
}

export const SECTIONS: readonly Section[] = [
  { id: 'general', label: 'settings.general', words: 'settings.words.general' },
  { id: 'language', label: 'settings.language', words: 'settings.words.language' },
  { id: 'appearance', label: 'settings.appearance', words: 'settings.words.appearance' },
  { id: 'shortcuts', label: 'settings.shortcuts', words: 'settings.words.shortcuts' },
  { id: 'models', label: 'settings.models', words: 'settings.words.models' },
  { id: 'budgets', label: 'settings.budgets', words: 'settings.words.budgets' },
  { id: 'network', label: 'settings.network', words: 'settings.words.network' },
  { id: 'privacy', label: 'settings.privacy', words: 'settings.words.privacy', decides: true },
  { id: 'data', label: 'settings.data', words: 'settings.words.data' },
  { id: 'notifications', label: 'settings.notifications', words: 'settings.words.notifications' },
  { id: 'diagnostics', label: 'settings.diagnostics', words: 'settings.words.diagnostics' },
  { id: 'about', label: 'settings.about', words: 'settings.words.about' },
];

export interface Findable {
  section: SettingsSection;
  label: PlainKey;
  /** What stands beside it: its help, its choices. */
  words?: readonly PlainKey[];
}

/** Settings by their own names. What only a desktop has is not among them. */
export const FINDABLE: readonly Findable[] = [
  { section: 'general', label: 'settings.answer_language', words: ['settings.answer_language_help'] },
  { section: 'general', label: 'welcome.again_label', words: ['welcome.again_help'] },
  { section: 'language', label: 'settings.language_choice' },
  { section: 'language', label: 'settings.region', words: ['settings.region_help'] },
  { section: 'language', label: 'settings.currency', words: ['settings.currency_help'] },
  { section: 'language', label: 'settings.currency_rate', words: ['settings.currency_rate_help'] },
  { section: 'language', label: 'settings.time_zone', words: ['settings.time_zone_help'] },
  { section: 'language', label: 'settings.arabic_digits' },
  {
    section: 'appearance',
    label: 'settings.theme',
    words: [
      'settings.theme_system',
      'settings.theme_light',
      'settings.theme_dark',
      'settings.theme_hc_light',
      'settings.theme_hc_dark',
    ],
  },
  { section: 'shortcuts', label: 'settings.letter_keys', words: ['settings.letter_keys_help'] },
  { section: 'models', label: 'settings.default_model', words: ['settings.default_model_help'] },
  { section: 'models', label: 'settings.local_model', words: ['settings.local_model_help'] },
  { section: 'models', label: 'settings.local_threads' },
  { section: 'models', label: 'settings.local_context' },
  { section: 'models', label: 'settings.local_unload' },
  { section: 'budgets', label: 'settings.budget_day', words: ['settings.budget_help'] },
  { section: 'network', label: 'settings.hosts_title' },
  { section: 'data', label: 'data.backups' },
  { section: 'data', label: 'profiles.title', words: ['profiles.new'] },
  { section: 'notifications', label: 'settings.notifications_on' },
  { section: 'diagnostics', label: 'about.log' },
  { section: 'diagnostics', label: 'report.title' },
  { section: 'about', label: 'updates.title', words: ['updates.check'] },
];
