import { defineKernel, expectShape, type Gpu, type Pass, type Tensor } from "../src/gpu/mod.ts";
import source from "./rope_store.wgsl" with { type: "text" };
import rowFields from "./rows.wgsl" with { type: "text" };

const kernel = defineKernel("rope_store", source, rowFields);
const LANES = 32;
/** Positions in the fine table, and steps of as many in the coarse one. */
const NEAR = 1024;
const FAR = 2048;

/** Positions that the tables reach: 0 … MAX_POSITIONS - 1. */
export const MAX_POSITIONS = NEAR * FAR;

/** (cos, sin) of positions; an angle is the sum of one of each table. */
export interface RotaryTables extends Disposable {
  /** Pairs of components that rotate together: half the head size. */
  readonly pairs: number;
  readonly near: Tensor;
  readonly far: Tensor;
}

/**
 * Uploads rotary tables, computed in float64: f32 angles are off by 7e-5 at position 8,000 already.
 *
 * Source: Su et al. 2021, "RoFormer", eq. 15: θ_i = base^(-2i / headSize).
 */
export function rotaryTables(
  gpu: Gpu,
  { headSize, base }: { headSize: number; base: number },
): RotaryTables {
  const pairs = headSize / 2;
  const table = (name: string, positions: number, stride: number) => {
    const data = new Float32Array(positions * pairs * 2);
    for (let i = 0; i < positions * pairs; i++) {
      const angle = Math.floor(i / pairs) * stride * base ** (-(i % pairs) / pairs);
      data[2 * i] = Math.cos(angle);
      data[2 * i + 1] = Math.sin(angle);
    }
    return gpu.tensor(name, [positions, pairs, 2], { data, kind: "weights" });
  };
  const near = table("rotary near", NEAR, 1);
  const far = table("rotary far", FAR, NEAR);
  return {
    pairs,
    near,
    far,
    [Symbol.dispose]: () => {
      near[Symbol.dispose]();
      far[Symbol.dispose]();
    },
  };
}

/** Where keys and values of all sequences lie. */
export interface PagedCache {
  /** [slots, 1 + most pages] u32: how many pages a sequence has, then which. */
  readonly pages: Tensor;
  /** [pages, heads, pageTokens, head] f32 of one layer; `v` likewise. */
  readonly k: Tensor;
  readonly v: Tensor;
}

/** Operands of {@linkcode ropeStore}. */
export interface RopeStore {
  /** [rows, 3 · heads · head] f32: q, k and v, head by head. */
  readonly qkv: Tensor;
  readonly rows: Tensor;
  readonly counts: Tensor;
  readonly cache: PagedCache;
  readonly rotary: RotaryTables;
}

/**
 * Records the rotation of q and k, and stores k and v at their rows' places in the cache.
 *
 * @returns Rotated q, [rows, heads · head] f32, scratch of `pass`.
 * @throws {TypeError} If `qkv` is not three times as wide as the heads of the cache.
 */
export function ropeStore(pass: Pass, operands: RopeStore): Tensor {
  const { qkv, rows, counts, cache: { pages, k, v }, rotary } = operands;
  const [bound = 0] = qkv.shape;
  const [, heads = 0, page = 0, head = 0] = k.shape;
  expectShape(qkv, [bound, 3 * heads * head]);
  const q = pass.scratch("q", [bound, heads * head]);
  pass.dispatch(kernel, {
    tensors: { qkv, rows, counts, pages, near: rotary.near, far: rotary.far, q, k, v },
    constants: {
      HEADS: heads,
      HEAD: head,
      PAIRS: rotary.pairs,
      PAGE: page,
      TABLE: pages.shape[1]!,
      NEAR,
    },
    workgroups: [Math.ceil(heads * head / 2 / LANES), bound],
  });
  return q;
}
