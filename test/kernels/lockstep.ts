import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Row } from "../../kernels/mod.ts";
import type { Proposal } from "../../src/diffusion/block.ts";
import type { DecodingRules } from "../../src/model/decoding_rules.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import { blockBand } from "../reference/masks.ts";
import { BD3LM_RULES } from "../support/decoding_rules.ts";
import { noise } from "../support/noise.ts";
import type { DeviceSequences, Entry, Planned } from "./device_sequences.ts";
import { type ExpectedPlan, ExpectedSequence } from "./expected_sequence.ts";

/** A request with everything at its plainest. */
export const PLAIN: SequenceOptions = {
  prompt: [],
  maxTokens: 16,
  blockSize: 4,
  strategy: { strategy: "sequential" },
  temperature: 1,
  topP: 1,
  topK: 0,
  seed: 7,
  choice: 0,
  stopTokens: [],
};

/** Every strategy, some with few steps and with bounds that f32 holds exactly. */
export const ALL_STRATEGIES: readonly SequenceOptions["strategy"][] = [
  { strategy: "first_hitting" },
  { strategy: "ancestral", steps: 5 },
  { strategy: "ancestral", steps: 128 },
  { strategy: "sequential" },
  { strategy: "sequential", steps: 3 },
  { strategy: "random" },
  { strategy: "random", steps: 3 },
  { strategy: "low_confidence_static", steps: 3 },
  { strategy: "low_confidence_dynamic", threshold: 0.75 },
  { strategy: "low_confidence_dynamic", steps: 3, threshold: 1 },
  { strategy: "entropy_bounded", entropy_bound: 0.5 },
  { strategy: "entropy_bounded", steps: 3, entropy_bound: 0.125 },
];

/** Moves sequences on the device and as expected, and compares all that the device writes. */
export class Lockstep {
  readonly device: DeviceSequences;
  readonly #window: number;
  readonly #rules: DecodingRules;
  readonly #sequences = new Map<number, ExpectedSequence>();
  #passes = 0;

  /**
   * @param window Tokens that the network sees: the device's.
   * @param rules The device's.
   */
  constructor(device: DeviceSequences, window: number, rules = BD3LM_RULES) {
    this.device = device;
    this.#window = window;
    this.#rules = rules;
  }

  /** Puts a sequence into a slot, on both sides. */
  open(slot: number, options: SequenceOptions): void {
    this.device.open(slot, options);
    this.#sequences.set(slot, new ExpectedSequence(options, this.#rules));
  }

