import { assertEquals, assertThrows } from "@std/assert";
import {
  attention,
  attentionBackward,
  type Sharing,
  type Streams,
} from "../../../kernels/training/attention.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { attentionBackward as referenceBackward } from "../../reference/backward.ts";
import { attention as referenceAttention } from "../../reference/forward.ts";
import { twoStream } from "../../reference/masks.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../../support/gpu.ts";
import { assertSlope } from "./slopes.ts";

interface Shape extends Streams {
  readonly heads: number;
  readonly headSize: number;
  /** Whether clean rows ask too; all do where left out. */
  readonly isLast?: boolean;
}

const SHAPES: readonly Shape[] = [
  { sequences: 1, length: 8, blockSize: 8, streams: 1, heads: 1, headSize: 8 },
  { sequences: 1, length: 8, blockSize: 1, streams: 2, heads: 1, headSize: 8 },
  { sequences: 2, length: 24, blockSize: 3, streams: 2, heads: 2, headSize: 16 },
  { sequences: 1, length: 32, blockSize: 4, streams: 2, heads: 2, headSize: 32 },
  { sequences: 2, length: 32, blockSize: 16, streams: 2, heads: 1, headSize: 64, isLast: true },
  { sequences: 1, length: 32, blockSize: 32, streams: 2, heads: 1, headSize: 64 },
  { sequences: 1, length: 48, blockSize: 2, streams: 2, heads: 1, headSize: 40, isLast: true },
  { sequences: 2, length: 64, blockSize: 8, streams: 2, heads: 1, headSize: 32 },
];
const SHARINGS: readonly Sharing[] = ["subgroup", "direct"];

for (const shape of SHAPES) {
  const { sequences, length, blockSize, streams, heads, headSize, isLast = false } = shape;
  const name = `${sequences} x ${length} in blocks of ${blockSize}, ${streams} streams, ` +
    `${heads} heads of ${headSize}${isLast ? ", noisy rows only" : ""}`;
  const rows = sequences * length * streams;
  const asking = isLast ? sequences * length : rows;
  const width = heads * headSize;
  const values = noise(rows * 3 * width, 5);
  const dy = noise(asking * width, 6);

  gpuTest(`attention() and its way back match the reference for ${name}`, async (gpu) => {
    const expected = reference(values, { shape, dy });
    for (const sharing of sharingsOf(gpu)) {
      const { o, dQkv } = await run(gpu, { values, dy, shape, sharing });
      assertClose(o, expected.o, {}, `${sharing} o`);
      assertClose(dQkv, expected.dQkv, {}, `${sharing} dqkv`);
    }
  });

  gpuTest(`attentionBackward() is the slope for ${name}`, async (gpu) => {
    const { dQkv } = await run(gpu, { values, dy, shape });
    const forward = async (x: Float32Array) => (await run(gpu, { values: x, dy, shape })).o;
    await assertSlope({ x: values, dy, gradient: dQkv, forward }, "qkv");
  });
}

gpuTest("attention() never reads what a row does not see", async (gpu) => {
  const shape = SHAPES[3]!;
  const { length, heads, headSize } = shape;
  const stride = 3 * heads * headSize;
  const values = noise(2 * length * stride, 7);
  const dy = noise(2 * length * heads * headSize, 8);
  const before = await run(gpu, { values, dy, shape });
  // The last clean block: only it sees itself.
  values.fill(1e30, (2 * length - 4) * stride);
  const after = await run(gpu, { values, dy, shape });
  const seen = (2 * length - 4) * heads * headSize;
  assertEquals(after.o.subarray(0, seen), before.o.subarray(0, seen));
});

gpuTest("attention() throws when heads or sequences are no whole octets", (gpu) => {
  const streams = { sequences: 1, length: 12, blockSize: 4, streams: 1 } as const;
  using qkv = gpu.tensor("qkv", [12, 24]);
  assertThrows(
    () => attention(gpu.pass(), { qkv, heads: 1, streams, asking: 12 }),
    TypeError,
    "multiples of 8",
  );
});

function sharingsOf(gpu: Gpu): readonly Sharing[] {
  return gpu.deviceClass === "cpu with subgroups" ? SHARINGS : ["direct"];
}

async function run(
  gpu: Gpu,
  { values, dy, shape, sharing }: {
    values: Float32Array;
    dy: Float32Array;
    shape: Shape;
    sharing?: Sharing;
  },
) {
  const { sequences, length, heads, headSize, isLast = false, streams } = shape;
  const rows = sequences * length * streams;
  const asking = isLast ? sequences * length : rows;
  using qkv = upload(gpu, [rows, 3 * heads * headSize], values);
  using dO = upload(gpu, [asking, heads * headSize], dy);
  const pass = gpu.pass();
  const operands = { qkv, heads, streams: shape, asking };
  using attended = attention(pass, operands, sharing);
  using dQkv = attentionBackward(pass, { ...operands, ...attended, dO }, sharing);
  pass.submit();
  return { o: await readFloats(gpu, attended.o), dQkv: await readFloats(gpu, dQkv) };
}

/** Sequence by sequence, in the rows' order. */
function reference(values: Float32Array, { shape, dy }: { shape: Shape; dy: Float32Array }) {
  const { sequences, length, blockSize, streams, heads, headSize, isLast = false } = shape;
  const width = heads * headSize;
  const rows = sequences * length * streams;
  const asking = isLast ? sequences * length : rows;
  const o = new Float64Array(asking * width);
  const dQkv = new Float64Array(rows * 3 * width);
  for (let s = 0; s < sequences; s++) {
    const own = Array.from(
      { length: length * streams },
      (_, i) => (Math.floor(i / length) * sequences + s) * length + i % length,
    );
    const take = (part: number) =>
      Float64Array.from(own.flatMap((row) => {
        const at = (row * 3 + part) * width;
        return [...values.subarray(at, at + width)];
      }));
    const visible = (query: number, key: number) => twoStream(query, key, { length, blockSize });
    const operands = { q: take(0), k: take(1), v: take(2), heads, headSize, visible };
    const ownO = referenceAttention(operands);
    const ownDy = Float64Array.from(
      own.flatMap((row) =>
        row < asking ? [...dy.subarray(row * width, (row + 1) * width)] : Array(width).fill(0)
      ),
    );
    const back = referenceBackward(ownDy, operands);
    own.forEach((row, i) => {
      if (row < asking) o.set(ownO.subarray(i * width, (i + 1) * width), row * width);
      [back.q, back.k, back.v].forEach((each, part) =>
        dQkv.set(each.subarray(i * width, (i + 1) * width), (row * 3 + part) * width)
      );
    });
  }
  return { o, dQkv };
}
