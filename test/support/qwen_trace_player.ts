/** Plays recorded runs of SDAR and Fast-dLLM through the product's network and sampler kernels. */
import type { Head, Row, TokenDetails } from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { KvCache, pagesFor } from "../../src/model/kv_cache.ts";
import type { Network } from "../../src/model/network.ts";
import { firstBlockStart, type SequenceOptions } from "../../src/model/sequence_state.ts";
import { DeviceSequences, type Entry } from "../kernels/device_sequences.ts";
import type { DetailedProposal } from "../kernels/device_words.ts";
import {
  lengthOf,
  type QwenTrace,
  type QwenTraceStep,
  stopsOf,
  uniformFor,
} from "./qwen_traces.ts";

/** Of no vocabulary. */
const NO_TOKEN = 0xffff_ffff;

/** One denoising pass, in the words of the recordings. */
export interface PlayedStep {
  /** Steps of the (sub-)block before this one. */
  readonly step: number;
  readonly x: readonly number[];
  /** Positions of the block that the device planned heads for. */
  readonly planned: readonly number[];
  /** Rows of the block that these heads read. */
  readonly rows: readonly number[];
  /** What is drawn at the recorded positions. */
  readonly token: readonly number[];
  readonly confidence: readonly number[];
  /** What the journal tells of them; `null` where they were not among the heads. */
  readonly details: readonly (TokenDetails | null)[];
  readonly transfer: readonly number[];
  readonly x_after: readonly number[];
}

/** A finished run. */
export interface PlayedRun {
  readonly steps: readonly PlayedStep[];
  readonly seeds: readonly number[];
  /** Passes that committed a block, beside the next one or by themselves. */
  readonly commits: number;
  /** Prompt, and what was denoised of the blocks so far. */
  readonly tokens: readonly number[];
}

/** What a sequence is asked for, with which the product does as the trace's sampler did. */
export function optionsOf(trace: QwenTrace): SequenceOptions {
  return {
    prompt: trace.prompt,
    maxTokens: lengthOf(trace),
    blockSize: trace.block_size,
    ...(trace.sub_block_size !== undefined && { subBlockSize: trace.sub_block_size }),
    strategy: strategyOf(trace),
    temperature: trace.temperature,
    topP: trace.top_p,
    topK: trace.top_k ?? 0,
    seed: 0,
    choice: 0,
    stopTokens: stopsOf(trace),
  };
}

function strategyOf(trace: QwenTrace): SequenceOptions["strategy"] {
  const { strategy, threshold, entropy_bound, steps_per_block } = trace;
  const steps = steps_per_block === undefined ? {} : { steps: steps_per_block };
  switch (strategy) {
    case "threshold":
    case "low_confidence_dynamic":
      return { strategy: "low_confidence_dynamic", ...steps, threshold: threshold! };
    case "entropy_bounded":
      return { strategy, ...steps, entropy_bound: entropy_bound! };
    default:
      return { strategy, ...steps };
  }
}

/**
 * Runs a trace to its end. Settings and uniforms are read from it, never its tokens: the device plans
 * every pass, and the recorded numbers take the place of those that it would draw with.
 */
export async function playQwenTrace(
  gpu: Gpu,
  network: Network,
  trace: QwenTrace,
): Promise<PlayedRun> {
  using player = new QwenTracePlayer(gpu, network, trace);
  return await player.play();
}

class QwenTracePlayer implements Disposable {
  readonly #network: Network;
  readonly #trace: QwenTrace;
  readonly #device: DeviceSequences;
  readonly #cache: KvCache;
  readonly #steps: PlayedStep[] = [];
  readonly #seeds: number[] = [];
  #commits = 0;
  #tokens: number[];

  constructor(gpu: Gpu, network: Network, trace: QwenTrace) {
    const { block_size: maxBlock, mask: maskToken } = trace;
    this.#network = network;
    this.#trace = trace;
    this.#tokens = [...trace.prompt];
    const { modelLength: window, decoding: rules } = network.config;
    this.#device = new DeviceSequences(gpu, { slots: 1, maxBlock, window, maskToken, rules });
    const pages = pagesFor(trace.prompt.length + lengthOf(trace) + maxBlock);
    this.#cache = new KvCache(gpu, network.cacheShape, { slots: 1, pages, maxPages: pages });
    this.#cache.reserve(0, pages);
  }

