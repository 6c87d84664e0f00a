// What every field has: its label, help, and what is wrong with it. Used by Field.svelte and the inputs inside it.
export interface FieldText {
  /** Always there; `hideLabel` keeps it from view where the surroundings say it. */
  label: string;
  hideLabel?: boolean;
  help?: string | undefined;
  /** What is wrong, in the other side's own words where it said something. */
  error?: string | undefined;
}
