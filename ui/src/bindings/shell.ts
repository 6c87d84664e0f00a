// The shapes of `bwana_api::link`, which no command answers with: the shell hands links over by itself.

export type Link =
  | { kind: 'run'; id: string; at: number | null }
  | { kind: 'workflow' | 'agent'; slug: string }
  | { kind: 'task'; id: string }
  | { kind: 'new'; text: string };

export type BadLink = 'too_long' | 'not_ours' | 'version' | 'verb' | 'key' | 'value' | 'encoding';
