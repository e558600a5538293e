import { z } from "zod";
import type { Reveal, SequenceRequest, TokenDetails } from "../engine/request.ts";
import { RequestError } from "./errors.ts";
import type { LoadedModel } from "./loaded_models.ts";

/** Most probable tokens that a request may ask for at each position. */
export const MOST_ALTERNATIVES = 5;

/** Fields of every generating endpoint that ask how its tokens fell. */
export const FACT_FIELDS = {
  step_map: z.boolean().default(false)
    .describe("Whether the answer tells in which step of its block each token fell."),
  confidence: z.boolean().default(false)
    .describe("Whether the answer tells with which probability each token was drawn."),
  entropy: z.boolean().default(false)
    .describe("Whether the answer tells how undecided the model was at each token, in nats."),
};

/** What these probabilities are. */
export const LOGPROB_MEANING =
  "Log-probability that the model itself gave a token at the moment of its reveal, at temperature " +
  "1 and before top-k and top-p. No likelihood of the text: that is `/v1/score`.";

/** Fields that ask for probabilities, where `logprobs` is a switch. */
export const LOGPROB_FIELDS = {
  logprobs: z.boolean().default(false)
    .describe(`Whether the answer has log-probabilities of its tokens. ${LOGPROB_MEANING}`),
  top_logprobs: z.int().min(0).max(MOST_ALTERNATIVES).default(0).describe(
    "Most probable tokens to tell at each position, with their log-probabilities; only with " +
      "`logprobs`.",
  ),
};

/** What a request asks to be told of its tokens. */
export interface AskedFacts {
  /** Alternatives to tell beside the log-probability; `null` where none of it is asked for. */
  readonly alternatives: number | null;
  readonly stepMap: boolean;
  readonly confidence: boolean;
  readonly entropy: boolean;
}

type FactFields = Readonly<Record<"step_map" | "confidence" | "entropy", boolean>>;

/** What the fields of a request ask for, `alternatives` as in {@linkcode AskedFacts}. */
export function askedFacts(fields: FactFields, alternatives: number | null): AskedFacts {
  const { step_map: stepMap, confidence, entropy } = fields;
  return { alternatives, stepMap, confidence, entropy };
}

/**
 * Reads {@linkcode LOGPROB_FIELDS}.
 *
 * @throws {RequestError} If there are to be alternatives to nothing.
 */
export function alternativesOf(
  { logprobs, top_logprobs: alternatives }: {
    readonly logprobs: boolean;
    readonly top_logprobs: number;
  },
): number | null {
  if (logprobs) return alternatives;
  if (alternatives === 0) return null;
  const message = "top_logprobs can only be given with logprobs: true";
  throw new RequestError("incompatible_parameters", message, { param: "top_logprobs" });
}

/** What the engine has to be asked for it. */
export function engineFields(
  { alternatives, stepMap, confidence, entropy }: AskedFacts,
): Pick<SequenceRequest, "isDetailed" | "tellsReveals"> {
  const isDetailed = alternatives !== null || entropy;
  return {
    ...(isDetailed && { isDetailed }),
    ...((isDetailed || stepMap || confidence) && { tellsReveals: true }),
  };
}

/** A token that a client is told of. */
export interface ToldToken {
  readonly token: number;
  /** Its text, with U+FFFD for part of a character. */
  readonly piece: string;
  readonly logprob: number;
}

/** What is told of tokens, each list in their order; lists that nobody asked for are not there. */
export interface TokenFacts {
  readonly logprobs?: readonly number[];
  readonly top_logprobs?: readonly (readonly ToldToken[])[];
  readonly step_map?: readonly number[];
  readonly confidence?: readonly number[];
  readonly entropy?: readonly number[];
}

/** How facts are told: what is asked for, and whose tokens they are about. */
interface Telling {
  readonly asked: AskedFacts;
  readonly tokenizer: LoadedModel["tokenizer"];
}

/** What is told of tokens that fell. */
export function factsOf(reveals: readonly Reveal[], { asked, tokenizer }: Telling): TokenFacts {
  const details = reveals.flatMap(({ details }) => details ?? []);
  return {
    ...detailFacts(details, { asked, tokenizer }),
    ...(asked.stepMap && { step_map: reveals.map(({ step }) => step) }),
    ...(asked.confidence && { confidence: reveals.map((each) => probability(each.confidence)) }),
  };
}

/** What is told of it that only details have. */
export function detailFacts(
  details: readonly TokenDetails[],
  { asked: { alternatives, entropy }, tokenizer }: Telling,
): TokenFacts {
  const told = ({ token, logprob }: TokenDetails["top"][number]): ToldToken => ({
    token,
    piece: tokenizer.piece(token),
    logprob: nats(logprob),
  });
  return {
    ...(alternatives !== null && { logprobs: details.map(({ logprob }) => nats(logprob)) }),
    ...(alternatives && {
      top_logprobs: details.map(({ top }) => top.slice(0, alternatives).map(told)),
    }),
    ...(entropy && { entropy: details.map((each) => nats(each.entropy)) }),
  };
}

/** More digits of a probability are noise of the device. */
export function probability(value: number): number {
  return Number(value.toPrecision(4));
}

/** As exact as an f32 is. */
function nats(value: number): number {
  return Number(value.toPrecision(6));
}
