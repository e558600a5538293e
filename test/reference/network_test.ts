import { basename, join } from "@std/path";
import { assert, assertEquals } from "@std/assert";
import { assertClose } from "../support/assert_close.ts";
import {
  type Fixture,
  fixtureFolders,
  floatsOf,
  hasFile,
  integersOf,
  readFixture,
  tensorOf,
} from "../support/fixtures.ts";
import { subsLogProbabilities } from "./forward.ts";
import {
  forward,
  forwardBlockCausal,
  forwardTwoStream,
  joinKeyValues,
  type KeyValues,
  loadNetwork,
  type Network,
} from "./network.ts";

for (const folder of fixtureFolders()) {
  const name = basename(folder);
  const network = loadNetwork(folder);
  const train = readFixture(join(folder, "train.safetensors"));
  const sigma = floatsOf(train, "sigma")[0]!;

  Deno.test(`forwardTwoStream() gives every value of the training pass of ${name}`, () => {
    for (let entry = 0; entry < tensorOf(train, "x0").shape[0]!; entry++) {
      checkTrainingPass(network, { train, entry });
    }
  });

  for (const format of ["f16", "bf16"]) {
    const file = `model.${format}.safetensors`;
    if (!hasFile(join(folder, file))) continue;
    Deno.test(`forwardTwoStream() widens the ${format} weights of ${name}`, () => {
      const half = loadNetwork(folder, file);
      const { xt, x0 } = entryOf(train, 0);
      const logits = forwardTwoStream(half, { xt, x0, sigma });
      assertClose(logits, floatsOf(train, `logits_${format}_weights`));
    });
  }

  if (hasFile(join(folder, "layer0.safetensors"))) {
    Deno.test(`forwardBlockCausal() gives every value inside layer 0 of ${name}`, () => {
      checkLayer0(network, { layer0: readFixture(join(folder, "layer0.safetensors")), sigma });
    });
  }

  Deno.test(`forward() gives the logits of ${name} block by block from a cache`, () => {
    const sample = readFixture(join(folder, "sample.safetensors"));
    const tokens = sequencesOf(sample);
    const expected = floatsOf(sample, "logits");
    assertClose(cachedLogits(network, { ...tokens, sigma }), expected, {}, "cached");
    assertClose(forwardTwoStream(network, { ...tokens, sigma }), expected, {}, "two streams");
    if (!sample.has("qkv_clean")) return;
    const record = new Map<string, Float64Array>();
    forwardBlockCausal(network, { tokens: tokens.x0, sigma, record });
    const qkv = Array.from(
      { length: network.config.n_blocks },
      (_, layer) => [...record.get(`layer${layer}.qkv`)!],
    );
    assertClose(qkv.flat(), floatsOf(sample, "qkv_clean"), {}, "qkv_clean");
  });

  const sliding = readFixture(join(folder, "sliding.safetensors"));

  Deno.test(`forward() gives the logits of ${name} from a cache that slides`, () => {
    const actual = cachedLogits(network, { ...sequencesOf(sliding), sigma });
    assertClose(actual, floatsOf(sliding, "logits_cached"));
  });

  Deno.test(`forwardBlockCausal() with a window equals the sliding cache of ${name}`, () => {
    const { model_length: length, block_size: blockSize } = network.config;
    const { x0, xt } = sequencesOf(sliding);
    // The last block is the noisy one: its rows see the clean blocks of the window.
    const tokens = [...x0.slice(0, -blockSize), ...xt.slice(-blockSize)];
    const window = length / blockSize;
    const { logits } = forwardBlockCausal(network, { tokens, sigma, window });
    const lastRows = blockSize * network.config.vocab_size;
    assertClose(logits.slice(-lastRows), floatsOf(sliding, "logits_cached").slice(-lastRows));
  });

  Deno.test(`forwardBlockCausal() gives the recomputed logits of ${name}`, () => {
    const { model_length: length, block_size: blockSize, vocab_size: vocabulary } = network.config;
    const { x0, xt } = sequencesOf(sliding);
    const logits = blocksOf(xt, blockSize).flatMap((noisy, block) => {
      const tokens = [...x0.slice(0, block * blockSize), ...noisy].slice(-length);
      const result = forwardBlockCausal(network, { tokens, sigma });
      return [...result.logits.slice(-blockSize * vocabulary)];
    });
    assertClose(logits, floatsOf(sliding, "logits_recomputed"));
  });
}

Deno.test("forward() without adaLN equals zero shifts and scales and open gates", () => {
  const network = loadNetwork(fixtureFolders()[0]!);
  const width = network.config.hidden_dim;
  const tokens = [0, 1, 2, 3].map((token) => token % network.config.vocab_size);
  const isAdaln = (name: string) => name.includes("adaLN") || name.includes("sigma_map");
  const plain = new Map([...network.weights].filter(([name]) => !isAdaln(name)));
  const neutral: Fixture = new Map(
    [...network.weights].map(([name, { dtype, shape, data }]) => {
      if (!name.includes("adaLN")) return [name, { dtype, shape, data }];
      // Six vectors in a bias: shift, scale, gate, twice. Every third is a gate.
      const isGate = (i: number) => name.endsWith("bias") && Math.floor(i / width) % 3 === 2;
      return [name, { dtype, shape, data: Float32Array.from(data, (_, i) => isGate(i) ? 1 : 0) }];
    }),
  );
  const without = { config: { ...network.config, adaln: false }, weights: plain };
  const { logits } = forwardBlockCausal({ ...network, weights: neutral }, { tokens, sigma: 0 });
  assertClose(forwardBlockCausal(without, { tokens, sigma: 0 }).logits, logits, {
    tolerance: 1e-12,
  });
});

