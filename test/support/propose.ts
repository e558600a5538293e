import { assertEquals } from "@std/assert";
import {
  HEAD_WORDS,
  type HeadProposal,
  PROPOSAL_WORDS,
  propose,
  readProposal,
  writeHead,
} from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import * as reference from "../reference/reveal.ts";
import { passOf } from "../kernels/tables.ts";
import { upload, uploadWords } from "./gpu.ts";

/** How the token of one row is drawn. */
export interface Draw {
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly uniform: number;
}

/**
 * Runs one head a draw, all on rows of `logits`: [draws, vocabulary padded to 32]. Kernels of all kinds of
 * devices must agree to the bit.
 */
export async function proposeAll(
  gpu: Gpu,
  logits: ArrayLike<number>,
  options: {
    vocabulary: number;
    mask: number;
    draws: readonly Draw[];
    firstHead?: number;
    keepsCrossing?: boolean;
  },
): Promise<HeadProposal[]> {
  const { vocabulary, mask, draws, firstHead = 0, keepsCrossing = false } = options;
  const padded = Math.ceil(vocabulary / 32) * 32;
  const rows = new Float32Array(draws.length * padded).fill(1e30);
  draws.forEach((_, i) =>
    rows.set(Array.from(logits).slice(i * vocabulary, (i + 1) * vocabulary), i * padded)
  );
  const total = firstHead + draws.length;
  const words = new Uint32Array(total * HEAD_WORDS);
  draws.forEach((draw, i) =>
    writeHead(words, (firstHead + i) * HEAD_WORDS, { row: i, offset: i, ...draw })
  );
  using logitsTensor = upload(gpu, [draws.length, padded], rows);
  using heads = uploadWords(gpu, words);
  using counts = uploadWords(gpu, [0, total]);
  using proposals = uploadWords(gpu, new Uint32Array(total * PROPOSAL_WORDS));
  const model = { vocabulary, maskToken: mask, keepsCrossing };
  let agreed: ArrayBuffer | undefined;
  for (const deviceClass of new Set([gpu.deviceClass, "cpu"] as const)) {
    gpu.write(proposals, new Uint32Array(total * PROPOSAL_WORDS));
    const pass = passOf(gpu, deviceClass);
    propose(pass, { logits: logitsTensor, heads, counts, proposals, firstHead, ...model });
    pass.submit();
    const data = await gpu.read(proposals);
    agreed ??= data;
    assertEquals(new Uint32Array(data), new Uint32Array(agreed), deviceClass);
  }
  return draws.map((_, i) => readProposal(agreed!, firstHead + i)); // By one kind at least.
}

/** What the reference proposes for one row. */
export function expected(
  logits: ArrayLike<number>,
  mask: number,
  draw: Draw & { readonly keepsCrossing?: boolean },
): reference.Proposed {
  return reference.propose(logits, { ...draw, mask, u: draw.uniform });
}
