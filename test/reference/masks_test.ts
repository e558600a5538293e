import { basename, join } from "@std/path";
import { assertEquals } from "@std/assert";
import {
  commonFolder,
  fixtureFolders,
  integersOf,
  readFixture,
  readJson,
  tensorOf,
} from "../support/fixtures.ts";
import { blockBand, blockCausal, twoStream } from "./masks.ts";
import { loadNetwork } from "./network.ts";

/** Rows of "0" and "1": what each query sees. */
function rowsOf(length: number, visible: (query: number, key: number) => boolean): string[] {
  const indices = [...Array(length).keys()];
  return indices.map((query) => indices.map((key) => visible(query, key) ? "1" : "0").join(""));
}

interface MaskCase {
  readonly n: number;
  readonly block_size: number;
  readonly rows: string[];
}

for (const { n, block_size, rows } of readJson(join(commonFolder(), "mask.json")) as MaskCase[]) {
  Deno.test(`twoStream() gives the recorded mask of ${n} tokens in blocks of ${block_size}`, () => {
    const options = { length: n, blockSize: block_size };
    assertEquals(rowsOf(2 * n, (query, key) => twoStream(query, key, options)), rows);
  });

  Deno.test(`blockCausal() is the clean quadrant of ${n} tokens in blocks of ${block_size}`, () => {
    const clean = rows.slice(n).map((row) => row.slice(n));
    const options = { blockSize: block_size };
    assertEquals(rowsOf(n, (query, key) => blockCausal(query, key, options)), clean);
  });
}

for (const folder of fixtureFolders()) {
  Deno.test(`twoStream() gives the attention mask of ${basename(folder)}`, () => {
    const mask = tensorOf(readFixture(join(folder, "train.safetensors")), "attention_mask");
    const length = mask.shape[0]! / 2;
    const options = { length, blockSize: loadNetwork(folder).config.block_size };
    const rows = rowsOf(2 * length, (query, key) => twoStream(query, key, options));
    const recorded = [...mask.data].join("");
    assertEquals(rows.join(""), recorded);
  });

  Deno.test(`blockBand() keeps as many tokens as the cache of ${basename(folder)} holds`, () => {
    const { block_size: blockSize, model_length: length } = loadNetwork(folder).config;
    const window = length / blockSize;
    const sliding = readFixture(join(folder, "sliding.safetensors"));
    const rows = [...integersOf(sliding, "x0").keys()];
    const cached = integersOf(sliding, "cache_idx_before_block");
    const seen = cached.map((_, block) => {
      const query = block * blockSize;
      return rows.filter((key) => key < query && blockBand(query, key, { blockSize, window }))
        .length;
    });
    assertEquals(seen, cached);
  });
}

Deno.test("blockBand() drops the oldest block as the window slides", () => {
  const options = { blockSize: 2, window: 2 };
  assertEquals(rowsOf(6, (query, key) => blockBand(query, key, options)), [
    "110000",
    "110000",
    "111100",
    "111100",
    "001111",
    "001111",
  ]);
});
