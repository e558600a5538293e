import type { Quantizable } from "../weights/quantize.ts";
import { paddedHeadSize } from "../../kernels/mod.ts";
import { GROUP } from "../weights/formats/format.ts";
import type { FamilyConfig } from "./family.ts";

/** The tensors of a model that its family uploads as matrices of products and as embeddings. */
export function quantizableTensors(config: FamilyConfig): Quantizable {
  switch (config.modelType) {
    case "bd3lm": {
      const { layers, heads, headSize } = config;
      const linear = Array.from({ length: layers }, (_, i): [string, number][] => {
        const name = `backbone.blocks.${i}`;
        return [
          [`${name}.attn_qkv.weight`, 1],
          [`${name}.attn_out.weight`, partsOfHeads({ heads, headSize })],
          [`${name}.mlp.0.weight`, 1],
          [`${name}.mlp.2.weight`, 1],
        ];
      });
      return {
        linear: new Map([...linear.flat(), ["backbone.output_layer.linear.weight", 1]]),
        embeddings: new Set(["backbone.vocab_embed.embedding"]),
      };
    }
  }
}

/** Where heads are padded, groups must not reach from one into the next. */
function partsOfHeads(
  { heads, headSize }: { readonly heads: number; readonly headSize: number },
): number {
  return paddedHeadSize(headSize) === headSize || headSize % GROUP === 0 ? 1 : heads;
}
