import { expect, test } from 'vitest';
import { typedNumber, typedWhole } from './typed';

test.each([
  ['2.50', '2.50'],
  ['2,50', '2.50'],
  [' 3 ', '3'],
  ['0,125', '0.125'],
  ['129.305', '129.305'],
  ['١٢٩٫٣٠', '129.30'],
  ['۲,۵', '2.5'],
])('%s is read as %s', (text, number) => expect(typedNumber(text)).toBe(number));

test.each(['$5', 'abc', '', '1,000', '1.000.000', '-5', '1e3', 'NaN', 'Infinity', '2,', ',5', '5 000'])(
  '%s is not read as a number',
  (text) => expect(typedNumber(text)).toBeUndefined(),
);

test.each([
  ['4', 4],
  ['٤', 4],
  ['0', 0],
])('%s is the whole number %i', (text, number) => expect(typedWhole(text)).toBe(number));

test.each(['2,5', '2.0', 'four', '', '-1', '99999999999999999999'])('%s is no whole number', (text) =>
  expect(typedWhole(text)).toBeUndefined(),
);
