import { defineKernel, type Pass, type Tensor } from "../src/gpu/mod.ts";
import source from "./inspect.wgsl" with { type: "text" };
import laneFunctions from "./lanes.wgsl" with { type: "text" };
import proposalFields from "./proposals.wgsl" with { type: "text" };

const kernel = defineKernel("inspect", source, laneFunctions, proposalFields);

/** Most probable tokens that are told of each position. */
export const TOP_TOKENS = 5;

/** Words of a {@linkcode TokenDetails}. */
export const DETAIL_WORDS = 2 + 2 * TOP_TOKENS;

/** A token that might have been, with ln p. */
export interface TopToken {
  readonly token: number;
  /** Nats, 0 at most. */
  readonly logprob: number;
}

/** What the network held of a token when it was drawn, as `kernels/inspect.wgsl` lays it out. */
export interface TokenDetails {
  /** Nats, of the distribution at the temperature, before the filters. */
  readonly entropy: number;
  /** ln p of the token, in the model's own distribution: at temperature 1, before the filters. */
  readonly logprob: number;
  /** The most probable tokens by the same, falling; {@linkcode TOP_TOKENS} if there are so many. */
  readonly top: readonly TopToken[];
}

const NO_TOKEN = 0xffff_ffff;

/** Reads the details at word `at`. */
export function readDetails(words: Uint32Array<ArrayBuffer>, at: number): TokenDetails {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const [entropy = 0, logprob = 0] = floats.subarray(at);
  const top: TopToken[] = [];
  for (let word = at + 2; word < at + DETAIL_WORDS; word += 2) {
    const token = words[word]!;
    if (token !== NO_TOKEN) top.push({ token, logprob: floats[word + 1]! });
  }
  return { entropy, logprob, top };
}

/** Operands of {@linkcode inspect}. */
export interface Inspect {
  /** [heads of this part, vocabulary padded to 32] f32. */
  readonly logits: Tensor;
  readonly counts: Tensor;
  /** Those that were made from `logits`. */
  readonly proposals: Tensor;
  /** At least one for each head of the pass, written from `firstHead` on. */
  readonly details: Tensor;
  /** Head to which the first row of `logits` belongs. */
  readonly firstHead: number;
  readonly vocabulary: number;
  readonly maskToken: number;
}

/** Records details of what was proposed for every live head of this part. */
export function inspect(pass: Pass, operands: Inspect): void {
  const { firstHead, vocabulary, maskToken, ...tensors } = operands;
  pass.dispatch(kernel, {
    tensors,
    constants: { VOCABULARY: vocabulary, MASK: maskToken },
    params: { first_head: firstHead },
    workgroups: [tensors.logits.shape[0]!],
  });
}
