// A report as one file, written as `bwana diagnostics` writes it.
import type { DiagnosticsPart } from '../../bindings/types';

export function textOf(parts: readonly DiagnosticsPart[]): string {
  return parts.map((part) => `== ${part.name}\n${part.lines.map((line) => `${line}\n`).join('')}`).join('\n');
}
