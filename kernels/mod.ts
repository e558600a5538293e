/** All kernels. */
export { attention, type CacheFormat, type PagedCache } from "./attention.ts";
export { embed } from "./embed.ts";
export { paddedHeadSize } from "./head_sizes.ts";
export { inspect } from "./inspect.ts";
export { layerNorm } from "./layer_norm.ts";
export { linear } from "./linear.ts";
export { tuneLinear } from "./linear_tuning.ts";
export { logProb } from "./log_prob.ts";
export { plan } from "./plan.ts";
export { propose } from "./propose.ts";
export { qkNorm } from "./qk_norm.ts";
export { report } from "./report.ts";
export { JOURNAL_HEADER, journalWords, reveal, STATUS } from "./reveal.ts";
export { rmsNorm } from "./rms_norm.ts";
export { MAX_POSITIONS, type RotaryTables, rotaryTables } from "./rotary.ts";
export * from "./rows.ts";
export { timestepEmbedding, timestepFrequencies } from "./timestep_embedding.ts";
export * from "./token_details.ts";
