import type { LoadedModel } from "./loaded_models.ts";
import type { TokenFacts } from "./token_facts.ts";

/** Tokens with what is told of them. */
export type ToldTokens = TokenFacts & { readonly tokens: readonly number[] };

/** A token of a choice with its log-probability. */
export interface RatedToken {
  /** Its text, with U+FFFD for part of a character. */
  readonly piece: string;
  /** UTF-8; `null` for tokens without text: special ones. */
  readonly bytes: readonly number[] | null;
  readonly logprob: number;
}

/** One that was generated. */
export interface GeneratedToken extends RatedToken {
  /** Characters of the choice's text before it. */
  readonly offset: number;
  /** `null` where nobody asked for them. */
  readonly alternatives: readonly RatedToken[] | null;
}

/** `logprobs` of a chat. Source: OpenAI's API reference, "The chat completion object". */
export function chatLogprobs(tokens: readonly GeneratedToken[]) {
  const entry = ({ piece, bytes, logprob }: RatedToken) => ({ token: piece, logprob, bytes });
  const content = tokens.map(({ alternatives, ...token }) => ({
    ...entry(token),
    top_logprobs: (alternatives ?? []).map(entry),
  }));
  return { content, refusal: null };
}

/** `logprobs` of a completion. Source: OpenAI's API reference, "The completion object". */
export function completionLogprobs(tokens: readonly GeneratedToken[]) {
  return {
    tokens: tokens.map(({ piece }) => piece),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.some(({ alternatives }) => alternatives !== null)
      ? tokens.map(({ alternatives }) => byPiece(alternatives ?? []))
      : null,
    text_offset: tokens.map(({ offset }) => offset),
  };
}

/** Of tokens with the same text the most probable one counts, which comes first. */
function byPiece(alternatives: readonly RatedToken[]): Readonly<Record<string, number>> {
  const isFirst = ({ piece }: RatedToken, i: number) =>
    alternatives.findIndex((each) => each.piece === piece) === i;
  return Object.fromEntries(
    alternatives.filter(isFirst).map(({ piece, logprob }) => [piece, logprob]),
  );
}

/** What a choice, or a piece of it, says of its tokens. */
export interface PieceFacts {
  readonly logprobs: unknown;
  /** What OpenAI has no place for; not there where nobody asked. */
  readonly diffusion?: ToldTokens;
}

/** Tells of the tokens of one choice in OpenAI's form, piece by piece. */
export class ChoiceFacts {
  readonly #tokenizer: LoadedModel["tokenizer"];
  readonly #toLogprobs: (tokens: readonly GeneratedToken[]) => unknown;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** Characters so far. */
  #offset: number;

  /** @param choice `prefix`: the text that it begins with. */
  constructor(
    tokenizer: LoadedModel["tokenizer"],
    { prefix, toLogprobs }: {
      readonly prefix: string;
      readonly toLogprobs: (tokens: readonly GeneratedToken[]) => unknown;
    },
  ) {
    this.#tokenizer = tokenizer;
    this.#toLogprobs = toLogprobs;
    this.#offset = [...prefix].length;
  }

  /** What a choice, or a piece of it, says of these tokens; they come after those before. */
  next({ tokens, logprobs, top_logprobs: top, ...others }: ToldTokens): PieceFacts {
    const hasOthers = Object.keys(others).length > 0;
    return {
      logprobs: logprobs === undefined ? null : this.#toLogprobs(tokens.map((token, i) => ({
        ...this.#rated({ token, logprob: logprobs[i]! }),
        offset: this.#count(token),
        alternatives: top?.[i]?.map((each) => this.#rated(each)) ?? null,
      }))),
      ...(hasOthers && { diffusion: { tokens, ...others } }),
    };
  }

  #rated({ token, logprob }: { readonly token: number; readonly logprob: number }): RatedToken {
    const bytes = [...this.#tokenizer.bytes(token)];
    const piece = this.#tokenizer.piece(token);
    return { piece, bytes: bytes.length === 0 ? null : bytes, logprob };
  }

  /** The characters before this token, which come to be counted with it. */
  #count(token: number): number {
    const before = this.#offset;
    const text = this.#decoder.decode(this.#tokenizer.bytes(token), { stream: true });
    this.#offset += [...text].length;
    return before;
  }
}

/** What is told of pieces taken together. */
export function joinFacts(pieces: readonly ToldTokens[]): ToldTokens {
  const names = ["logprobs", "top_logprobs", "step_map", "confidence", "entropy"] as const;
  // All pieces of a request have the same lists.
  const told = names.filter((name) => pieces[0]?.[name] !== undefined);
  return {
    tokens: pieces.flatMap(({ tokens }) => tokens),
    ...Object.fromEntries(
      told.map((name) => [name, pieces.flatMap<unknown>((piece) => piece[name] ?? [])]),
    ),
  };
}
