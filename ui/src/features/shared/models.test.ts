import { expect, test } from 'vitest';
import type { ModelList, ProviderShown } from '../../bindings/types';
import type { Platform } from '../../platform/platform';
import { modelsToChoose, readModels } from './models';

const providers = [
  { id: 'gemini', model: 'flash' },
  { id: 'office', model: null },
] as ProviderShown[];
const local = {
  models: [
    { id: 'starter', status: 'installed' },
    { id: 'big', status: 'available' },
  ],
} as ModelList;

test('models of providers, of the machine and those named already can be chosen, each once', () => {
  expect(modelsToChoose({ providers, local }, ['gemini/flash', 'old/one'])).toEqual([
    'gemini/flash',
    'local/starter',
    'old/one',
  ]);
  expect(modelsToChoose({ providers: [], local: undefined }, [])).toEqual([]);
});

test('a list that cannot be read offers nothing and hides nothing else', async () => {
  const rpc = (name: string) =>
    name === 'models.list' ? Promise.resolve({ value: local }) : Promise.reject(new Error('gone'));
  expect(await readModels({ rpc } as unknown as Platform)).toEqual({ providers: [], local });
});
