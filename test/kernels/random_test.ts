import { assert, assertEquals } from "@std/assert";
import random from "../../kernels/random.wgsl" with { type: "text" };
import { type Stream, uniformAt } from "../../src/diffusion/random.ts";
import { defineKernel, type Gpu } from "../../src/gpu/mod.ts";
import { threefry2x32 } from "../reference/random.ts";
import { gpuTest, noise, readFloats, uploadWords } from "../support/gpu.ts";
import source from "./random_draws.wgsl" with { type: "text" };

const kernel = defineKernel("random_draws", source, random);
const WORDS = 6;
const STREAMS: readonly Stream[] = ["token", "order", "time"];

/** Runs the fragment on draws of six words each. */
async function draw(gpu: Gpu, words: readonly number[]) {
  const draws = words.length / WORDS;
  using inputs = uploadWords(gpu, words);
  using bits = uploadWords(gpu, new Uint32Array(2 * draws));
  using uniforms = gpu.tensor("uniforms", [draws]);
  const pass = gpu.pass();
  pass.dispatch(kernel, { tensors: { inputs, bits, uniforms }, workgroups: [draws / 64] });
  pass.submit();
  return { bits: new Uint32Array(await gpu.read(bits)), uniforms: await readFloats(gpu, uniforms) };
}

function randomWords(length: number, seed: number): number[] {
  return Array.from(noise(length, seed), (each) => Math.floor((each + 1) * 2 ** 31));
}

gpuTest("threefry() gives the published bits", async (gpu) => {
  // Random123, `kat_vectors`, threefry2x32 with 20 rounds: counter, then key.
  const known = [
    [0, 0, 0, 0],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
  ];
  const words = known.flatMap((each) => [...each, 0, 0]);
  const { bits } = await draw(gpu, [...words, ...Array(61 * WORDS).fill(0)]);
  assertEquals([...bits.subarray(0, 6)], [
    ...[0x6b200159, 0x99ba4efe, 0x1cb996fc, 0xbb002be7, 0xc4923a9c, 0x483df7a0],
  ]);
});

gpuTest("threefry() gives the bits of the reference for many counters", async (gpu) => {
  const words = randomWords(4096 * WORDS, 7);
  const { bits } = await draw(gpu, words);
  for (let i = 0; i < 4096; i++) {
    const [a, b, c, d] = words.slice(i * WORDS) as [number, number, number, number];
    assertEquals([bits[2 * i], bits[2 * i + 1]], [...threefry2x32([c, d], [a, b])], `draw ${i}`);
  }
});

gpuTest("uniform_at() gives the numbers of uniformAt() and of the reference", async (gpu) => {
  const random = randomWords(4096 * WORDS, 8);
  const at = Array.from({ length: 4096 }, (_, i) => {
    const [low, high, choice, stream, position, step] = random.slice(i * WORDS);
    // What they are kept within: 53 bits, 1024 choices, 3 streams, any position, 2^20 steps.
    return [
      low!,
      high! % 2 ** 21,
      choice! % 1024,
      stream! % 3,
      position!,
      step! % 2 ** 20,
    ] as const;
  });
  const { uniforms } = await draw(gpu, at.flat());
  at.forEach(([low, high, choice, stream, position, step], i) => {
    const seed = high * 2 ** 32 + low;
    const host = uniformAt(seed, { choice, stream: STREAMS[stream]!, position, step });
    assertEquals(uniforms[i], host, `draw ${i}`);
    const word = stream * 2 ** 30 + choice * 2 ** 20 + step;
    const [bits] = threefry2x32([low, high], [position, word]);
    assertEquals(host, Math.floor(bits / 256) / 2 ** 24, `draw ${i}`);
    assert(host >= 0 && host < 1);
  });
});
