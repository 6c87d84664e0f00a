import { describe, expect, test } from 'vitest';
import { readFlow, type FlowDoc } from './doc';
import { isOf, misfitsOf, readable } from './forms';
import { setFlow, setStep, typed } from './steps';

const TEXT = `schema: bwana.workflow/v1
id: count
name: Count
agents: [ops]
steps:
  - name: One
  - name: Two
    parallel:
      steps: [Left, Right]
  - name: Three
    chat:
      stop: {any: [{rounds: 4}, {not: {cost: 0.5}}]}
`;
const read = (text: string) => readFlow(text) as FlowDoc;
const misfits = (text: string) => misfitsOf(read(text)).map(({ path, wrong }) => [path, wrong]);

describe('what cannot be read', () => {
  test('is found where it stands', () => {
    let text = setFlow(TEXT, ['limits', 'budget_usd'], typed('two'));
    text = setFlow(text, ['limits', 'elapsed'], '5 minutes');
    text = setFlow(text, ['input'], '{"type":"object",');
    text = setStep(text, [0], ['limits', 'turns'], typed('ten'));
    text = setStep(text, [0], ['output'], 'type: [\nno: more');
    text = setStep(text, [1], ['parallel', 'width'], typed('2.5'));
    text = setStep(text, [1, 1], ['limits', 'calls'], typed('-1'));
    expect(misfits(text)).toEqual([
      ['limits.budget_usd', 'flows.f.money_wrong'],
      ['limits.elapsed', 'flows.f.time_wrong'],
      ['input', 'flows.f.form_wrong'],
      ['steps[0].limits.turns', 'flows.f.whole_wrong'],
      ['steps[0].output', 'flows.f.form_wrong'],
      ['steps[1].parallel.width', 'flows.f.whole_wrong'],
      ['steps[1].parallel.steps[1].limits.calls', 'flows.f.whole_wrong'],
    ]);
  });

  test('is told with its line', () => {
    const text = setStep(TEXT, [0], ['limits', 'turns'], typed('ten'));
    const [found] = misfitsOf(read(text));
    expect(text.split('\n')[(found?.line ?? 0) - 1]).toContain('turns: ten');
  });

  test('is found in conditions, where nothing is a misfit too', () => {
    const stop = { any: [{ rounds: typed('') }, { not: { cost: typed('0,5,') } }, { elapsed: 'soon' }] };
    expect(misfits(setStep(TEXT, [2], ['chat', 'stop'], stop)).map(([path]) => path)).toEqual([
      'steps[2].chat.stop.any[0].rounds',
      'steps[2].chat.stop.any[1].not.cost',
      'steps[2].chat.stop.any[2].elapsed',
    ]);
  });

  test('is nothing of what is right', () => {
    expect(misfits(TEXT)).toEqual([]);
    const limits = { budget_usd: typed('1e-3'), turns: typed('0x10'), elapsed: '2h', calls: typed('007') };
    expect(misfits(setFlow(TEXT, ['limits'], limits))).toEqual([]);
    expect(misfits(setFlow(TEXT, ['input'], '{"type": "string"}'))).toEqual([]);
  });
});

test('money may be written with a comma', () => {
  expect(readable('money', '2,50')).toBe('2.50');
  expect(readable('whole', '2,50')).toBe('2,50');
  expect(isOf('money', readable('money', '1,000,000'))).toBe(false);
});
