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
