// Care of data as values: the list of copies, what a preview comes to, what can be taken back. Pure.
import type { BackupList, BackupPreview, BackupShown } from '../bindings/types';

/** So long what was taken in can be taken back (`UNDO_DAYS` of the store). */
const UNDO_DAYS = 30;
const DAY_MS = 24 * 3_600_000;

/** Every copy of the data folder, newest first. */
export function allCopies(list: BackupList): BackupShown[] {
  const all = [...list.rolling, ...(list.others ?? [])];
  return all.sort((one, two) => two.made_at.localeCompare(one.made_at));
}

/** Whether something was taken in that may still be taken back; whether it can, the engine says. */
export function mayTakeBack(list: BackupList, now: number): boolean {
  const before = (list.others ?? []).filter((copy) => copy.why === 'before_restore');
  return before.some((copy) => now - new Date(copy.made_at).getTime() <= UNDO_DAYS * DAY_MS);
}

export const STANDINGS = ['new', 'ahead', 'behind', 'conflict', 'equal'] as const;
export type StandingKind = (typeof STANDINGS)[number];

/** How runs of a copy stand to those here, what changes something first, and only what there is. */
export function standings(preview: BackupPreview): { kind: StandingKind; runs: number }[] {
  return STANDINGS.map((kind) => ({ kind, runs: preview[kind] })).filter(({ runs }) => runs > 0);
}

/** Runs that taking it in would bring or lead on. */
export function brings(preview: BackupPreview): number {
  return preview.new + preview.ahead;
}

/** The command that serves a profile in a browser. */
export function serveCommand(name: string): string {
  return name === '' ? 'bwana serve' : `bwana --profile ${name} serve`;
}
