import { paddedHeadSize } from "../../kernels/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { LinearWeight } from "../weights/formats.ts";
import { Bd3lm, type Bd3lmLayer } from "./bd3lm.ts";
import {
  Conditioner,
  type Conditioning,
  noConditioning,
  TIMESTEP_HALF,
} from "./bd3lm_conditioning.ts";
import type { Bd3lmConfig } from "./bd3lm_config.ts";
import { cacheFormatFor } from "./kv_cache.ts";
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

/** Allocates and fills a BD3-LM: see {@linkcode allocateBd3lm}. */
export function loadBd3lm(
  gpu: Gpu,
  checkpoint: Checkpoint,
  options: LoadOptions & { readonly config: Bd3lmConfig },
): Bd3lm {
  const { network, fill } = allocateBd3lm(gpu, checkpoint, options);
  fill();
  return network;
}

/**
 * Allocates a BD3-LM. Widths are padded with zeros to multiples of 32 and heads to a size that the
 * kernels know; sums are not changed by that. A constant conditioning is computed once, by `fill`.
 *
 * @throws {CheckpointError} If a bias cannot be read.
 */
export function allocateBd3lm(
  gpu: Gpu,
  checkpoint: Checkpoint,
  options: LoadOptions & { readonly config: Bd3lmConfig },
): Allocated<Bd3lm> {
  const { config, format, cacheFormat = cacheFormatFor(format) } = options;
  const loader = new WeightLoader(gpu, checkpoint, options);
  const features = paddedLines(config.hiddenSize);
  const weights = {
    embedding: loader.embedding("backbone.vocab_embed.embedding", features),
    layers: Array.from({ length: config.layers }, (_, i) => loadLayer(loader, i, config)),
    normFinal: loader.vector(["backbone.output_layer.norm_final.weight"], features),
    output: loadDense(loader, "backbone.output_layer.linear", {
      rows: paddedLines(config.vocabSize),
      columns: features,
    }),
    conditioning: loadConditioning(gpu, loader, config),
  };
  return {
    network: new Bd3lm(gpu, config, { weights, cacheFormat }),
    fill: () => loader.fill(),
  };
}

function loadLayer(
  loader: WeightLoader,
  index: number,
  { hiddenSize, heads, headSize }: Bd3lmConfig,
): Bd3lmLayer {
  const name = `backbone.blocks.${index}`;
  const features = paddedLines(hiddenSize);
  const inner = paddedLines(4 * hiddenSize);
  const shape = { heads, headSize, width: paddedHeadSize(headSize) };
  const ordered = headLines(shape);
  const paired = headLines(shape, pairedComponent(headSize));
  const qkv = [paired, paired, ordered].flatMap((lines, part) =>
    moveLines(lines, part * hiddenSize)
  );
  const matrix = (part: string, rows: Line[], columns: Line[]) =>
    loader.linear({ weights: [`${name}.${part}.weight`], rows, columns });
  return {
    norm1: loader.vector([`${name}.norm1.weight`], features),
    norm2: loader.vector([`${name}.norm2.weight`], features),
    qkv: matrix("attn_qkv", qkv, features),
    attentionOut: matrix("attn_out", features, ordered),
    up: loadDense(loader, `${name}.mlp.0`, { rows: inner, columns: features }),
    down: loadDense(loader, `${name}.mlp.2`, { rows: features, columns: inner }),
  };
}

/** A matrix with its bias. */
function loadDense(
  loader: WeightLoader,
  name: string,
  matrix: { rows: Line[]; columns: Line[]; format?: "f32" },
): LinearWeight {
  return loader.linear({ weights: [`${name}.weight`], biases: [`${name}.bias`], ...matrix });
}

/** Depends on the noise level only with time conditioning; else it is that of level 0. */
function loadConditioning(
  gpu: Gpu,
  loader: WeightLoader,
  config: Bd3lmConfig,
): Conditioning {
  const { adaln, timeConditioning, layers, hiddenSize } = config;
  const width = paddedLines(hiddenSize).length;
  if (!adaln) return noConditioning(gpu, { layers, width });
  const conditioner = loadConditioner(gpu, loader, config);
  if (timeConditioning) return conditioner;
  const { conditioning, compute } = conditioner.freeze(gpu);
  loader.defer(() => {
    using _ = conditioner;
    compute();
  });
  return conditioning;
}

/** In f32: it is small, and what it gives touches every value. */
function loadConditioner(
  gpu: Gpu,
  loader: WeightLoader,
  { condSize, layers, hiddenSize }: Bd3lmConfig,
): Conditioner {
  const condition = paddedLines(condSize);
  const dense = (name: string, rows: Line[], columns: Line[]) =>
    loadDense(loader, name, { rows, columns, format: "f32" });
  const project = (name: string, parts: number) => {
    const rows = Array.from(
      { length: parts },
      (_, part) => moveLines(paddedLines(hiddenSize), part * hiddenSize),
    ).flat();
    return dense(`${name}.adaLN_modulation`, rows, condition);
  };
  return new Conditioner(gpu, {
    mlp: [
      dense("backbone.sigma_map.mlp.0", condition, paddedLines(2 * TIMESTEP_HALF)),
      dense("backbone.sigma_map.mlp.2", condition, condition),
    ],
    layers: Array.from({ length: layers }, (_, i) => project(`backbone.blocks.${i}`, 6)),
    final: project("backbone.output_layer", 2),
  });
}
