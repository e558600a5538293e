/**
 * Share of the runs of `length` tokens that stood in the text before; 0 for a text without any.
 *
 * Source: Welleck et al. 2020, "Neural Text Generation with Unlikelihood Training", "seq-rep-n".
 */
export function repeatedShare(tokens: readonly number[], length: number): number {
  const count = tokens.length - length + 1;
  if (count <= 0) return 0;
  const runs = Array.from({ length: count }, (_, i) => tokens.slice(i, i + length).join());
  return (count - new Set(runs).size) / count;
}
