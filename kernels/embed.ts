import { defineKernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import type { Embedding, TileOrder } from "../src/weights/formats.ts";
import source from "./embed.wgsl" with { type: "text" };
import f16 from "./embeddings/f16.wgsl" with { type: "text" };
import f16Tiles from "./embeddings/f16_tiles.wgsl" with { type: "text" };
import f32 from "./embeddings/f32.wgsl" with { type: "text" };
import f32Tiles from "./embeddings/f32_tiles.wgsl" with { type: "text" };
import rowFields from "./rows.wgsl" with { type: "text" };
import { tileStrides } from "./tile_strides.ts";

const BY_ROWS = {
  f32: defineKernel("embed", source, rowFields, f32),
  f16: defineKernel("embed", source, rowFields, f16),
};
const byTiles = (order: TileOrder) => ({
  f32: defineKernel("embed", source, rowFields, f32Tiles, tileStrides(order)),
  f16: defineKernel("embed", source, rowFields, f16Tiles, tileStrides(order)),
});
const BY_TILES = { rows: byTiles("rows"), lanes: byTiles("lanes") };
const LANES = 64;

/** Operands of {@linkcode embed}. */
export interface Embed {
  readonly rows: Tensor;
  readonly counts: Tensor;
  /** Rows of the result; no fewer than live ones. */
  readonly bound: number;
  readonly embedding: Embedding;
}

/**
 * Records the look-up of every live row's token.
 *
 * @returns [bound, width] f32, scratch of `pass`.
 */
export function embed(pass: Pass, { rows, counts, bound, embedding }: Embed): Tensor {
  const x = pass.scratch("embed", [bound, embedding.width]);
  const kernels = embedding.order ? BY_TILES[embedding.order] : BY_ROWS;
  const columns4 = embedding.width / 4;
  for (const { first, tokens, weight } of embedding.parts) {
    pass.dispatch(kernels[embedding.format], {
      tensors: { rows, counts, x, embedding: weight },
      constants: { WIDTH4: columns4 },
      params: { first, tokens },
      workgroups: [Math.ceil(columns4 / LANES), bound],
    });
  }
  return x;
}
