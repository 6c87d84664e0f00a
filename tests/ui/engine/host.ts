// The real engine behind the pages: a process with a data folder of its own and a scripted model, ended with the test.
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test as base, type BrowserContext, type Page } from '@playwright/test';
import { watchPage, type Watched } from '../page';

const ROOT = resolve(import.meta.dirname, '../../..');
const TARGET = process.env['CARGO_TARGET_DIR'] ?? 'target';
/** `release` for what is measured. */
const BUILD = process.env['BWANA_BUILD'] ?? 'debug';
export const EXAMPLES = resolve(ROOT, TARGET, BUILD, 'examples');
const PROGRAM = join(EXAMPLES, 'bwana-ui-host');

/** The header of an SQLite file. */
const DAMAGED_BYTES = 100;

export interface HostOptions {
  /** Rules of the scripted model, as `bwana-model-server` takes them. */
  script?: object;
  latencyMs?: number;
  betweenMs?: number;
  deltas?: number;
  /** The time at which the engine's clock stands still, as RFC 3339. */
  at?: string;
  /** A data folder to begin with; the host works on a copy. */
  from?: string;
}

interface Opened {
  url: string;
  token: string;
  link: string;
}

export class Host {
  readonly home: string;
  readonly #process: ChildProcess;
  readonly #opened: Promise<Opened>;

  constructor(options: HostOptions) {
    this.home = mkdtempSync(join(tmpdir(), 'bwana-ui-'));
    const args = ['--home', join(this.home, 'data'), '--ui', join(ROOT, 'ui/dist'), '--until-stdin-closes'];
    if (options.from) cpSync(options.from, join(this.home, 'data'), { recursive: true });
    if (options.script) {
      const file = join(this.home, 'script.json');
      writeFileSync(file, JSON.stringify(options.script));
      args.push('--script', file);
    }
    for (const [name, value] of [
      ['--latency-ms', options.latencyMs],
      ['--between-ms', options.betweenMs],
      ['--deltas', options.deltas],
      ['--at', options.at],
    ] as const)
      if (value !== undefined) args.push(name, String(value));
    this.#process = spawn(PROGRAM, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#opened = new Promise((done, fail) => {
      this.#process.once('error', fail);
      this.#process.once('exit', (code) => fail(new Error(`the host ended with ${code}`)));
      const lines = createInterface({ input: this.#process.stdout! });
      lines.once('line', (line) => done(JSON.parse(line) as Opened));
    });
  }

  /** A command of the table, asked beside the page. */
  async rpc<T = Record<string, unknown>>(name: string, params: object = {}): Promise<T> {
    const { url, token } = await this.#opened;
    const response = await fetch(`${url}/api/rpc/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(params),
    });
    const body = (await response.json()) as { value: T };
    if (!response.ok) throw new Error(`${name}: ${JSON.stringify(body)}`);
    return body.value;
  }

  /** Starts a run of a workflow given as text. */
  async start(text: string, input: string): Promise<string> {
    const what = { file: { name: 'test.yaml', text } };
    return (await this.rpc<{ run: string }>('run.start', { what, input })).run;
  }

  /** Waits until a run is in one of these states. */
  async until(run: string, ...states: string[]): Promise<void> {
    for (;;) {
      const { runs } = await this.rpc<{ runs: { id: string; status: string }[] }>('run.list');
      const found = runs.find(({ id }) => id === run);
      if (found && states.includes(found.status)) return;
      await new Promise((later) => setTimeout(later, 50));
    }
  }

  /** A page of the person at this machine; `window`: as the shell would say, if it is not the main one. */
  async open(
    context: BrowserContext,
    path: string,
    theme = 'light',
    { window: kind }: { window?: 'quick' | undefined } = {},
  ): Promise<[Page, Watched]> {
    const { url, token } = await this.#opened;
    const page = await context.newPage();
    const watched = await watchPage(page);
    await page.addInitScript(
      ([token, theme, kind]) => {
        if (kind) (window as unknown as { __bwana: unknown }).__bwana = { window: kind };
        sessionStorage.setItem('bwana.token', token);
        sessionStorage.setItem('bwana.caller', 'local_person');
        localStorage.setItem('bwana.theme', theme);
        // The first steps of a new person are a test of their own.
        localStorage.setItem('bwana.welcomed', '1');
      },
      [token, theme, kind] as const,
    );
    await page.goto(url + path);
    return [page, watched];
  }

  async link(): Promise<string> {
    return (await this.#opened).link;
  }

  async stop(): Promise<void> {
    // One that could not start has ended already, and nothing would tell of it.
    if (this.#process.exitCode === null) {
      const ended = new Promise((done) => this.#process.once('exit', done));
      this.#process.stdin!.end();
      await ended;
    }
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Spoils the database of a data folder that is not open, as a failing disk does: the beginning of its file is lost. */
export function damage(folder: string): void {
  const file = join(folder, 'bwana.db');
  // What the log beside it holds would mend it.
  for (const end of ['-wal', '-shm']) rmSync(file + end, { force: true });
  const bytes = readFileSync(file);
  bytes.fill(0, 0, DAMAGED_BYTES);
  writeFileSync(file, bytes);
}

/** `options` may be set by `test.use`. */
export const test = base.extend<{ options: HostOptions; host: Host }>({
  options: [{}, { option: true }],
  host: async ({ options }, use) => {
    const host = new Host(options);
    await use(host);
    await host.stop();
  },
});
