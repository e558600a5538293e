/** The kernels of training, each way back beside its way there. */
export * from "./activation.ts";
export * from "./attention.ts";
export * from "./columns.ts";
export * from "./conditions.ts";
export * from "./cross_entropy.ts";
export * from "./embed.ts";
export * from "./matmul.ts";
export * from "./norm.ts";
export * from "./optimizer.ts";
export * from "./residual.ts";
export * from "./rotary.ts";
