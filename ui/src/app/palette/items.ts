// Everything the palette offers, as plain items: what it is called, what it does, and in which group it stands.
import type { Hit, Piece, RunLine, TaskShown } from '../../bindings/types';
import type { IconName } from '../../components/icons';
import type { Mark } from '../../components/StatusMark.svelte';
import { agentName, workflowName } from '../../i18n/builtin';
import { format, t, tCode } from '../../i18n/i18n.svelte';
import { ACTS, areaOf, type ActId, type Area } from '../../lib/acts';
import type { Rankable, Ranked } from '../../lib/rank';
import type { Route } from '../../lib/route';
import { nearHit, plain } from '../../lib/snippet';
import type { Shortcut, ShortcutRegistry } from '../../lib/shortcuts';
import { markOf, wordKeyOf } from '../../lib/status';
import { aboutOf, questionOf } from '../../features/shared/words';
import { FINDABLE, SECTIONS } from '../../features/settings/sections';
import { HELP_PLACE, PLACES, SETTINGS_PLACE, type NavPlace } from '../navigation';

export const GROUPS = [
  'lately',
  'acts',
  'go',
  'waiting',
  'agents',
  'workflows',
  'runs',
  'messages',
  'files',
] as const;
export type Group = (typeof GROUPS)[number];

export interface Item extends Rankable {
  group: Group;
  /** Said and drawn behind the name. */
  detail?: string;
  keys?: string[][] | undefined;
  icon?: IconName;
  agent?: string;
  mark?: { mark: Mark; word: string };
  /** Only where something was typed: the empty palette stays short. */
  typedOnly?: boolean;
  /** What was found, drawn in place of the name. */
  snippet?: readonly Piece[];
  do: { act: () => void } | { go: Route } | { begin: string };
}

const AREA_ICONS: Record<Area, IconName> = {
  go: 'arrow-end',
  view: 'command',
  runs: 'runs',
  run: 'runs',
  workflows: 'workflow',
  waiting: 'inbox',
  task: 'inbox',
  help: 'question',
};
const ACT_ICONS: Partial<Record<ActId, IconName>> = {
  'view.composer': 'plus',
  'view.sidebar': 'panel',
  'view.back': 'chevron-start',
  'view.forward': 'chevron-end',
  'view.keys': 'command',
  'runs.search': 'search',
  'run.filter': 'filter',
  'run.chat': 'message',
  'run.events': 'list',
  'run.files': 'file',
  'run.fork': 'fork',
  'run.stop': 'stop',
  'run.inspector': 'panel',
  'run.next': 'arrow-down',
  'run.previous': 'arrow-up',
  'waiting.next': 'arrow-down',
  'waiting.previous': 'arrow-up',
  'task.allow': 'check',
  'task.edit': 'edit',
  'task.deny': 'x',
};

/** Acts that apply, each once, those of the screen before those of the window; places stand in a group of their own. */
export function actItems(acts: readonly Shortcut[], shortcuts: Pick<ShortcutRegistry, 'caps'>): Item[] {
  const seen = new Set<string>();
  const ofWindow = ({ id }: Shortcut) => Number(areaOf(id) === 'view');
  return [...acts]
    .sort((a, b) => ofWindow(a) - ofWindow(b))
    .flatMap(({ id, label, run }): Item[] => {
      const area = areaOf(id);
      if (area === 'go' || id === 'view.palette' || seen.has(label)) return [];
      seen.add(label);
      const icon = Object.hasOwn(ACTS, id) ? ACT_ICONS[id as ActId] : undefined;
      return [
        {
          id: `act:${id}`,
          group: 'acts',
          label: tCode(label) ?? label,
          keys: shortcuts.caps(id),
          icon: icon ?? AREA_ICONS[area ?? 'view'],
          do: { act: run },
        },
      ];
    });
}

export function placeItems(shortcuts: Pick<ShortcutRegistry, 'caps'>, decides: boolean): Item[] {
  const place = ({ id, label, icon, route }: Omit<NavPlace, 'id' | 'holds'> & { id: string }): Item => ({
    id: `go:${id}`,
    group: 'go',
    label: t(label),
    keys: shortcuts.caps(`go.${id}`) ?? shortcuts.caps(`go.${id}.letters`),
    icon,
    do: { go: route },
  });
  const sections = SECTIONS.filter((section) => decides || !section.decides);
  return [
    ...[...PLACES.flat(), SETTINGS_PLACE].map(place),
    { ...place(HELP_PLACE), also: t('help.title') },
    ...sections.map(({ id, label, words }): Item => ({
      id: `go:settings/${id}`,
      group: 'go',
      label: t(label),
      about: t(words),
      detail: t('nav.settings'),
      icon: 'settings',
      typedOnly: true,
      do: { go: { name: 'settings', section: id } },
    })),
    ...FINDABLE.flatMap(({ section, label, words }): Item[] => {
      const lies = sections.find(({ id }) => id === section);
      if (!lies) return [];
      return [
        {
          id: `go:settings/${section}/${label}`,
          group: 'go',
          label: t(label),
          ...(words ? { about: words.map((one) => t(one)).join(' ') } : {}),
          detail: `${t('nav.settings')} · ${t(lies.label)}`,
          icon: 'settings',
          typedOnly: true,
          do: { go: { name: 'settings', section } },
        },
      ];
    }),
  ];
}

