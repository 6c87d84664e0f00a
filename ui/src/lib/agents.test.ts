import { describe, expect, it } from 'vitest';
import { lookOf } from './agents';

describe('the look of an agent', () => {
  it.each(['constructor', '__proto__', 'toString', 'x'])('is its own for one called %s', (id) => {
    expect(lookOf(id, 'Night Shift')).toEqual({ shape: 'circle', hue: 'other', initials: 'NS' });
  });
});
