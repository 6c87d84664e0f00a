import { describe, expect, it } from 'vitest';
import type { BackupPreview, BackupReason, BackupShown } from '../bindings/types';
import { allCopies, brings, mayTakeBack, serveCommand, standings } from './care';

const copy = (made_at: string, why: BackupReason): BackupShown => ({ path: made_at, made_at, why, bytes: 1 });
const PREVIEW: BackupPreview = {
  path: '/b',
  made_at: '2026-11-20T08:00:00.000Z',
  program: '0.1.0',
  format: 9,
  files: 2,
  bytes: 10,
  verifies: true,
  runs: 6,
  entries: 60,
  new: 2,
  equal: 3,
  behind: 0,
  ahead: 1,
  conflict: 0,
};

describe('care of data', () => {
  it('lists every copy newest first, whoever made it', () => {
    const list = {
      rolling: [copy('2026-11-20T08:00:00.000Z', 'rolling'), copy('2026-11-18T08:00:00.000Z', 'rolling')],
      others: [copy('2026-11-19T08:00:00.000Z', 'asked')],
    };
    expect(allCopies(list).map((one) => one.why)).toEqual(['rolling', 'asked', 'rolling']);
    expect(allCopies({ rolling: [], others: [] })).toEqual([]);
  });

  it('offers to take back only for thirty days, and only what was taken in', () => {
    const now = Date.parse('2026-11-20T08:00:00.000Z');
    const before = (at: string) => ({ rolling: [], others: [copy(at, 'before_restore')] });
    expect(mayTakeBack(before('2026-11-19T08:00:00.000Z'), now)).toBe(true);
    expect(mayTakeBack(before('2026-10-21T08:00:00.000Z'), now)).toBe(true);
    expect(mayTakeBack(before('2026-10-21T07:59:59.000Z'), now)).toBe(false);
    expect(mayTakeBack({ rolling: [], others: [copy('2026-11-19T08:00:00.000Z', 'asked')] }, now)).toBe(
      false,
    );
    expect(mayTakeBack({ rolling: [], others: [] }, now)).toBe(false);
  });

  it('says what a copy would bring, and leaves out what there is none of', () => {
    expect(standings(PREVIEW)).toEqual([
      { kind: 'new', runs: 2 },
      { kind: 'ahead', runs: 1 },
      { kind: 'equal', runs: 3 },
    ]);
    expect(brings(PREVIEW)).toBe(3);
  });

  it('names the command that serves a profile', () => {
    expect([serveCommand(''), serveCommand('shop')]).toEqual(['bwana serve', 'bwana --profile shop serve']);
  });
});