export function taskItems(tasks: readonly TaskShown[]): Item[] {
  return tasks.map((task) => ({
    id: `task:${task.id}`,
    group: 'waiting',
    label: questionOf(task.ask)
      .map(({ text }) => text)
      .join(''),
    also: `${aboutOf(task.ask)} ${task.run_title}`,
    detail: aboutOf(task.ask),
    mark: { mark: 'need', word: t('status.waiting') },
    whole: true,
    do: { go: { name: 'waiting', task: task.id } },
  }));
}

export function agentItems(agents: readonly { id: string; name: string }[]): Item[] {
  return agents.map(({ id, name }) => ({
    id: `agent:${id}`,
    group: 'agents',
    label: agentName(id, name),
    also: name,
    agent: id,
    do: { go: { name: 'agents', id } },
  }));
}

export function workflowItems(workflows: readonly { id: string; name: string }[]): Item[] {
  return workflows.flatMap(({ id, name }): Item[] => {
    const shown = workflowName(id, name);
    return [
      {
        id: `workflow:${id}`,
        group: 'workflows',
        label: t('palette.begin', { name: shown }),
        also: `${name} ${id}`,
        icon: 'play',
        do: { begin: id },
      },
      {
        id: `workflow-runs:${id}`,
        group: 'workflows',
        label: t('palette.runs_of', { name: shown }),
        also: `${name} ${id}`,
        icon: 'workflow',
        typedOnly: true,
        do: { go: { name: 'runs', filter: `workflow:${id}` } },
      },
    ];
  });
}

export function runItems(
  runs: readonly RunLine[],
  nameOf: (workflow: string) => string,
  found: boolean,
): Item[] {
  return runs.map((run) => ({
    id: `run:${run.id}`,
    group: 'runs',
    label: run.title,
    detail: `${workflowName(run.workflow, nameOf(run.workflow))} · ${format().day(run.started_at)}`,
    mark: { mark: markOf(run.status), word: t(wordKeyOf(run.status)) },
    whole: true,
    found,
    do: { go: { name: 'run', id: run.id, lens: 'chat' } },
  }));
}

/** What the engine found in texts; it said that they fit, in its order. */
export function hitItems(
  group: 'runs' | 'messages' | 'files',
  hits: readonly Hit[],
  agentOf: (id: string) => string,
): Item[] {
  const icons: Record<typeof group, IconName> = { runs: 'runs', messages: 'message', files: 'file' };
  return hits.map((hit, index) => {
    const snippet = nearHit(hit.snippet);
    const text = plain(snippet);
    const lens = group === 'files' ? 'files' : 'chat';
    const who =
      !hit.who || group !== 'messages' ? '' : hit.who === 'person' ? t('run.you') : agentOf(hit.who);
    return {
      // One entry can be found more than once.
      id: `hit:${group}:${hit.run}:${hit.seq}:${index}`,
      group,
      label: text || hit.title,
      ...(text ? { snippet } : {}),
      detail: [
        who,
        group === 'files' ? hit.file : '',
        text === hit.title ? '' : hit.title,
        format().day(hit.at),
      ]
        .filter((part) => typeof part === 'string' && part !== '')
        .map((part) => format().isolate(part as string))
        .join(' · '),
      ...(who && hit.who && hit.who !== 'person' ? { agent: hit.who } : { icon: icons[group] }),
      do: {
        go: {
          name: 'run',
          id: hit.run,
          lens,
          at: hit.seq,
          ...(group === 'files' && hit.file ? { file: hit.file } : {}),
        },
      },
    };
  });
}

export interface Shown {
  group: Group;
  rows: Ranked<Item>[];
}

/** So many of a group; acts are never cut. */
const MOST_TYPED = 8;
const MOST_EMPTY = 5;
const LATELY_MOST = 4;

/**
 * The rows in groups. Without a wish, what was chosen lately comes first and the groups stand in their order; with one, the
 * group of the best row comes first.
 */
export function grouped(rows: readonly Ranked<Item>[], typed: boolean, lately: readonly string[]): Shown[] {
  const groups = new Map<Group, Ranked<Item>[]>();
  if (!typed) {
    const chosen = lately
      .flatMap((id) => rows.filter(({ item }) => item.id === id && item.group !== 'waiting'))
      .slice(0, LATELY_MOST);
    if (chosen.length > 0) groups.set('lately', chosen);
    rows = rows.filter((row) => !chosen.includes(row) && !row.item.typedOnly);
  }
  for (const row of rows) {
    const { group } = row.item;
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  const most = (group: Group) =>
    group === 'acts' || group === 'go' ? Infinity : typed ? MOST_TYPED : MOST_EMPTY;
  // Rows come best first, so a map's groups stand by their best row.
  const order = typed ? [...groups.keys()] : GROUPS.filter((group) => groups.has(group));
  return order.map((group) => ({ group, rows: (groups.get(group) ?? []).slice(0, most(group)) }));
}

/** The groups, cut behind so many rows. */
export function firstRows(groups: readonly Shown[], most: number): Shown[] {
  let left = most;
  return groups.flatMap(({ group, rows }) => {
    const some = rows.slice(0, left);
    left -= some.length;
    return some.length === 0 ? [] : [{ group, rows: some }];
  });
}
