// The addresses of the window as values. Pure: parsing, writing, nothing about history.
export type Route =
  | { name: 'home' }
  | { name: 'waiting'; task?: string }
  | { name: 'runs'; filter?: string; text?: string }
  | { name: 'run'; id: string; lens: Lens; at?: number; file?: string }
  | { name: 'workflows'; id?: string; edit?: true; view?: FlowView }
  | { name: 'agents'; id?: string }
  | { name: 'connections'; tab: 'providers' }
  | UsageRoute
  | { name: 'settings'; section: SettingsSection }
  | { name: 'help'; page?: string; at?: string; find?: string }
  | { name: 'gallery' }
  | { name: 'unknown'; path: string };

/** What is left out is usual: thirty days by agent. */
export interface UsageRoute {
  name: 'usage';
  by?: UsageBy;
  range?: UsageRange;
  /** Of other days: the first and the last. */
  from?: string;
  to?: string;
}

export const USAGE_BY = ['agent', 'model', 'workflow'] as const;
export type UsageBy = (typeof USAGE_BY)[number];
export const USAGE_RANGES = ['7', '30', 'month', 'custom'] as const;
export type UsageRange = (typeof USAGE_RANGES)[number];

/** An edited workflow is an outline where nothing else is said. */
export const FLOW_VIEWS = ['text', 'versions'] as const;
export type FlowView = (typeof FLOW_VIEWS)[number];

export const LENSES = ['chat', 'timeline', 'events', 'files'] as const;
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
  'data',
  'notifications',
  'diagnostics',
  'about',
] as const;
export type SettingsSection = (typeof SETTINGS_SECTIONS)[number];

/** `path` with its query, as in `/run/r_1?lens=events&at=31`. */
export function parseRoute(path: string): Route {
  const url = new URL(path, 'http://window');
  const parts = url.pathname.split('/').filter(Boolean).map(decode);
  const [head, second, third] = parts;
  const query = url.searchParams;
  const unknown: Route = { name: 'unknown', path };
  // A page of the handbook may lie in a folder of it.
  if (parts.length > (head === 'help' ? 3 : 2)) return unknown;
  switch (head) {
    case undefined:
      return { name: 'home' };
    case 'home':
      return second === undefined ? { name: 'home' } : unknown;
    case 'waiting':
      return second === undefined ? { name: 'waiting', ...optional('task', query.get('task')) } : unknown;
    case 'runs':
      return second === undefined
        ? {
            name: 'runs',
            ...optional('filter', query.get('filter')),
            ...optional('text', query.get('text')),
          }
        : unknown;
    case 'run': {
      if (second === undefined) return unknown;
      const lens = LENSES.find((known) => known === query.get('lens')) ?? 'chat';
      const at = Number(query.get('at'));
      return {
        name: 'run',
        id: second,
        lens,
        ...(Number.isSafeInteger(at) && at > 0 ? { at } : {}),
        ...optional('file', lens === 'files' ? query.get('file') : null),
      };
    }
    case 'workflows': {
      const edit = query.has('edit');
      const view = FLOW_VIEWS.find((known) => known === query.get('view'));
      return {
        name: 'workflows',
        ...optional('id', second),
        ...(edit ? { edit: true as const } : {}),
        // A text is edited; versions are looked at, and a new one has none.
        ...optional('view', (view === 'text') === edit && (edit || second !== undefined) ? view : undefined),
      };
    }
    case 'agents':
      return { name: 'agents', ...optional('id', second) };
    case 'connections':
      return second === undefined || second === 'providers'
        ? { name: 'connections', tab: 'providers' }
        : unknown;
    case 'usage': {
      if (second !== undefined) return unknown;
      const range = USAGE_RANGES.find((known) => known === query.get('range'));
      const days = range === 'custom';
      return {
        name: 'usage',
        ...optional(
          'by',
          USAGE_BY.find((known) => known === query.get('by')),
        ),
        ...optional('range', range),
        ...optional('from', days ? query.get('from') : null),
        ...optional('to', days ? query.get('to') : null),
      };
    }
    case 'settings': {
      const section = SETTINGS_SECTIONS.find((known) => known === (second ?? 'general'));
      return section ? { name: 'settings', section } : unknown;
    }
    case 'help':
      return {
        name: 'help',
        ...optional('page', third === undefined ? second : `${second}/${third}`),
        ...optional('at', query.get('at')),
        ...optional('find', query.get('find')),
      };
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
        file: route.lens === 'files' ? route.file : undefined,
      })}`;
    case 'waiting':
      return `/waiting${queryOf({ task: route.task })}`;
    case 'runs':
      return `/runs${queryOf({ filter: route.filter, text: route.text })}`;
    case 'workflows': {
      const path = route.id === undefined ? '/workflows' : `/workflows/${encodeURIComponent(route.id)}`;
      return path + queryOf({ edit: route.edit && 1, view: route.view });
    }
    case 'agents':
      return route.id === undefined ? '/agents' : `/agents/${encodeURIComponent(route.id)}`;
    case 'connections':
      return `/connections/${route.tab}`;
    case 'usage':
      return `/usage${queryOf({ by: route.by, range: route.range, from: route.from, to: route.to })}`;
    case 'settings':
      return `/settings/${route.section}`;
    case 'help': {
      const path = (route.page ?? '').split('/').filter(Boolean).map(encodeURIComponent);
      return ['/help', ...path].join('/') + queryOf({ at: route.at, find: route.find });
    }
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

function optional<K extends string, V extends string = string>(
  key: K,
  value: V | null | undefined,
): Partial<Record<K, V>> {
  return value ? ({ [key]: value } as Record<K, V>) : {};
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
