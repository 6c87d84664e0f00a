// The desktop program, started on a display of its own and left alone: what it and its pages take of the machine.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EXAMPLES } from '../engine/host';

const SETTLES_S = 20;

/** Processor in percent of one core, memory in bytes (what several share is counted once); or why it cannot be said. */
export function idle(home: string, seconds: number): { cpu: number; bytes: number } | string {
  const program = resolve(dirname(EXAMPLES), 'bwana-desktop');
  for (const needed of ['xvfb-run', 'dbus-run-session', program])
    if (spawnSync(needed, ['--help'], { timeout: 10_000 }).error) return `${needed} is not there`;
  mkdirSync(home, { recursive: true });
  const child = spawn('xvfb-run', ['-a', 'dbus-run-session', '--', program, '--home', join(home, 'data')], {
    env: { ...process.env, XDG_CONFIG_HOME: join(home, 'config'), XDG_DATA_HOME: join(home, 'share') },
    stdio: 'ignore',
    detached: true,
  });
  const sleep = (s: number) => execFileSync('sleep', [String(s)]);
  sleep(SETTLES_S);
  const before = ticks(child.pid!);
  sleep(seconds);
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
