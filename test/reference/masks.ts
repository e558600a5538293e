/** Who attends to whom: the predicates that the fragments of `kernels/masks` are compared with. */

/**
 * Whether a query position sees a key position: all of its own block and of the blocks before.
 *
 * Source: Arriola et al. 2025, "Block Diffusion", M_BC of suppl. B.6.
 */
export function blockCausal(
  query: number,
  key: number,
  { blockSize }: { blockSize: number },
): boolean {
  return Math.floor(key / blockSize) <= Math.floor(query / blockSize);
}

/**
 * Whether a query position sees a key position in a cache that slides: block i sees the blocks j
 * with i − window < j ≤ i. `window` counts blocks, its own included.
 *
 * Source: the official sampler drops the oldest cached block once `model_length` tokens are
 * committed.
 */
export function blockBand(
  query: number,
  key: number,
  { blockSize, window }: { blockSize: number; window: number },
): boolean {
  const behind = Math.floor(query / blockSize) - Math.floor(key / blockSize);
  return behind >= 0 && behind < window;
}

/**
 * Whether row `query` of [x_t, x_0] sees row `key`, `length` rows each: noisy blocks see themselves
 * and the clean blocks before them, clean blocks see clean blocks up to themselves.
 *
 * Source: Arriola et al. 2025, "Block Diffusion", suppl. B.6: M_BD or M_OBC or M_BC.
 */
export function twoStream(
  query: number,
  key: number,
  { length, blockSize }: { length: number; blockSize: number },
): boolean {
  const queryIsNoisy = query < length;
  const keyIsNoisy = key < length;
  const queryBlock = Math.floor((query % length) / blockSize);
  const keyBlock = Math.floor((key % length) / blockSize);
  const isBlockDiagonal = queryIsNoisy === keyIsNoisy && queryBlock === keyBlock;
  const isOffsetBlockCausal = queryIsNoisy && !keyIsNoisy && queryBlock > keyBlock;
  const isBlockCausal = !queryIsNoisy && !keyIsNoisy && queryBlock >= keyBlock;
  return isBlockDiagonal || isOffsetBlockCausal || isBlockCausal;
}
