import { assert, assertEquals } from "@std/assert";
import { basename } from "@std/path";
import { type Fixture, fixtureFolders, floatsOf } from "../support/fixtures.ts";
import { noise } from "../support/noise.ts";
import { noisyBatch } from "../support/noisy_batch.ts";
import { loadNetwork, type Network } from "./network.ts";
import { batchGradients, batchLoss, type Gradients } from "./network_backward.ts";

// Of a float64 loss of order 1: truncation h² and rounding 1e-16 / h both stay below 1e-9.
const STEP = 2e-6;

for (const folder of fixtureFolders()) {
  const network = loadNetwork(folder);
  // The largest of them takes minutes in plain loops.
  if (network.config.model_length > 64) continue;
  const { isParameter } = parametersOf(network);

  Deno.test(`batchGradients() equals central differences of ${basename(folder)}`, () => {
    const batch = noisyBatch(network.config, { sequences: 2, seed: 3 });
    const { loss, gradients } = batchGradients(network, batch);
    assertEquals(loss, batchLoss(network, batch));
    assertEquals(
      [...gradients.keys()].sort(),
      [...network.weights.keys()].filter(isParameter).sort(),
    );
    for (const seed of [1, 2]) {
      const direction = directionFor(network, seed);
      const ahead = batchLoss(moved(network, direction, STEP), batch);
      const behind = batchLoss(moved(network, direction, -STEP), batch);
      assertSlope((ahead - behind) / (2 * STEP), slope(gradients, direction));
    }
  });

  Deno.test(`batchGradients() is right for every single weight of ${basename(folder)}`, () => {
    const batch = noisyBatch(network.config, { sequences: 1, seed: 4 });
    const { gradients } = batchGradients(network, batch);
    for (const [name, gradient] of gradients) {
      const all = directionFor(network, 5);
      const direction: Gradients = new Map([[name, all.get(name)!]]);
      const ahead = batchLoss(moved(network, direction, STEP), batch);
      const behind = batchLoss(moved(network, direction, -STEP), batch);
      assertSlope(
        (ahead - behind) / (2 * STEP),
        slope(new Map([[name, gradient]]), direction),
        name,
      );
    }
  });
}

Deno.test("batchGradients() of full diffusion and of one token a block differ", () => {
  const network = loadNetwork(fixtureFolders()[0]!);
  const batch = noisyBatch(network.config, { sequences: 1, seed: 6 });
  const [one, all] = [1, network.config.model_length].map((size) =>
    batchLoss(network, batch, size)
  );
  assert(Math.abs(one! - all!) > 1e-3);
});

function parametersOf({ weights }: Network) {
  const buffers = ["sampling_eps_min", "sampling_eps_max", "backbone.rotary_emb.inv_freq"];
  return { isParameter: (name: string) => weights.has(name) && !buffers.includes(name) };
}

function directionFor({ weights }: Network, seed: number): Gradients {
  return new Map([...weights.keys()].map((name, i) => {
    const { length } = floatsOf(weights, name);
    return [name, Float64Array.from(noise(length, 100 * seed + i))];
  }));
}

function moved({ config, weights }: Network, direction: Gradients, by: number): Network {
  const at: Fixture = new Map([...weights].map(([name, tensor]) => {
    const along = direction.get(name);
    if (!along) return [name, tensor];
    const data = Float64Array.from(tensor.data, (value, i) => value + by * along[i]!);
    return [name, { ...tensor, dtype: "F64", data }];
  }));
  return { config, weights: at };
}

function slope(gradients: Gradients, direction: Gradients): number {
  let sum = 0;
  for (const [name, gradient] of gradients) {
    gradient.forEach((each, i) => sum += each * direction.get(name)![i]!);
  }
  return sum;
}

function assertSlope(actual: number, expected: number, name = "all weights"): void {
  const error = Math.abs(actual - expected) / Math.max(Math.abs(expected), 1e-3);
  assert(error < 1e-6, `${name}: slope is ${actual}, expected ${expected}`);
}