  /** Slots of the sequences that go on. */
  get live(): number[] {
    return [...this.#sequences].flatMap(([slot, { isOver }]) => isOver ? [] : [slot]);
  }

  /** Runs one pass of `lanes`, with random proposals, and checks plan and journal. */
  async pass(lanes: readonly number[]): Promise<readonly Entry[]> {
    const sequences = lanes.map((slot) => this.#sequences.get(slot)!);
    const isLive = sequences.map(({ isOver }) => !isOver);
    const planned = await this.device.plan(lanes);
    const plans = sequences.map((each) => each.isOver ? null : each.plan());
    const proposals = sequences.map(({ options }, lane) =>
      randomProposal(options.blockSize, 100 * this.#passes + lane)
    );
    this.#passes += 1;
    const heads = plans.map((plan, lane) =>
      plan === null ? [] : this.#checkLane(planned, plan, { lane, slot: lanes[lane]! })
    );
    const sizes = plans.map((plan) =>
      (plan?.tokens.length ?? 0) + (plan?.commit?.tokens.length ?? 0)
    );
    assertEquals(planned.rows.length, sizes.reduce((a, b) => a + b, 0));
    assertEquals(planned.heads.length, heads.flat().length);
    const { entries, counts } = await this.device.reveal(
      planned.heads.map(({ offset }, head) => {
        const proposal = proposals[heads.findIndex((each) => each.includes(head))]!;
        return {
          token: proposal.tokens[offset]!,
          confidence: proposal.confidence[offset]!,
          entropy: proposal.entropy[offset]!,
        };
      }),
    );
    assertEquals(counts, [0, 0]);
    entries.forEach((entry, lane) => {
      if (isLive[lane]) assertEquals(entry, sequences[lane]!.reveal(proposals[lane]!));
      else assertEquals(entry.status, 0);
    });
    return entries;
  }

  /** Checks rows, heads and noise levels of a lane. Returns the numbers of its heads. */
  #checkLane(
    { rows, heads, sigma }: Planned,
    plan: ExpectedPlan,
    { lane, slot }: { lane: number; slot: number },
  ): number[] {
    const label = `lane ${lane}, slot ${slot}`;
    const firstRow = rows.findIndex((row) => row.slot === slot);
    const { start, tokens, commit } = plan;
    const committed = commit?.tokens.length ?? 0;
    if (commit) this.#checkRows(rows.slice(firstRow, firstRow + committed), commit, 2 * lane);
    const denoiseRow = firstRow + committed;
    const isDenoised = tokens.length > 0;
    const denoised = rows.slice(denoiseRow, denoiseRow + tokens.length);
    if (isDenoised) this.#checkRows(denoised, { start, tokens }, 2 * lane + 1);
    const numbers = [...heads.keys()].filter((head) =>
      heads[head]!.row >= firstRow && heads[head]!.row < denoiseRow + tokens.length
    );
    const { options, nfe } = this.#sequences.get(slot)!;
    // Row i - 1 of the block has the logits for position i where they are shifted.
    const shift = this.#rules.shiftsLogits ? 1 : 0;
    const expected = isDenoised
      ? plan.heads.map((offset) => ({
        row: denoiseRow + Math.max(0, offset - shift),
        offset,
        temperature: Math.fround(options.temperature),
        topP: Math.fround(options.topP),
        topK: options.topK,
        uniform: this.#sequences.get(slot)!.uniform("token", start + offset, nfe),
      }))
      // The most probable token after the last row of the commit.
      : [{ row: denoiseRow - 1, offset: 0, temperature: 0, topP: 1, topK: 0, uniform: 0 }];
    assertEquals(numbers.map((head) => heads[head]!), expected, label);
    const [commitSigma, denoiseSigma] = plan.sigma;
    // Times near 1 in f32, where 1 - t has lost most of its digits.
    if (commit) assertAlmostEquals(sigma[2 * lane]!, commitSigma, 2e-3, label);
    assertAlmostEquals(sigma[2 * lane + 1]!, denoiseSigma, 2e-3, label);
    return numbers;
  }

  #checkRows(
    rows: readonly Row[],
    { start, tokens }: { start: number; tokens: readonly number[] },
    condition: number,
  ): void {
    const slot = rows[0]!.slot;
    assertEquals(
      rows.map(({ token, position, condition, slot }) => ({ token, position, condition, slot })),
      tokens.map((token, i) => ({ token, position: start + i, condition, slot })),
    );
    const blockSize = tokens.length;
    const band = { blockSize, window: Math.floor(this.#window / blockSize) };
    for (const { position, first, end } of rows) {
      const sees = (key: number) => key >= 0 && blockBand(position, key, band);
      const edges = [first - 1, first, end - 1, end].map(sees);
      assertEquals(edges, [false, true, true, false], `position ${position}: ${first} to ${end}`);
    }
  }
}

/** Opens `slots`, one for each of `options`, runs them to their ends, and returns the passes. */
export async function runToEnd(
  lockstep: Lockstep,
  options: readonly SequenceOptions[],
): Promise<number> {
  options.forEach((each, slot) => lockstep.open(slot, each));
  let passes = 0;
  while (lockstep.live.length > 0) {
    await lockstep.pass([...options.keys()]);
    passes += 1;
    assert(passes < 500, "sequences do not end");
  }
  return passes;
}

/** Proposals full of ties, in numbers that f32 adds exactly. */
function randomProposal(blockSize: number, seed: number): Proposal {
  const values = noise(3 * blockSize, seed);
  const upTo = (most: number, part: number) =>
    Array.from(
      { length: blockSize },
      (_, i) => Math.floor((values[part * blockSize + i]! + 1) / 2 * most),
    );
  return {
    tokens: upTo(60, 0),
    confidence: upTo(8, 1).map((each) => (each + 1) / 8),
    entropy: upTo(8, 2).map((each) => each / 16),
  };
}
