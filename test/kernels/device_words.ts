/** What the device plans, is given and writes down, word for word. */
import { assertEquals } from "@std/assert";
import {
  DETAIL_WORDS,
  type Head,
  HEAD_WORDS,
  type HeadProposal,
  JOURNAL_HEADER,
  journalWords,
  PROPOSAL_WORDS,
  readDetails,
  type Row,
  ROW_WORDS,
  type TokenDetails,
} from "../../kernels/mod.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";

/** Words before the table of a pass, and between the entries of its journal: never touched. */
export const GAP = 3;

/** What these hold. */
export const UNTOUCHED = 0xdead;

/** What the device wrote of one lane. */
export interface Entry {
  readonly status: number;
  readonly start: number;
  readonly step: number;
  readonly nfe: number;
  readonly masked: number;
  readonly isOver: boolean;
  readonly tokens: readonly number[];
  /** By position, 0 where the pass revealed nothing. */
  readonly confidence: readonly number[];
  /** By position, `null` where there was no head; where the sequence asks. */
  readonly details?: readonly (TokenDetails | null)[];
}

/** What is proposed for a head, and its details. */
export interface DetailedProposal extends HeadProposal {
  readonly details: TokenDetails;
}

/** One head's proposal; the rest are certain of token 0. */
export type PartialProposal = Partial<DetailedProposal>;

/** Reads one that was planned. */
export function readRow(data: ArrayBuffer, index: number): Row {
  const words = new Uint32Array(data, index * ROW_WORDS * 4, ROW_WORDS);
  const [token = 0, position = 0, slot = 0, first = 0, end = 0, condition = 0] = words;
  assertEquals([...words.subarray(6)], [0, 0], "a row of a sequence has no past");
  return { token, position, slot, first, end, condition };
}

/** Reads one that was planned. */
export function readHead(data: ArrayBuffer, index: number): Head {
  const [row = 0, offset = 0, , , topK = 0] = new Uint32Array(data, index * HEAD_WORDS * 4);
  const [, , temperature = 0, topP = 0, , uniform = 0] = new Float32Array(
    data,
    index * HEAD_WORDS * 4,
  );
  return { row, offset, temperature, topP, topK, uniform };
}

/** Proposals as the device lays them out. */
export function writeProposals(proposals: readonly PartialProposal[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.max(1, proposals.length) * PROPOSAL_WORDS);
  const floats = new Float32Array(words.buffer);
  proposals.forEach(({ token = 0, confidence = 1, entropy = 0, isFinite = true }, i) => {
    const at = i * PROPOSAL_WORDS;
    words[at] = token;
    floats.set([confidence, entropy], at + 1);
    words[at + 3] = isFinite ? 1 : 0;
  });
  return words;
}

/** Their details likewise. */
export function writeDetails(proposals: readonly PartialProposal[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.max(1, proposals.length) * DETAIL_WORDS);
  const floats = new Float32Array(words.buffer);
  proposals.forEach(({ details }, i) => {
    const at = i * DETAIL_WORDS;
    floats.set([details?.entropy ?? 0, details?.logprob ?? 0], at);
    details?.top.forEach(({ token, logprob }, rank) => {
      words[at + 2 + 2 * rank] = token;
      floats[at + 3 + 2 * rank] = logprob;
    });
  });
  return words;
}

/**
 * Reads an entry of the journal.
 *
 * @param words The gap before the entry, the entry, and what follows it.
 */
export function readEntry(
  words: Uint32Array<ArrayBuffer>,
  { blockSize, isDetailed = false }: Pick<SequenceOptions, "blockSize" | "isDetailed">,
): Entry {
  const [status = 0, start = 0, step = 0, nfe = 0, masked = 0, over = 0] = words.subarray(GAP);
  const first = GAP + JOURNAL_HEADER;
  const outside = [
    ...words.subarray(0, GAP),
    ...words.subarray(GAP + journalWords(blockSize, { isDetailed })),
  ];
  if (outside.some((word) => word !== UNTOUCHED)) {
    throw new Error("Cannot read the journal: an entry goes beyond its place");
  }
  const last = first + 2 * blockSize;
  const entry = {
    status,
    start,
    step,
    nfe,
    masked,
    isOver: over === 1,
    tokens: [...words.subarray(first, first + blockSize)],
    confidence: [...new Float32Array(words.buffer, 4 * (first + blockSize), blockSize)],
  };
  if (!isDetailed) return entry;
  const details = entry.tokens.map((_, j) => {
    const at = last + j * DETAIL_WORDS;
    return words[at] === UNTOUCHED ? null : readDetails(words, at);
  });
  return { ...entry, details };
}
