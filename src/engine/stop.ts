/** Tokens that the entropy test looks at. */
export const ENTROPY_WINDOW = 256;

/** Why a sequence ends by itself. */
export type EndReason = "eos" | "entropy" | "length";

/**
 * Entropy, in nats, of how often each token occurs in `tokens`.
 *
 * Source: BD3-LM, `_check_stop_conds`: text that repeats itself falls below 4.
 */
export function tokenEntropy(tokens: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => {
    const share = count / tokens.length;
    return sum - share * Math.log(share);
  }, 0);
}

/**
 * What of a finished block belongs to the sequence, and whether the sequence ends with it.
 *
 * @param block Generated tokens of the block, as far as no mask stands before them.
 * @param options `left`: tokens that may still be generated; `recent`: the last generated tokens
 * before the block.
 */
export function cutBlock(
  block: readonly number[],
  options: {
    readonly left: number;
    readonly stopTokens: readonly number[];
    readonly minEntropy: number;
    readonly recent: readonly number[];
  },
): { tokens: readonly number[]; end: EndReason | null } {
  const { left, stopTokens, minEntropy, recent } = options;
  const fitting = block.slice(0, left);
  const stop = fitting.findIndex((token) => stopTokens.includes(token));
  if (stop >= 0) return { tokens: fitting.slice(0, stop + 1), end: "eos" };
  const last = [...recent, ...fitting].slice(-ENTROPY_WINDOW);
  const repeats = minEntropy > 0 && last.length === ENTROPY_WINDOW &&
    tokenEntropy(last) < minEntropy;
  if (repeats) return { tokens: fitting, end: "entropy" };
  return { tokens: fitting, end: fitting.length === left ? "length" : null };
}
