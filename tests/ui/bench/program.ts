// The desktop program on a display of its own: how long it takes to come up, and, left alone, what it and its pages take of
// the machine.
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { EXAMPLES } from '../engine/host';

const SETTLES_S = 20;
/** A start that takes longer has failed. */
const START_MAX_MS = 30_000;
/** What the program writes into its log when its first page has drawn itself, behind the time. */
const DRAWN = /^(\S+Z)\s+INFO .*the window is drawn/gm;

/** A program in a namespace of its own reaches itself and nothing else; whatever it sends or asks for is counted there. */
const ALONE = ['unshare', '-rn', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh'];
/** The keys everywhere, as the settings name them and as `xdotool` does. */
const CALL = { settings: 'Ctrl+Alt+B', keys: 'ctrl+alt+b' };
/** The first call makes the window; what is made ahead takes a moment too. */
const MADE_MS = 3_000;
const BETWEEN_CALLS_MS = 600;
const CALL_MAX_MS = 5_000;
/** A run is open and its timeline read within this. */
const OPEN_MS = 12_000;

const program = () => resolve(dirname(EXAMPLES), 'bwana-desktop');
const sleep = (ms: number) => execFileSync('sleep', [String(ms / 1_000)]);

/** Why the program cannot be started here. */
function missing(...more: string[]): string | undefined {
  for (const needed of ['xvfb-run', 'dbus-run-session', program(), ...more])
    if (spawnSync(needed, ['--help'], { timeout: 10_000 }).error) return `${needed} is not there`;
  return undefined;
}

/** Runs words of a shell on a display and a bus of their own, behind other words. */
function onDisplay(home: string, script: string, before: readonly string[] = []): ChildProcess {
  mkdirSync(home, { recursive: true });
  const all = [...before, 'xvfb-run', '-a', 'dbus-run-session', '--', 'sh', '-c', script];
  return spawn(all[0]!, all.slice(1), {
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

/** What the program took of the machine. */
export interface Idle {
  /** Percent of one core. */
  cpu: number;
  /** Bytes of memory; what several share is counted once. */
  bytes: number;
  /** Bytes that went over any network, itself included; none where it cannot be had alone. */
  network: number | undefined;
}

/** Leaves the program alone; or says why it cannot. */
export function idle(home: string, seconds: number): Idle | string {
  const why = missing();
  if (why) return why;
  const alone = spawnSync(ALONE[0]!, [...ALONE.slice(1), 'true']).status === 0;
  const child = onDisplay(home, 'exec "$PROGRAM" --home "$HOME_OF_DATA"', alone ? ALONE : []);
  sleep(SETTLES_S * 1_000);
  const before = { ticks: ticks(child.pid!), network: network(child.pid!) };
  sleep(seconds * 1_000);
  const after = { ticks: ticks(child.pid!), network: network(child.pid!) };
  const bytes = memory(child.pid!);
  process.kill(-child.pid!, 'SIGTERM');
  const hertz = Number(execFileSync('getconf', ['CLK_TCK']).toString());
  return {
    cpu: ((after.ticks - before.ticks) / hertz / seconds) * 100,
    bytes,
    network: alone ? after.network - before.network : undefined,
  };
}

/** Milliseconds from each press of the keys everywhere to the quick window in front, the making of it first. */
export async function calls(home: string, times: number): Promise<number[] | string> {
  const why = missing('openbox', 'xdotool', 'xprop');
  if (why) return why;
  mkdirSync(join(home, 'data'), { recursive: true });
  writeFileSync(join(home, 'data', 'settings.toml'), `[window]\nglobal_shortcut = "${CALL.settings}"\n`);
  const child = onDisplay(home, 'openbox & exec "$PROGRAM" --home "$HOME_OF_DATA"');
  await later(SETTLES_S * 1_000);
  const env = around(child.pid!);
  const active = spawn('xprop', ['-spy', '-root', '_NET_ACTIVE_WINDOW'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    let front = '';
    const lines = createInterface({ input: active.stdout });
    const heard = once(lines, 'line');
    lines.on('line', (line) => (front = /0x[0-9a-f]+/.exec(line)?.[0] ?? ''));
    await heard;
    const main = front;
    const press = (keys: string) => spawn('xdotool', ['key', keys], { env, stdio: 'ignore' });
    const taken: number[] = [];
    for (let n = 0; n <= times; n += 1) {
      const began = performance.now();
      press(CALL.keys);
      const signal = AbortSignal.timeout(CALL_MAX_MS);
      // Between two windows there may be a moment without any.
      while (front === main || front === '' || front === '0x0') await once(lines, 'line', { signal });
      taken.push(performance.now() - began);
      await later(n === 0 ? MADE_MS : BETWEEN_CALLS_MS);
      press('Escape');
      while (front !== main) await once(lines, 'line', { signal: AbortSignal.timeout(CALL_MAX_MS) });
      await later(BETWEEN_CALLS_MS);
    }
    return taken;
  } finally {
    active.kill();
    process.kill(-child.pid!, 'SIGTERM');
  }
}

/** Bytes of memory the program takes more with its longest run open, and with its whole timeline. */
export async function growth(home: string): Promise<{ run: number; timeline: number } | string> {
  const why = missing('openbox', 'xdotool');
  if (why) return why;
  const data = join(home, 'data');
  const listed = execFileSync(program().replace(/-desktop$/, ''), ['--home', data, '--json', 'runs', 'list']);
  const { id } = JSON.parse(listed.toString().split('\n')[0]!) as { id: string };
  const child = onDisplay(home, 'openbox & exec "$PROGRAM" --home "$HOME_OF_DATA"');
  await later(SETTLES_S * 1_000);
  try {
    const env = around(child.pid!);
    const before = memory(child.pid!);
    execFileSync(program(), ['--home', data, `bwana://v1/run/${id}`], { env });
    await later(OPEN_MS);
    const opened = memory(child.pid!);
    execFileSync('xdotool', ['key', 'alt+2'], { env });
    await later(OPEN_MS);
    return { run: opened - before, timeline: memory(child.pid!) - before };
  } finally {
    process.kill(-child.pid!, 'SIGTERM');
  }
}

const later = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** What the program has around it, for whoever wants to reach its display. */
function around(root: number): Record<string, string> {
  const text = readFileSync(`/proc/${String(family(root)[0])}/environ`, 'utf8');
  return Object.fromEntries(
    text
      .split('\0')
      .filter((one) => one.includes('='))
      .map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
  );
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

/** Bytes received and sent over every network the program sees. */
function network(root: number): number {
  const text = readFileSync(`/proc/${String(family(root)[0])}/net/dev`, 'utf8');
  return text
    .split('\n')
    .slice(2)
    .map((line) => line.split(':')[1]?.trim().split(/\s+/) ?? [])
    .reduce((sum, fields) => sum + Number(fields[0] ?? 0) + Number(fields[8] ?? 0), 0);
}
