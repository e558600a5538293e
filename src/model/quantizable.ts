import { paddedHeadSize } from "../../kernels/mod.ts";
import { GROUP } from "../weights/formats/format.ts";
import type { Quantizable } from "../weights/quantize.ts";
import type { Bd3lmConfig } from "./bd3lm_config.ts";
import type { FamilyConfig } from "./family.ts";
import { layerName, type QwenConfig } from "./qwen_config.ts";

/** The tensors of a model that its family uploads as matrices of products and as embeddings. */
export function quantizableTensors(config: FamilyConfig): Quantizable {
  return config.modelType === "bd3lm" ? quantizableBd3lm(config) : quantizableQwen(config);
}

/** What computes the conditioning is small and touches every value: it is left out. */
function quantizableBd3lm(config: Bd3lmConfig): Quantizable {
  const linear = Array.from({ length: config.layers }, (_, i): [string, number][] => {
    const name = `backbone.blocks.${i}`;
    return [
      [`${name}.attn_qkv.weight`, 1],
      [`${name}.attn_out.weight`, partsOfHeads(config)],
      [`${name}.mlp.0.weight`, 1],
      [`${name}.mlp.2.weight`, 1],
    ];
  });
  return {
    linear: new Map([...linear.flat(), ["backbone.output_layer.linear.weight", 1]]),
    embeddings: new Set(["backbone.vocab_embed.embedding"]),
  };
}

/** An embedding that is the output layer, too, is neither: it stays what both are made of. */
function quantizableQwen(config: QwenConfig): Quantizable {
  const linear = Array.from({ length: config.layers }, (_, i): [string, number][] => {
    const name = layerName(i);
    return [
      ...["q", "k", "v"].map((
        part,
      ): [string, number] => [`${name}.self_attn.${part}_proj.weight`, 1]),
      [`${name}.self_attn.o_proj.weight`, partsOfHeads(config)],
      ...["gate", "up", "down"].map((
        part,
      ): [string, number] => [`${name}.mlp.${part}_proj.weight`, 1]),
    ];
  });
  return {
    linear: new Map([...linear.flat(), ...(config.isTied ? [] : [["lm_head.weight", 1] as const])]),
    embeddings: new Set(config.isTied ? [] : ["model.embed_tokens.weight"]),
  };
}

/** Where heads are padded, groups must not reach from one into the next. */
function partsOfHeads(
  { heads, headSize }: { readonly heads: number; readonly headSize: number },
): number {
  return paddedHeadSize(headSize) === headSize || headSize % GROUP === 0 ? 1 : heads;
}
