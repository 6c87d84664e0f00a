// The sections that have working controls, and their words.
import type { SettingsSection } from '../../lib/route';
import type { PlainKey } from '../../i18n/i18n.svelte';

export const SECTIONS: readonly { id: SettingsSection; label: PlainKey; decides?: true }[] = [
  { id: 'general', label: 'settings.general' },
  { id: 'language', label: 'settings.language' },
  { id: 'appearance', label: 'settings.appearance' },
  { id: 'shortcuts', label: 'settings.shortcuts' },
  { id: 'models', label: 'settings.models' },
  { id: 'budgets', label: 'settings.budgets' },
  { id: 'network', label: 'settings.network' },
  { id: 'privacy', label: 'settings.privacy', decides: true },
  { id: 'data', label: 'settings.data' },
  { id: 'notifications', label: 'settings.notifications' },
  { id: 'diagnostics', label: 'settings.diagnostics' },
  { id: 'about', label: 'settings.about' },
];
