import { TILE_STRIDES, type TileOrder } from "../src/weights/formats.ts";

/** Fragment: how the vectors of a tile lie. */
export function tileStrides(order: TileOrder): string {
  const { row, lane } = TILE_STRIDES[order];
  return `const ROW_STRIDE = ${row}u;\nconst LANE_STRIDE = ${lane}u;\n`;
}