  async play(): Promise<PlayedRun> {
    const options = optionsOf(this.#trace);
    this.#device.open(0, { ...options, isDetailed: true });
    let prompts = this.#promptRows(firstBlockStart(options, this.#network.config.decoding));
    for (let isOver = false; !isOver; prompts = []) {
      const entry = await this.#pass(prompts);
      this.#keep(entry);
      isOver = entry.isOver;
    }
    const counts = { steps: this.#steps, seeds: this.#seeds, commits: this.#commits };
    return { ...counts, tokens: this.#tokens };
  }

  [Symbol.dispose](): void {
    this.#device[Symbol.dispose]();
    this.#cache[Symbol.dispose]();
  }

  #promptRows(count: number): Row[] {
    const { prompt, block_size: size } = this.#trace;
    return prompt.slice(0, count).map((token, position) => {
      const end = (Math.floor(position / size) + 1) * size;
      return { token, position, slot: 0, first: 0, end, condition: 0 };
    });
  }

  async #pass(prompts: readonly Row[]): Promise<Entry> {
    const { heads, rows } = await this.#device.plan([0], prompts);
    const start = await this.#device.field(0, "start");
    const isCommit = await this.#device.field(0, "phase") === 2;
    const own = rows.filter(({ position }) => position >= start);
    const { prompt, block_size: blockSize } = this.#trace;
    const before = rows.length - prompts.length - blockSize;
    // Rows of the block before ride along, or the pass is theirs; the prompt's blocks do not count.
    const isCounted = isCommit ? start + blockSize > prompt.length : before > 0;
    if (isCounted) this.#commits += 1;
    if (isCommit) return await this.#commit(heads);
    const firstRow = rows.findIndex(({ position }) => position === start);
    const step = await this.#device.field(0, "step");
    return await this.#denoise(heads, {
      firstRow,
      step,
      x: own.map(({ token }) => token),
    });
  }

  async #commit(heads: readonly Head[]): Promise<Entry> {
    const proposals = await this.#propose(heads);
    this.#seeds.push(proposals[0]!.token);
    const { entries: [entry] } = await this.#device.reveal(proposals);
    return entry!; // There is one lane.
  }

  async #denoise(
    planned: readonly Head[],
    block: { readonly firstRow: number; readonly step: number; readonly x: readonly number[] },
  ): Promise<Entry> {
    const recorded = this.#trace.steps[this.#steps.length];
    if (!recorded) {
      throw new RangeError(`Cannot play on: the trace has ${this.#steps.length} passes`);
    }
    const { firstRow, step, x } = block;
    // Tokens are recorded for all masks, also where those that fall are known before.
    const heads = recorded.pos.map((offset) => this.#headOf(recorded, { offset, firstRow }));
    const drawn = await this.#propose(heads);
    const chosen = this.#fallingOf(planned, recorded).map((offset) => recorded.pos.indexOf(offset));
    this.#device.writeHeads(chosen.map((i) => heads[i]!));
    const { entries: [entry] } = await this.#device.reveal(chosen.map((i) => drawn[i]!));
    this.#steps.push({
      ...{ step, x, x_after: entry!.tokens },
      planned: planned.map(({ offset }) => offset),
      rows: planned.map(({ row }) => row - firstRow),
      token: drawn.map(({ token }) => token),
      confidence: drawn.map(({ confidence }) => confidence),
      details: recorded.pos.map((offset) => entry!.details![offset]!),
      transfer: x.flatMap((token, i) => token === entry!.tokens[i] ? [] : [i]),
    });
    return entry!; // There is one lane.
  }

  #propose(heads: readonly Head[]): Promise<DetailedProposal[]> {
    const { mask, mask_banned: isBanned } = this.#trace;
    const banned = isBanned ? mask : NO_TOKEN;
    return this.#device.propose(this.#network, { cache: this.#cache, heads, banned });
  }

  #headOf(step: QwenTraceStep, { offset, firstRow }: { offset: number; firstRow: number }): Head {
    const { temperature, top_p: topP, top_k: topK = 0 } = this.#trace;
    const shift = this.#trace.family === "fast-dllm-v2" ? 1 : 0;
    const uniform = uniformFor(step, offset, this.#trace);
    const row = firstRow + Math.max(0, offset - shift);
    return { row, offset, temperature, topP, topK, uniform };
  }

  /** The planned offsets; for `random` as many by the recorded ranks. */
  #fallingOf(planned: readonly Head[], { pos, u_rank: ranks }: QwenTraceStep): number[] {
    if (!ranks) return planned.map(({ offset }) => offset);
    return pos.toSorted((a, b) => ranks[b]! - ranks[a]!).slice(0, planned.length);
  }

  /** The tokens of the block as they are now. */
  #keep({ start, tokens }: Entry): void {
    this.#tokens = [...this.#tokens.slice(0, start), ...tokens];
  }
}
