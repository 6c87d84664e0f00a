/** How a step was left: something was set, nothing was, or it stays because what it holds cannot be had. */
export type Left = 'set' | 'nothing' | 'stays';
