/** Rows of a tile: 8 lanes with 4 rows each. */
export const TILE_ROWS = 32;

/** Words of 16 bytes, which kernels load at a time. */
const VECTOR_WORDS = 4;

/**
 * In what order the 32 rows of a tile lie, where lane l of 8 is to have the rows 4 l … 4 l + 3: by
 * `rows`, so that a lane loads two neighbours at once; or by `lanes`, each one's first row, then the
 * second, so that neighbouring lanes load neighbours.
 */
export type TileOrder = "rows" | "lanes";

/** How far the rows of a lane lie apart, and the first rows of two lanes, in vectors. */
export const TILE_STRIDES: Readonly<Record<TileOrder, { row: number; lane: number }>> = {
  rows: { row: 1, lane: 4 },
  lanes: { row: 8, lane: 1 },
};

/**
 * Puts 16-byte vectors of rows in the order of tiles, whatever they hold:
 * [rows / 32][vectors of a row][32].
 *
 * @param layout `rowBytes`: a multiple of 16.
 */
export function packTiles(
  rows: Uint8Array<ArrayBuffer>,
  { rowBytes, order }: { readonly rowBytes: number; readonly order: TileOrder },
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(rows.buffer, rows.byteOffset, rows.length / 4);
  const packed = new Uint32Array(words.length);
  const rowWords = rowBytes / 4;
  for (let row = 0; row * rowWords < words.length; row++) {
    let from = row * rowWords;
    for (
      let to = placeOf(row, { rowWords, order });
      from < (row + 1) * rowWords;
      to += TILE_ROWS * VECTOR_WORDS
    ) {
      packed[to] = words[from++]!;
      packed[to + 1] = words[from++]!;
      packed[to + 2] = words[from++]!;
      packed[to + 3] = words[from++]!;
    }
  }
  return packed;
}

/** Puts words of groups in the order of tiles, a vector for 4 rows of a lane: [groups][8][4]. */
export function packScales(
  scales: Uint32Array<ArrayBuffer>,
  groups: number,
): Uint32Array<ArrayBuffer> {
  const packed = new Uint32Array(scales.length);
  for (let row = 0; row * groups < scales.length; row++) {
    const tile = Math.floor(row / TILE_ROWS) * TILE_ROWS * groups + row % TILE_ROWS;
    for (let group = 0; group < groups; group++) {
      packed[tile + group * TILE_ROWS] = scales[row * groups + group]!;
    }
  }
  return packed;
}

/** Where a row's first vector lies: behind the tiles before, among 32 of its own. */
function placeOf(
  row: number,
  { rowWords, order }: { readonly rowWords: number; readonly order: TileOrder },
): number {
  const inTile = row % TILE_ROWS;
  const strides = TILE_STRIDES[order];
  const vector = inTile % 4 * strides.row + Math.floor(inTile / 4) * strides.lane;
  return (row - inTile) * rowWords + vector * VECTOR_WORDS;
}
