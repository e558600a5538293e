import { assertEquals, assertRejects } from "@std/assert";
import { writeSafetensors } from "../../src/weights/safetensors_writer.ts";
import { readFixture } from "../support/fixtures.ts";

Deno.test("writeSafetensors() writes what readers of the format read", async () => {
  await withTempDirAsync(async (directory) => {
    const path = `${directory}/model.safetensors`;
    await writeSafetensors(path, [
      { name: "scalar", shape: [], read: () => Float32Array.of(0.5) },
      { name: "é", shape: [2, 3], read: () => Promise.resolve(Float32Array.of(1, 2, 3, 4, 5, -0)) },
      { name: "empty", shape: [0, 4], read: () => new Float32Array() },
    ]);
    const tensors = [...readFixture(path)].map((
      [name, { dtype, shape, data }],
    ) => [name, dtype, shape, [...data]]);
    assertEquals(tensors, [
      ["scalar", "F32", [], [0.5]],
      ["é", "F32", [2, 3], [1, 2, 3, 4, 5, -0]],
      ["empty", "F32", [0, 4], []],
    ]);
    // Data begins at a multiple of 8.
    const length = new DataView(Deno.readFileSync(path).buffer).getBigUint64(0, true);
    assertEquals(length % 8n, 0n);
  });
});

Deno.test("writeSafetensors() throws when a tensor has another size than its shape", async () => {
  await withTempDirAsync(async (directory) => {
    const tensor = { name: "a", shape: [3], read: () => new Float32Array(2) };
    const writing = writeSafetensors(`${directory}/a`, [tensor]);
    await assertRejects(() => writing, RangeError, "2 values, expected 3");
  });
});

async function withTempDirAsync(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
  try {
    await use(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
