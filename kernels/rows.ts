/** One token of one sequence in a pass, as `kernels/rows.wgsl` lays it out. */
export interface Row {
  readonly token: number;
  /** Absolute, for rotary angles and the place in the cache. */
  readonly position: number;
  /** Slot of the sequence: its page table. */
  readonly slot: number;
  /** The row sees positions `first` … `end` - 1 of its sequence. */
  readonly first: number;
  readonly end: number;
  /** Row of the modulation vectors that applies. */
  readonly condition: number;
  /**
   * The row also sees positions 0 … `end` - 1 of this slot, none where left out. `end` is at most
   * `first`, and all rows of a slot name the same one.
   */
  readonly past?: { readonly slot: number; readonly end: number };
}

/** Words of a {@linkcode Row}. */
export const ROW_WORDS = 8;

/** Writes a row at word `at`. */
export function writeRow(words: Uint32Array, at: number, row: Row): void {
  const { token, position, slot, first, end, condition, past = { slot: 0, end: 0 } } = row;
  words.set([token, position, slot, first, end, condition, past.slot, past.end], at);
}

/** A row for which a token is drawn, as `kernels/heads.wgsl` lays it out. */
export interface Head {
  /** Index into the rows of the pass. */
  readonly row: number;
  /** Place in its block. */
  readonly offset: number;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  /** In [0, 1). */
  readonly uniform: number;
}

/** Words of a {@linkcode Head}. */
export const HEAD_WORDS = 6;

/** Writes a head at word `at`. */
export function writeHead(words: Uint32Array<ArrayBuffer>, at: number, head: Head): void {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  words.set([head.row, head.offset], at);
  floats.set([head.temperature, head.topP], at + 2);
  words[at + 4] = head.topK;
  floats[at + 5] = head.uniform;
}

/** What the network suggests for one head, as `kernels/proposals.wgsl` lays it out. */
export interface HeadProposal {
  readonly token: number;
  readonly confidence: number;
  /** Nats. */
  readonly entropy: number;
  /** False where a logit was NaN or infinite: then nothing else holds. */
  readonly isFinite: boolean;
}

/** Words of a {@linkcode HeadProposal}. */
export const PROPOSAL_WORDS = 4;

/** Reads the proposal of head `index`. */
export function readProposal(data: ArrayBuffer, index: number): HeadProposal {
  const view = new DataView(data, index * PROPOSAL_WORDS * 4);
  return {
    token: view.getUint32(0, true),
    confidence: view.getFloat32(4, true),
    entropy: view.getFloat32(8, true),
    isFinite: view.getUint32(12, true) !== 0,
  };
}
