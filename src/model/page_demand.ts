import type { ModelConfig } from "./family.ts";
import { pagesFor } from "./kv_cache.ts";
import type { PageDemand } from "./sequence_pages.ts";
import { firstBlockStart, type SequenceOptions } from "./sequence_state.ts";

/** Pages that a sequence needs from its first pass to its last, and what may be in them before. */
export function pageDemand(
  options: SequenceOptions,
  { modelLength, decoding }: Pick<ModelConfig, "modelLength" | "decoding">,
): PageDemand {
  const { prompt, maxTokens, blockSize } = options;
  const positions = Math.ceil((prompt.length + maxTokens) / blockSize) * blockSize;
  return {
    prompt: prompt.slice(0, firstBlockStart(options, decoding)),
    blockSize,
    // Positions go round the pages once the window slides: a block and all that it sees, and the
    // block before it, which is committed in the same pass.
    count: pagesFor(Math.min(positions, modelLength + blockSize)),
    positions,
  };
}
