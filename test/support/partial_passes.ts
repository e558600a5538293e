/** Passes in which few or no rows have a head, for networks of any family. */
import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import type { Network } from "../../src/model/mod.ts";
import { readStore } from "../kernels/host_cache.ts";
import { uploadCounts, uploadHeads } from "../kernels/tables.ts";
import { ForwardHarness, type Rows } from "./forward.ts";
import { readFloats } from "./gpu.ts";

/** Two sequences' blocks at different noise levels, with a prompt before one of them. */
function groupsFor({ blockSize, modelLength: window }: Network["config"]): Rows[] {
  const rows = (slot: number, position: number, length: number): Rows => ({
    tokens: Array.from({ length }, (_, i) => (7 * i + slot) % 10),
    ...{ slot, position, blockSize, window, sigma: 0.3 * slot + 0.1 },
  });
  return [rows(0, 0, 2 * blockSize), rows(1, 0, blockSize), rows(0, 2 * blockSize, blockSize)];
}

function open(gpu: Gpu, network: Network): ForwardHarness<Network> {
  return new ForwardHarness(gpu, network, { slots: 2, positions: 3 * network.config.blockSize });
}

/** Checks that heads alone have the bits that they have among all. */
export async function checkHeadsAlone(gpu: Gpu, network: Network): Promise<void> {
  using harness = open(gpu, network);
  const inputs = harness.inputs(groupsFor(network.config));
  const first = gpu.pass();
  using all = network.forward(first, inputs)!; // There are heads.
  first.submit();
  const [expected, width] = [await readFloats(gpu, all), all.shape[1]!];
  const { bound } = inputs;
  // None twice, in no order; some beyond the live ones.
  const asked = [bound - 1, 0, network.config.blockSize, 1, bound - 2];
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
}

/** Checks that keys and values of all layers are in the cache after a pass without any head. */
export async function checkWithoutHeads(gpu: Gpu, network: Network): Promise<void> {
  const fill = async (headBound: number) => {
    using harness = open(gpu, network);
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
  assertEquals(stores, await fill(4 * network.config.blockSize));
}
