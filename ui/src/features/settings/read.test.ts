import { expect, test } from 'vitest';
import { readSetting } from './read';

test.each(['abc', '$5', '2,50,1', '-3', 'NaN'])(
  'a limit of %s is refused, never taken for no limit',
  (text) => expect(readSetting('day_budget', 'money', text)).toEqual({ wrong: 'number' }),
);

test('a limit is read with a comma, and only an empty field is no limit', () => {
  expect(readSetting('day_budget', 'money', '2,50')).toEqual({ value: '2.50' });
  expect(readSetting('day_budget', 'money', '0')).toEqual({ value: '0' });
  expect(readSetting('day_budget', 'money', ' ')).toEqual({ value: null });
});

test('a limit may be a million dollars and no more', () => {
  expect(readSetting('day_budget', 'money', '1000000')).toEqual({ value: '1000000' });
  expect(readSetting('day_budget', 'money', '1000000,01')).toEqual({ wrong: 'most' });
});

test('threads, context and minutes are whole numbers', () => {
  expect(readSetting('local_threads', 'number', '4')).toEqual({ value: 4 });
  expect(readSetting('local_context', 'number', '8k')).toEqual({ wrong: 'whole' });
  expect(readSetting('local_unload_after_min', 'number', '2,5')).toEqual({ wrong: 'whole' });
});

test('a rate is a number too; other texts go as they are', () => {
  expect(readSetting('currency_rate', 'text', '129,30')).toEqual({ value: '129.30' });
  expect(readSetting('currency_rate', 'text', '0,00')).toEqual({ wrong: 'rate' });
  expect(readSetting('currency_rate', 'text', 'many')).toEqual({ wrong: 'rate' });
  expect(readSetting('time_zone', 'text', ' Africa/Nairobi ')).toEqual({ value: 'Africa/Nairobi' });
});
