// What was typed into a setting and is not the engine's yet: kept while the tab lives, so that another section, another screen
// or a reload drops nobody's words.
const KEY = 'bwana.setting-drafts';

let drafts: Record<string, string> | undefined;

function all(): Record<string, string> {
  if (drafts) return drafts;
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '{}');
    const entries = typeof kept === 'object' && kept !== null ? Object.entries(kept) : [];
    drafts = Object.fromEntries(entries.filter((one): one is [string, string] => typeof one[1] === 'string'));
  } catch {
    // Words of an older version are forgotten.
    drafts = {};
  }
  return drafts;
}

export function draftOf(setting: string): string | undefined {
  return Object.hasOwn(all(), setting) ? all()[setting] : undefined;
}

/** Undefined: the engine has what was typed. */
export function keepDraft(setting: string, text: string | undefined): void {
  const others = Object.entries(all()).filter(([one]) => one !== setting);
  drafts = Object.fromEntries(text === undefined ? others : [...others, [setting, text]]);
  sessionStorage.setItem(KEY, JSON.stringify(drafts));
}
