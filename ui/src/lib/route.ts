// The addresses of the window as values. Pure: parsing, writing, nothing about history.
export type Route =
  | { name: 'home' }
  | { name: 'waiting'; task?: string }
  | { name: 'runs'; filter?: string }
  | { name: 'run'; id: string; lens: Lens; at?: number }
  | { name: 'agents'; id?: string }
  | { name: 'connections'; tab: 'providers' }
  | { name: 'settings'; section: SettingsSection }
  | { name: 'gallery' }
  | { name: 'unknown'; path: string };

export const LENSES = ['chat', 'events', 'files'] as const;
export type Lens = (typeof LENSES)[number];

export const SETTINGS_SECTIONS = [
  'general',
  'language',
  'appearance',
  'shortcuts',
  'models',
  'budgets',
  'network',
  'privacy',
  'notifications',
  'diagnostics',
  'about',
] as const;
export type SettingsSection = (typeof SETTINGS_SECTIONS)[number];

/** `path` with its query, as in `/run/r_1?lens=events&at=31`. */
export function parseRoute(path: string): Route {
  const url = new URL(path, 'http://window');
  const parts = url.pathname.split('/').filter(Boolean).map(decode);
  const [head, second] = parts;
  const query = url.searchParams;
  const unknown: Route = { name: 'unknown', path };
  if (parts.length > 2) return unknown;
  switch (head) {
    case undefined:
      return { name: 'home' };
    case 'home':
      return second === undefined ? { name: 'home' } : unknown;
    case 'waiting':
      return second === undefined ? { name: 'waiting', ...optional('task', query.get('task')) } : unknown;
    case 'runs':
      return second === undefined ? { name: 'runs', ...optional('filter', query.get('filter')) } : unknown;
    case 'run': {
      if (second === undefined) return unknown;
      const lens = LENSES.find((known) => known === query.get('lens')) ?? 'chat';
      const at = Number(query.get('at'));
      return { name: 'run', id: second, lens, ...(Number.isSafeInteger(at) && at > 0 ? { at } : {}) };
    }
    case 'agents':
      return { name: 'agents', ...optional('id', second) };
    case 'connections':
      return second === undefined || second === 'providers'
        ? { name: 'connections', tab: 'providers' }
        : unknown;
    case 'settings': {
      const section = SETTINGS_SECTIONS.find((known) => known === (second ?? 'general'));
      return section ? { name: 'settings', section } : unknown;
    }
    case 'gallery':
      return second === undefined ? { name: 'gallery' } : unknown;
    default:
      return unknown;
  }
}

export function hrefOf(route: Route): string {
  switch (route.name) {
    case 'run':
      return `/run/${encodeURIComponent(route.id)}${queryOf({
        lens: route.lens === 'chat' ? undefined : route.lens,
        at: route.at,
      })}`;
    case 'waiting':
      return `/waiting${queryOf({ task: route.task })}`;
    case 'runs':
      return `/runs${queryOf({ filter: route.filter })}`;
    case 'agents':
      return route.id === undefined ? '/agents' : `/agents/${encodeURIComponent(route.id)}`;
    case 'connections':
      return `/connections/${route.tab}`;
    case 'settings':
      return `/settings/${route.section}`;
    case 'unknown':
      return route.path;
    default:
      return `/${route.name}`;
  }
}

function queryOf(values: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined) query.set(key, String(value));
  const text = query.toString();
  return text ? `?${text}` : '';
}

function optional<K extends string>(key: K, value: string | null | undefined): Partial<Record<K, string>> {
  return value ? ({ [key]: value } as Record<K, string>) : {};
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
