/** The engine leaves out what is not there, or says `null`. */
export function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
