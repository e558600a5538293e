import { paddedHeadSize } from "../../kernels/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { tiedEmbedding } from "../weights/tied_embedding.ts";
import { cacheFormatFor } from "./kv_cache.ts";
import { layerName, type QwenConfig } from "./qwen_config.ts";
import { QwenDecoder, type QwenLayer } from "./qwen_decoder.ts";
import {
  type Allocated,
  headLines,
  type Line,
  type LoadOptions,
  moveLines,
  paddedLines,
  pairedComponent,
  WeightLoader,
} from "./weight_loader.ts";

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

/** Allocates and fills a decoder: see {@linkcode allocateQwen}. */
export function loadQwen(
  gpu: Gpu,
  checkpoint: Checkpoint,
  options: LoadOptions & { readonly config: QwenConfig },
): QwenDecoder {
  const { network, fill } = allocateQwen(gpu, checkpoint, options);
  fill();
  return network;
}

/**
 * Allocates a decoder. Widths are padded with zeros to multiples of 32 and heads to a size that the
 * kernels know; sums are not changed by that.
 *
 * @throws {CheckpointError} If a bias cannot be read.
 */
export function allocateQwen(
  gpu: Gpu,
  checkpoint: Checkpoint,
  options: LoadOptions & { readonly config: QwenConfig },
): Allocated<QwenDecoder> {
  const { config, format, cacheFormat = cacheFormatFor(format) } = options;
  const loader = new WeightLoader(gpu, checkpoint, options);
  const features = paddedLines(config.hiddenSize);
  const output = loader.linear({
    weights: [config.isTied ? EMBEDDING : HEAD],
    rows: paddedLines(config.vocabSize),
    columns: features,
  });
  const weights = {
    embedding: (config.isTied ? tiedEmbedding(output) : null) ??
      loader.embedding(EMBEDDING, features),
    layers: Array.from({ length: config.layers }, (_, i) => loadLayer(loader, i, config)),
    normFinal: loader.vector(["model.norm.weight"], features),
    output,
  };
  return {
    network: new QwenDecoder(gpu, config, { weights, cacheFormat }),
    fill: () => loader.fill(),
  };
}

function loadLayer(loader: WeightLoader, index: number, config: QwenConfig): QwenLayer {
  const { hiddenSize, innerSize, hasQkNorm, hasBias } = config;
  const name = layerName(index);
  const features = paddedLines(hiddenSize);
  const inner = paddedLines(innerSize);
  const matrix = (part: string, rows: Line[], columns: Line[]) =>
    loader.linear({ weights: [`${name}.${part}.weight`], rows, columns });
  const projections = ["q", "k", "v"].map((part) => `${name}.self_attn.${part}_proj`);
  const { queries, queriesKeysValues, gains } = linesOf(config);
  return {
    inputNorm: loader.vector([`${name}.input_layernorm.weight`], features),
    qkv: loader.linear({
      weights: projections.map((each) => `${each}.weight`),
      ...(hasBias && { biases: projections.map((each) => `${each}.bias`) }),
      rows: queriesKeysValues,
      columns: features,
    }),
    qkNorm: hasQkNorm
      ? loader.vector(["q", "k"].map((part) => `${name}.self_attn.${part}_norm.weight`), gains)
      : null,
    attentionOut: matrix("self_attn.o_proj", features, queries),
    postNorm: loader.vector([`${name}.post_attention_layernorm.weight`], features),
    gateUp: loader.linear({
      weights: [`${name}.mlp.gate_proj.weight`, `${name}.mlp.up_proj.weight`],
      rows: inner.flatMap((line) => [line, line === null ? null : innerSize + line]),
      columns: features,
    }),
    down: matrix("mlp.down_proj", features, inner),
  };
}

/** Where heads lie in the stored tensors: in pairs that rotate together, except those of v. */
function linesOf({ heads, sharedHeads, headSize }: QwenConfig) {
  const width = paddedHeadSize(headSize);
  const [all, shared] = [{ heads, headSize, width }, { heads: sharedHeads, headSize, width }];
  const paired = pairedComponent(headSize);
  const [keysBegin, valuesBegin] = [heads * headSize, (heads + sharedHeads) * headSize];
  const gain = headLines({ heads: 1, headSize, width }, paired);
  return {
    queries: headLines(all),
    queriesKeysValues: [
      ...headLines(all, paired),
      ...moveLines(headLines(shared, paired), keysBegin),
      ...moveLines(headLines(shared), valuesBegin),
    ],
    gains: [...gain, ...moveLines(gain, headSize)],
  };
}
