import { assertEquals, assertThrows } from "@std/assert";
import {
  firstBlock,
  firstBlockStart,
  packSequence,
  SEQUENCE_WORDS,
} from "../../src/model/sequence_state.ts";
import { BD3LM_RULES, FAST_DLLM_RULES, SDAR_RULES } from "../support/decoding_rules.ts";
import { requestOf } from "../support/device_engine.ts";
import { sequenceWord } from "../support/sequence_words.ts";

const MASK = 99;
const of = (length: number) => requestOf(Array.from({ length }, (_, i) => i), { blockSize: 4 });

Deno.test("firstBlockStart() is where the prompt's whole blocks end", () => {
  for (const rules of [BD3LM_RULES, SDAR_RULES]) {
    const starts = [0, 3, 4, 5, 8].map((length) => firstBlockStart(of(length), rules));
    assertEquals(starts, [0, 0, 4, 4, 8]);
  }
});

Deno.test("firstBlockStart() with shifted logits leaves the sequence a last whole block", () => {
  const starts = [0, 3, 4, 5, 8].map((length) => firstBlockStart(of(length), FAST_DLLM_RULES));
  assertEquals(starts, [0, 0, 0, 4, 4]);
});

Deno.test("firstBlock() holds the prompt's end, then masks", () => {
  const blocks = [BD3LM_RULES, FAST_DLLM_RULES].map((rules) =>
    [0, 6, 8].map((length) => [...firstBlock(of(length), { maskToken: MASK, rules })])
  );
  const masks = [MASK, MASK, MASK, MASK];
  assertEquals(blocks, [
    [masks, [4, 5, MASK, MASK], masks],
    [masks, [4, 5, MASK, MASK], [4, 5, 6, 7]],
  ]);
});

Deno.test("packSequence() fills every word that kernels/sequence.wgsl has", () => {
  // In whole vectors.
  assertEquals(Math.ceil((sequenceWord("heads") + 1) / 4) * 4, SEQUENCE_WORDS);
  const options = { ...of(6), maxTokens: 9, subBlockSize: 2, stopTokens: [7, 8] };
  const words = packSequence(options, { window: 32, rules: SDAR_RULES });
  const field = (name: string) => words[sequenceWord(name)];
  assertEquals(
    ["block_size", "sub_block_size", "window", "prompt_end", "end", "phase", "start", "masked"]
      .map(field),
    [4, 2, 8, 6, 15, 1, 4, 2],
  );
  const stops = sequenceWord("stop_tokens");
  assertEquals([...words.subarray(stops, stops + 4)], [7, 8, 0xffff_ffff, 0xffff_ffff]);
  assertEquals(field("steps"), 2);
});

Deno.test("packSequence() throws where there are too many stop tokens, or no whole sub-blocks", () => {
  const model = { window: 32, rules: SDAR_RULES };
  assertThrows(
    () => packSequence({ ...of(0), stopTokens: [1, 2, 3, 4, 5] }, model),
    RangeError,
    "5 tokens end it, expected 4 at most",
  );
  for (const subBlockSize of [0, 3, 8]) {
    assertThrows(
      () => packSequence({ ...of(0), subBlockSize }, model),
      RangeError,
      `sub-block size is ${subBlockSize}, expected a divisor of 4`,
    );
  }
});
