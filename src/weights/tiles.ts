/** Rows of a tile: 8 lanes with 4 rows each. */
export const TILE_ROWS = 32;

/** Words of 16 bytes, which kernels load at a time. */
const VECTOR_WORDS = 4;

/**
 * Puts 16-byte vectors of rows in the order of tiles, whatever they hold:
 * [rows / 32][vectors of a row][4][8], where vector (j, lane) belongs to row 4 lane + j.
 *
 * @param rowBytes A multiple of 16.
 */
export function packTiles(
  rows: Uint8Array<ArrayBuffer>,
  rowBytes: number,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(rows.buffer, rows.byteOffset, rows.length / 4);
  const packed = new Uint32Array(words.length);
  const rowWords = rowBytes / 4;
  for (let row = 0; row * rowWords < words.length; row++) {
    let from = row * rowWords;
    for (
      let to = placeInTile(row, rowWords);
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

/** Where a row's first vector lies: behind those of the tiles before, among 4 x 8 of its own. */
function placeInTile(row: number, rowWords: number): number {
  const inTile = row % TILE_ROWS;
  const vector = inTile % 4 * 8 + Math.floor(inTile / 4);
  return (row - inTile) * rowWords + vector * VECTOR_WORDS;
}
