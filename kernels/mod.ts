/** All kernels. */
export { attention, paddedHeadSize } from "./attention.ts";
export { embed } from "./embed.ts";
export { layerNorm } from "./layer_norm.ts";
export { type GatedResidual, linear } from "./linear.ts";
export { plan } from "./plan.ts";
export { propose } from "./propose.ts";
export { JOURNAL_HEADER, reveal, STATUS } from "./reveal.ts";
export {
  MAX_POSITIONS,
  type PagedCache,
  ropeStore,
  type RotaryTables,
  rotaryTables,
} from "./rope_store.ts";
export * from "./rows.ts";
export { timestepEmbedding, timestepFrequencies } from "./timestep_embedding.ts";
