// The desktop program on a display of its own: how long it takes to come up, and, left alone, what it and its pages take of
// the machine.
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EXAMPLES } from '../engine/host';

const SETTLES_S = 20;
/** A start that takes longer has failed. */
const START_MAX_MS = 30_000;
/** What the program writes into its log when its first page has drawn itself, behind the time. */
const DRAWN = /^(\S+Z)\s+INFO .*the window is drawn/gm;

const program = () => resolve(dirname(EXAMPLES), 'bwana-desktop');
const sleep = (ms: number) => execFileSync('sleep', [String(ms / 1_000)]);

/** Why the program cannot be started here. */
function missing(): string | undefined {
  for (const needed of ['xvfb-run', 'dbus-run-session', program()])
    if (spawnSync(needed, ['--help'], { timeout: 10_000 }).error) return `${needed} is not there`;
  return undefined;
}

/** Runs words of a shell on a display and a bus of their own. */
function onDisplay(home: string, script: string): ChildProcess {
  mkdirSync(home, { recursive: true });
  return spawn('xvfb-run', ['-a', 'dbus-run-session', '--', 'sh', '-c', script], {
    env: {
      ...process.env,
      XDG_CONFIG_HOME: join(home, 'config'),
      XDG_DATA_HOME: join(home, 'share'),
      HOME_OF_DATA: join(home, 'data'),
      BEGAN: join(home, 'began'),
      PROGRAM: program(),
    },
    stdio: 'ignore',
    detached: true,
  });
}

/** Milliseconds from each start of the program to its first page, the display being there already; or why not. */
export function starts(home: string, times: number): number[] | string {
  const why = missing();
  if (why) return why;
  const taken: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const child = onDisplay(home, 'date +%s%3N > "$BEGAN"; exec "$PROGRAM" --home "$HOME_OF_DATA"');
    const end = Date.now() + START_MAX_MS;
    while (drawn(home).length <= n && Date.now() < end) sleep(50);
    const at = drawn(home)[n];
    process.kill(-child.pid!, 'SIGTERM');
    while (family(child.pid!).length > 0 && Date.now() < end) sleep(50);
    if (at === undefined) return `no page was drawn within ${String(START_MAX_MS / 1_000)} s`;
    taken.push(at - Number(readFileSync(join(home, 'began'), 'utf8')));
  }
  return taken;
}

/** When pages were drawn, as the logs of a folder have it. */
function drawn(home: string): number[] {
  const logs = join(home, 'data', 'logs');
  try {
    const texts = readdirSync(logs)
      .sort()
      .map((name) => readFileSync(join(logs, name), 'utf8'));
    return texts.flatMap((text) => [...text.matchAll(DRAWN)].map(([, at]) => Date.parse(at!)));
  } catch {
    return [];
  }
}

/** Processor in percent of one core, memory in bytes (what several share is counted once); or why it cannot be said. */
export function idle(home: string, seconds: number): { cpu: number; bytes: number } | string {
  const why = missing();
  if (why) return why;
  const child = onDisplay(home, 'exec "$PROGRAM" --home "$HOME_OF_DATA"');
  sleep(SETTLES_S * 1_000);
  const before = ticks(child.pid!);
  sleep(seconds * 1_000);
  const after = ticks(child.pid!);
  const bytes = memory(child.pid!);
  process.kill(-child.pid!, 'SIGTERM');
  const hertz = Number(execFileSync('getconf', ['CLK_TCK']).toString());
  return { cpu: ((after - before) / hertz / seconds) * 100, bytes };
}

/** The program and what it started, without the display and the bus around it. */
function family(root: number): number[] {
  const parents = new Map<number, number>();
  const names = new Map<number, string>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      parents.set(Number(name), Number(rest[1]));
      names.set(Number(name), stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')));
    } catch {
      // It has ended meanwhile.
    }
  }
  const under = (pid: number, of: number): boolean =>
    pid === of || (parents.has(pid) && under(parents.get(pid)!, of));
  const all = [...parents.keys()].filter((pid) => under(pid, root));
  return all.filter((pid) => /^(bwana|WebKit)/.test(names.get(pid) ?? ''));
}

function ticks(root: number): number {
  const own = (pid: number) => {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(rest[11]) + Number(rest[12]);
  };
  return family(root).reduce((sum, pid) => sum + own(pid), 0);
}

/** Proportional set size: what several share is counted once over all of them. */
function memory(root: number): number {
  const own = (pid: number) => {
    const rollup = readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) * 1_024;
  };
  return family(root).reduce((sum, pid) => sum + own(pid), 0);
}
