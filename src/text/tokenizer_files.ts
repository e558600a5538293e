import type { Bpe } from "./train_bpe.ts";

/** What stands for the beginning and the end of a text, and for a token not known yet. */
export const SPECIAL_TOKENS = { end: "<|endoftext|>", mask: "<|mask|>" } as const;

/**
 * The contents of `tokenizer.json` and `tokenizer_config.json` for a byte-level BPE vocabulary. The
 * last two ids are the end and the mask.
 *
 * Source: huggingface/tokenizers, the files that `Tokenizer.save()` writes.
 */
export function tokenizerFiles(
  { tokens, merges }: Bpe,
): { readonly tokenizer: unknown; readonly config: unknown } {
  const specials = Object.values(SPECIAL_TOKENS).map((content, i) => ({
    id: tokens.length + i,
    ...{ content, single_word: false, lstrip: false, rstrip: false },
    ...{ normalized: false, special: true },
  }));
  const all = [...tokens, ...specials.map(({ content }) => content)];
  const byteLevel = {
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  };
  const { end, mask } = SPECIAL_TOKENS;
  return {
    tokenizer: {
      ...{ version: "1.0", truncation: null, padding: null, added_tokens: specials },
      ...{ normalizer: null, pre_tokenizer: byteLevel },
      ...{ post_processor: { ...byteLevel, trim_offsets: false }, decoder: byteLevel },
      model: {
        ...{ type: "BPE", dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false },
        ...{ continuing_subword_prefix: "", end_of_word_suffix: "", ignore_merges: false },
        vocab: Object.fromEntries(all.map((token, id) => [token, id])),
        merges: merges.map((pair) => pair.join(" ")),
      },
    },
    config: {
      ...{ tokenizer_class: "PreTrainedTokenizerFast", add_prefix_space: false },
      ...{ add_bos_token: false, add_eos_token: false, clean_up_tokenization_spaces: false },
      ...{ bos_token: end, eos_token: end, unk_token: end, mask_token: mask },
      added_tokens_decoder: Object.fromEntries(specials.map(({ id, ...token }) => [id, token])),
    },
  };
}
