import { assertEquals, assertThrows } from "@std/assert";
import type { Dispatch, Gpu, Pass } from "../../src/gpu/mod.ts";
import { gpuTest, readFloats, runAndRead, upload } from "../support/gpu.ts";
import { affine, recordAffine } from "./affine.ts";

/** A dispatch of {@linkcode affine} with some of its parts exchanged. */
function dispatchWith(gpu: Gpu, pass: Pass, change: (right: Dispatch) => Partial<Dispatch>): void {
  using x = upload(gpu, [4], [1, 2, 3, 4]);
  using y = upload(gpu, [4], [0, 0, 0, 0]);
  const right = {
    tensors: { x, y },
    constants: { OFFSET: 0 },
    params: { length: 4, factor: 1 },
    workgroups: [1],
  };
  pass.dispatch(affine, { ...right, ...change(right) });
}

gpuTest("Pass.dispatch() throws when an operand is missing or unknown", (gpu) => {
  const pass = gpu.pass();
  const changes: ((right: Dispatch) => Partial<Dispatch>)[] = [
    ({ tensors: { x } }) => ({ tensors: { x: x! } }),
    ({ tensors: { x, y } }) => ({ tensors: { x: x!, z: y! } }),
    ({ tensors: { x, y } }) => ({ tensors: { x: x!, y: y!, z: y! } }),
    ({ tensors: { x, y } }) => ({ tensors: { x: x!, y: y!, params: y! } }),
  ];
  for (const change of changes) {
    const dispatch = () => dispatchWith(gpu, pass, change);
    assertThrows(dispatch, TypeError, `Cannot dispatch "affine": operands are [x`);
  }
  assertEquals(pass.dispatches, 0);
});

gpuTest("Pass.dispatch() throws when a constant is missing or unknown", (gpu) => {
  const pass = gpu.pass();
  dispatchWith(gpu, pass, (right) => right);
  const wrong: Record<string, number>[] = [{}, { WIDTH: 0 }, { OFFSET: 0, WIDTH: 0 }];
  for (const constants of wrong) {
    const dispatch = () => dispatchWith(gpu, pass, () => ({ constants }));
    assertThrows(dispatch, TypeError, `expected [OFFSET]`);
  }
  assertEquals(pass.dispatches, 1);
});

gpuTest("Pass.dispatch() throws when a parameter is missing or unknown", (gpu) => {
  const wrong: Record<string, number>[] = [
    {},
    { length: 4 },
    { length: 4, scale: 1 },
    { length: 4, factor: 1, scale: 1 },
  ];
  const pass = gpu.pass();
  for (const params of wrong) {
    const dispatch = () => dispatchWith(gpu, pass, () => ({ params }));
    assertThrows(dispatch, TypeError, `Cannot dispatch "affine": param`);
  }
  assertEquals(pass.dispatches, 0);
});

gpuTest("Pass.dispatch() throws when there are too many workgroups", (gpu) => {
  const pass = gpu.pass();
  for (const workgroups of [[65_536], [1, 65_536], [1, 1, 65_536]]) {
    const dispatch = () => dispatchWith(gpu, pass, () => ({ workgroups }));
    assertThrows(dispatch, RangeError, "expected at most 65535 each");
  }
  dispatchWith(gpu, pass, () => ({ workgroups: [65_535] }));
  assertEquals(pass.dispatches, 1);
});

gpuTest("Pass.dispatch() records nothing without workgroups", (gpu) => {
  const pass = gpu.pass();
  dispatchWith(gpu, pass, () => ({ workgroups: [4, 0] }));
  assertEquals(pass.dispatches, 0);
});

gpuTest("Pass.submit() runs dispatches in order, each with its own parameters", async (gpu) => {
  using x = upload(gpu, [65], Array(65).fill(1));
  using y = upload(gpu, [65], Array(65).fill(1));
  const pass = gpu.pass();
  for (const factor of [2, 3, 5, 2]) recordAffine(pass, { x, y, factor });
  // Another constant, and so another pipeline, in between.
  recordAffine(pass, { x, y, factor: 1, offset: 0.5 });
  recordAffine(pass, { x, y, factor: 3 });
  assertEquals(pass.dispatches, 6);
  pass.submit();
  // (((((1·2 + 1)·3 + 1)·5 + 1)·2 + 1) + 1.5)·3 + 1
  assertEquals(await readFloats(gpu, y), new Float32Array(65).fill(314.5));
});

gpuTest(
  "Pass.repeat() runs dispatches again, with other parameters where it is told",
  async (gpu) => {
    using x = upload(gpu, [3], [1, 1, 1]);
    using y = upload(gpu, [3], [1, 1, 1]);
    const pass = gpu.pass();
    recordAffine(pass, { x, y, factor: 7 });
    recordAffine(pass, { x, y, factor: 2 });
    recordAffine(pass, { x, y, factor: 3, offset: 0.5 });
    pass.repeat(1, 3, { segment: 4 });
    pass.repeat(1, 3, { factor: 5 });
    assertEquals(pass.dispatches, 7);
    pass.submit();
    // 1·7 + 1; then ·2 + 1 and ·3 + 1.5, twice; then ·5 + 1 and ·5 + 1.5.
    assertEquals(
      [...await readFloats(gpu, y)],
      Array(3).fill((((52.5 * 2 + 1) * 3 + 1.5) * 5 + 1) * 5 + 1.5),
    );
  },
);

