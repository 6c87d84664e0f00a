import { describe, expect, it } from 'vitest';
import type { StepShown } from '../../bindings/types';
import { stepName, titleOf } from './place';

const step = (path: string, name: string, branches: StepShown[] = []) =>
  ({ path, name, branches }) as StepShown;
const steps = [step('a', 'First'), step('b', 'Second', [step('b/x', 'Branch')]), step('bb', 'Other')];

describe('the step of a question', () => {
  const check = (name: string, path: string, expected: string | undefined) =>
    it(name, () => expect(stepName({ steps }, path)).toBe(expected));
  check('is the one its path names', 'a', 'First');
  check('holds its turns', 'a/r2', 'First');
  check('is the innermost of nested ones', 'b/x/r1', 'Branch');
  check('is not another whose name begins alike', 'bb', 'Other');
  check('is none for the run itself', '', undefined);
});

it('a run is called by the best name that is known', () => {
  const run = '01JD0000000000000000004F2A';
  expect(titleOf({ run, run_title: 'From the task' }, { title: 'x' })).toBe('From the task');
  expect(titleOf({ run }, { title: 'From the list' }, { workflow_name: 'w' })).toBe('From the list');
  expect(titleOf({ run }, undefined, { workflow_name: 'Workflow' })).toBe('Workflow');
  expect(titleOf({ run })).toBe('004F2A');
});