function checkTrainingPass(
  network: Network,
  { train, entry }: { train: Fixture; entry: number },
): void {
  const { n_blocks: layers, vocab_size: vocabulary } = network.config;
  const { xt, x0 } = entryOf(train, entry);
  const sigma = floatsOf(train, "sigma")[entry]!;
  const record = new Map<string, Float64Array>();
  const logits = forwardTwoStream(network, { xt, x0, sigma, record });
  assertClose(logits, rowOf(train, "logits", entry)!, {}, "logits");
  if (network.config.adaln !== false) checkConditioning(record, { layers, train, entry });
  for (let depth = 0; depth <= layers; depth++) {
    // Some recordings hold the first entry of the batch only.
    const expected = rowOf(train, `hidden.${depth}`, entry);
    if (expected) assertClose(record.get(`hidden.${depth}`)!, expected, {}, `hidden.${depth}`);
  }
  if (!train.has("log_p_subs")) return;
  const logP = subsLogProbabilities(logits, xt, { mask: vocabulary - 1 });
  const recorded = rowOf(train, "log_p_subs", entry)!;
  // Impossible entries hold about -1e6 and would drown the others.
  const isPossible = (value: number) => value > -1e5;
  assertEquals([...logP].map(isPossible), [...recorded].map(isPossible));
  assertClose(logP.filter(isPossible), recorded.filter(isPossible), {}, "log_p_subs");
}

function checkConditioning(
  record: ReadonlyMap<string, Float64Array>,
  { layers, train, entry }: { layers: number; train: Fixture; entry: number },
): void {
  for (const name of ["cond", "final_modulation"]) {
    assertClose(record.get(name)!, rowOf(train, name, entry)!, {}, name);
  }
  const modulation = Array.from(
    { length: layers },
    (_, layer) => [...record.get(`layer${layer}.modulation`)!],
  );
  assertClose(modulation.flat(), rowOf(train, "modulation", entry)!, {}, "modulation");
}

function checkLayer0(
  network: Network,
  { layer0, sigma }: { layer0: Fixture; sigma: number },
): void {
  const record = new Map<string, Float64Array>();
  const tokens = integersOf(layer0, "tokens");
  const { logits } = forwardBlockCausal(network, { tokens, sigma, record });
  assertClose(logits, floatsOf(layer0, "logits"), {}, "logits");
  const others = ["tokens", "logits", "inv_freq"];
  const names = [...layer0.keys()].filter((name) => !others.includes(name));
  assert(names.includes("q_rotated"));
  for (const name of names) {
    assertClose(record.get(`layer0.${name}`) ?? [], floatsOf(layer0, name), {}, name);
  }
}

/** Entry `entry` of a batched tensor, or null where only earlier ones were recorded. */
function rowOf(fixture: Fixture, name: string, entry: number): Float32Array | Float64Array | null {
  const { shape } = tensorOf(fixture, name);
  if (entry >= shape[0]!) return null;
  const data = floatsOf(fixture, name);
  const size = data.length / shape[0]!;
  return data.subarray(entry * size, (entry + 1) * size);
}

function entryOf(train: Fixture, entry: number): { xt: number[]; x0: number[] } {
  const length = tensorOf(train, "x0").shape[1]!;
  const slice = (name: string) =>
    integersOf(train, name).slice(entry * length, (entry + 1) * length);
  return { xt: slice("xt"), x0: slice("x0") };
}

function sequencesOf(fixture: Fixture): { x0: number[]; xt: number[] } {
  return { x0: integersOf(fixture, "x0"), xt: integersOf(fixture, "xt") };
}

function blocksOf(tokens: number[], blockSize: number): number[][] {
  const count = tokens.length / blockSize;
  return Array.from(
    { length: count },
    (_, block) => tokens.slice(block * blockSize, (block + 1) * blockSize),
  );
}

/** Logits of every noisy block after the clean blocks before it, which are committed one by one. */
function cachedLogits(
  network: Network,
  { x0, xt, sigma }: { x0: number[]; xt: number[]; sigma: number },
): number[] {
  const { model_length: length, block_size: blockSize } = network.config;
  const committed: KeyValues[] = [];
  return blocksOf(xt, blockSize).flatMap((noisy, block) => {
    const start = block * blockSize;
    const past = joinKeyValues(committed.slice(Math.max(0, block - (length / blockSize - 1))));
    const positions = noisy.map((_, i) => start + i);
    const pass = { positions, past, sigma, visible: () => true };
    const { logits } = forward(network, { ...pass, tokens: noisy });
    const clean = x0.slice(start, start + blockSize);
    committed.push(forward(network, { ...pass, tokens: clean }));
    return [...logits];
  });
}