gpuTest("Pass.dispatch() gives params of both types to the device unchanged", async (gpu) => {
  using x = upload(gpu, [3], [0, 0, 0]);
  const y = await runAndRead(gpu, (pass) => {
    const y = upload(gpu, [3], [1, 1, 1]);
    const params = { length: 2, factor: -0.1 };
    pass.dispatch(affine, {
      tensors: { x, y },
      constants: { OFFSET: 0 },
      params,
      workgroups: [1],
    });
    pass.dispatch(affine, {
      tensors: { x, y },
      constants: { OFFSET: 0 },
      params: { length: 0xffff_ffff, factor: 10 },
      workgroups: [1],
    });
    return y;
  });
  assertEquals([...y], [Math.fround(-0.1) * 10, Math.fround(-0.1) * 10, 10].map(Math.fround));
});

gpuTest("Pass.encode() keeps the parameters of passes that wait apart", async (gpu) => {
  using x = upload(gpu, [1], [1]);
  using y = upload(gpu, [1], [1]);
  const submits = [2, 3, 5].map((factor) => {
    const pass = gpu.pass();
    recordAffine(pass, { x, y, factor });
    return pass.encode();
  });
  // In another order than encoded, and nothing waits for the device in between.
  for (const i of [2, 0, 1]) submits[i]!();
  // ((1·5 + 1)·2 + 1)·3 + 1
  assertEquals(await readFloats(gpu, y), Float32Array.of(40));
});

gpuTest("Pass.submit() copies after the dispatches", async (gpu) => {
  using x = upload(gpu, [4], [1, 2, 3, 4]);
  using y = upload(gpu, [4], [1, 1, 1, 1]);
  using copy = gpu.tensor("copy", [4]);
  const pass = gpu.pass();
  recordAffine(pass, { x, y, factor: 10 });
  pass.submit([{ from: y, to: copy.buffer, bytes: 8 }]);
  assertEquals([...await readFloats(gpu, copy)], [11, 12, 0, 0]);
});

gpuTest("Pass.dispatch() takes 4,096 sets of parameters, equal ones once", async (gpu) => {
  using x = upload(gpu, [1], [0]);
  using y = upload(gpu, [1], [0]);
  const pass = gpu.pass();
  for (let i = 0; i < 4096; i++) recordAffine(pass, { x, y, factor: i });
  for (let i = 0; i < 100; i++) recordAffine(pass, { x, y, factor: i });
  const oneMore = () => recordAffine(pass, { x, y, factor: 5000 });
  assertThrows(oneMore, RangeError, "more than 4096 sets of params");
  const last = gpu.pass();
  for (let i = 0; i < 4095; i++) recordAffine(last, { x, y, factor: i });
  recordAffine(last, { x, y, factor: 0.5, offset: 7 });
  last.submit();
  assertEquals([...await readFloats(gpu, y)], [7]);
});

gpuTest("Pass.scratch() lends a buffer again once it is given back", (gpu) => {
  const pass = gpu.pass();
  let first: number;
  {
    using a = pass.scratch("a", [100]);
    using b = pass.scratch("b", [100]);
    assertEquals(a.id === b.id, false);
    assertEquals([a.shape, a.dtype], [[100], "f32"]);
    first = a.id;
  }
  const { scratch } = gpu.bytes;
  using again = pass.scratch("again", [50, 2], "u32");
  using another = pass.scratch("another", [7]);
  assertEquals([again, another].some(({ id }) => id === first), true);
  assertEquals(again.id === another.id, false);
  assertEquals(gpu.bytes.scratch, scratch);
  // Twice is once: a buffer given back twice would be lent to two.
  again[Symbol.dispose]();
  again[Symbol.dispose]();
  using c = pass.scratch("c", [100]);
  using d = pass.scratch("d", [100]);
  assertEquals(c.id === d.id, false);
});

gpuTest("Pass.scratch() lends the same buffer to dispatches in turn", async (gpu) => {
  using ones = upload(gpu, [64], Array(64).fill(1));
  using sum = upload(gpu, [64], Array(64).fill(0));
  const pass = gpu.pass();
  const ids = new Set<number>();
  for (const offset of [1, 2, 3]) {
    using partial = pass.scratch("partial", [64]);
    ids.add(partial.id);
    // partial = 0 · partial + 1 + offset, then sum = 10 · sum + partial.
    recordAffine(pass, { x: ones, y: partial, factor: 0, offset });
    recordAffine(pass, { x: partial, y: sum, factor: 10 });
  }
  pass.submit();
  assertEquals(ids.size, 1);
  assertEquals(await readFloats(gpu, sum), new Float32Array(64).fill(234));
});
