// Which window this is. The shell says so before the page begins; a page in a browser is always the main one.
export interface WindowKind {
  window: 'main' | 'quick' | 'run';
  /** Of a run's own window. */
  run?: string;
}

export function windowKind(): WindowKind {
  const told = (window as unknown as { __bwana?: { window?: unknown; run?: unknown } }).__bwana;
  if (told?.window === 'quick') return { window: 'quick' };
  if (told?.window === 'run' && typeof told.run === 'string') return { window: 'run', run: told.run };
  return { window: 'main' };
}
