import { z } from "zod";

/** The option `steps` of strategies that spread a block over a number of denoising steps. */
export const Steps = z.int().min(1).max(1024)
  .describe(
    "Most denoising steps for a block; 128 with `ancestral` by default, else `block_size`.",
  );
