import { assert, assertEquals } from "@std/assert";
import type { QwenDecoder } from "../../src/model/qwen_decoder.ts";
import { readStore } from "../kernels/host_cache.ts";
import { uploadCounts, uploadHeads } from "../kernels/tables.ts";
import { ForwardHarness, type Rows } from "../support/forward.ts";
import { gpuTest, readFloats } from "../support/gpu.ts";
import { loadQwenNetwork } from "../support/qwen.ts";
import { writeTinyQwen } from "../support/qwen_checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Two sequences' blocks, with a prompt before one of them. */
function groupsFor({ blockSize, modelLength: window }: QwenDecoder["config"]): Rows[] {
  const rows = (slot: number, position: number, length: number): Rows => ({
    tokens: Array.from({ length }, (_, i) => (7 * i + slot) % 10),
    ...{ slot, position, blockSize, window },
  });
  return [rows(0, 0, 2 * blockSize), rows(1, 0, blockSize), rows(0, 2 * blockSize, blockSize)];
}

for (const format of ["f32", "int8"] as const) {
  gpuTest(
    `QwenDecoder gives heads alone the bits they have among all, in ${format}`,
    async (gpu) => {
      using network = withTempDir((directory) => {
        writeTinyQwen(directory);
        return loadQwenNetwork(gpu, directory, { format, cacheFormat: "f16" });
      });
      const { blockSize } = network.config;
      using harness = new ForwardHarness(gpu, network, { slots: 2, positions: 3 * blockSize });
      const inputs = harness.inputs(groupsFor(network.config));
      const first = gpu.pass();
      using all = network.forward(first, inputs)!; // There are heads.
      first.submit();
      const [expected, width] = [await readFloats(gpu, all), all.shape[1]!];
      const { bound } = inputs;
      // None twice, in no order; some beyond the live ones.
      const asked = [bound - 1, 0, blockSize, 1, bound - 2];
      using heads = uploadHeads(gpu, asked.map((row) => ({ row })));
      for (const live of [1, 3, asked.length]) {
        using counts = uploadCounts(gpu, { rows: bound, heads: live });
        const pass = gpu.pass();
        using some = network.forward(pass, { ...inputs, counts, heads, headBound: asked.length })!;
        assertEquals(some.shape, [asked.length, width]);
        pass.submit();
        const found = await readFloats(gpu, some);
        asked.slice(0, live).forEach((row, i) => {
          const ofRow = expected.slice(row * width, (row + 1) * width);
          assertEquals(found.slice(i * width, (i + 1) * width), ofRow, `row ${row}, ${live} live`);
        });
      }
    },
  );
}

gpuTest(
  "QwenDecoder leaves keys and values of all layers in the cache without any head",
  async (gpu) => {
    using network = withTempDir((directory) => {
      writeTinyQwen(directory, { hasQkNorm: false, hasBias: true });
      return loadQwenNetwork(gpu, directory);
    });
    const { blockSize } = network.config;
    const fill = async (headBound: number) => {
      using harness = new ForwardHarness(gpu, network, { slots: 2, positions: 3 * blockSize });
      const inputs = harness.inputs(groupsFor(network.config));
      const pass = gpu.pass();
      using hidden = network.forward(pass, { ...inputs, headBound });
      assertEquals(hidden === null, headBound === 0);
      pass.submit();
      const stores = harness.cache.layers.flatMap(({ k, v }) => [k, v]);
      return await Promise.all(stores.map((each) => readStore(gpu, each)));
    };
    const stores = await fill(0);
    assert(stores.every((values) => values.some((value) => value !== 0)));
    assertEquals(stores, await fill(4 * blockSize));
  },
);
