import { defineKernel, expectShape, type Kernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import source from "./attention.wgsl" with { type: "text" };
import size128 from "./head_sizes/128.wgsl" with { type: "text" };
import size16 from "./head_sizes/16.wgsl" with { type: "text" };
import size256 from "./head_sizes/256.wgsl" with { type: "text" };
import size32 from "./head_sizes/32.wgsl" with { type: "text" };
import size64 from "./head_sizes/64.wgsl" with { type: "text" };
import size96 from "./head_sizes/96.wgsl" with { type: "text" };
import type { PagedCache } from "./rope_store.ts";
import rowFields from "./rows.wgsl" with { type: "text" };

const SIZES: Readonly<Record<number, string>> = {
  16: size16,
  32: size32,
  64: size64,
  96: size96,
  128: size128,
  256: size256,
};
const KERNELS = new Map<number, Kernel>(
  Object.entries(SIZES).map(([size, fragment]) => [
    Number(size),
    defineKernel("attention", source, rowFields, fragment),
  ]),
);
const LANES = 8;
/** Keys of one rescaling: KEYS of attention.wgsl. */
const KEYS = 8;

/**
 * Keys of one dispatch. llvmpipe leaves every loop of an invocation, in silence, after 65,535
 * iterations in all; it unrolls the loops over the components of a head up to 128 of them only.
 */
function keysPerDispatch(head: number, isCpu: boolean): number {
  if (!isCpu) return 1 << 30;
  return head > 128 ? 256 : 16_384;
}

/**
 * Size to which heads are padded with zeros.
 *
 * @throws {RangeError} If heads are larger than the kernels can take.
 */
export function paddedHeadSize(headSize: number): number {
  const size = [...KERNELS.keys()].find((each) => each >= headSize);
  if (size === undefined) {
    throw new RangeError(`Cannot attend: head size is ${headSize}, expected at most 256`);
  }
  return size;
}

/** Operands of {@linkcode attention}. */
export interface Attention {
  /** [rows, heads · head] f32, rotated. */
  readonly q: Tensor;
  readonly rows: Tensor;
  readonly counts: Tensor;
  /** Holds the keys and values of every position that a row sees, its own included. */
  readonly cache: PagedCache;
  /** Components of a head without padding: the scale is its root's inverse. */
  readonly headSize: number;
}

/**
 * Records softmax attention of every live row over the positions it sees.
 *
 * @returns [rows, heads · head] f32, scratch of `pass`.
 * @throws {TypeError} If `q` is not as wide as the heads of the cache.
 */
export function attention(pass: Pass, operands: Attention): Tensor {
  const { q, rows, counts, cache: { pages, k, v }, headSize } = operands;
  const [bound = 0] = q.shape;
  const [, heads = 0, page = 0, head = 0] = k.shape;
  expectShape(q, [bound, heads * head]);
  const kernel = KERNELS.get(head);
  if (!kernel) throw new TypeError(`Cannot attend: heads of ${head}, expected a padded size`);
  const o = pass.scratch("attention", [bound, heads * head]);
  using state = pass.scratch("attention state", [bound, heads, 2]);
  const table = pages.shape[1]!;
  const keys = keysPerDispatch(head, pass.gpu.isCpu);
  // A row sees no more than its sequence's pages hold; its first chunk may begin before its keys.
  for (let skip = 0; skip < (table - 1) * page + KEYS; skip += keys) {
    pass.dispatch(kernel, {
      tensors: { q, k, v, rows, counts, pages, o, state },
      constants: { HEADS: heads, PAGE: page, TABLE: table, SCALE: 1 / Math.sqrt(headSize) },
      params: { skip, keys },
      workgroups: [Math.ceil(bound / LANES), heads],
    });
  }
  return o;
}
