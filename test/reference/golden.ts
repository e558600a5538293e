/**
 * Computes reference log-probabilities of a checkpoint in float64, and writes them beside it, for
 * the inputs that the golden file of the original model has:
 * `deno run --allow-all test/reference/golden.ts models/tinystories-bd3lm`.
 */
import { join } from "@std/path";
import { z } from "zod";
import { loadTokenizer } from "../../src/commands/load_tokenizer.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { readJson } from "../support/fixtures.ts";
import { ORIGINAL_MODEL } from "../support/original_model.ts";
import { forwardBlockCausal, loadNetwork, type Network } from "./network.ts";

const FILE = "golden.json";
const TOP = 5;
const DIGITS = 5;
const [id, number] = [z.int().min(0), z.number()];

const GoldenPosition = z.strictObject({
  position: id,
  input_id: id,
  top5_ids: z.array(id).length(TOP),
  top5_logprobs: z.array(number).length(TOP),
  top5_tokens: z.array(z.string()).length(TOP),
  logit_mean: number,
  logit_std: number,
});

const Golden = z.strictObject({
  description: z.string(),
  weights: z.string(),
  tolerance: z.string(),
  cases: z.array(z.strictObject({
    block_size: z.int(),
    context_tokens: z.int(),
    input_ids: z.array(id),
    text: z.string(),
    positions: z.array(GoldenPosition),
  })),
});

/** A golden file: what a checkpoint gives for some inputs, by an implementation that is trusted. */
export type Golden = z.output<typeof Golden>;

/** Reads the golden file of a checkpoint's directory. */
export function readGolden(directory: string): Golden {
  return Golden.parse(readJson(join(directory, FILE)));
}

/**
 * What a network gives for the inputs of `asked`, rounded as they are there.
 *
 * @param mask The id that no prediction may have.
 * @param spell Writes one token as text.
 */
export function goldenCases(
  network: Network,
  { asked, mask, spell }: {
    readonly asked: Golden["cases"];
    readonly mask: number;
    readonly spell: (id: number) => string;
  },
): Golden["cases"] {
  const { vocab_size: width } = network.config;
  return asked.map((each) => {
    const { input_ids: tokens, block_size: blockSize } = each;
    const { logits } = forwardBlockCausal(network, { tokens, blockSize, sigma: 0 });
    const positions = each.positions.map(({ position, input_id }) => {
      const row = logits.slice(position * width, (position + 1) * width);
      return { position, input_id, ...likeliest(row, { mask, spell }), ...moments(row) };
    });
    return { ...each, positions };
  });
}

/** The tokens with the largest probabilities, the mask left out, and their logarithms. */
function likeliest(
  logits: Float64Array,
  { mask, spell }: { readonly mask: number; readonly spell: (id: number) => string },
) {
  const ids = [...logits.keys()].filter((id) => id !== mask);
  const highest = Math.max(...ids.map((id) => logits[id]!));
  const sum = ids.reduce((total, id) => total + Math.exp(logits[id]! - highest), 0);
  const top = ids.toSorted((a, b) => logits[b]! - logits[a]!).slice(0, TOP);
  return {
    top5_ids: top,
    top5_logprobs: top.map((id) => rounded(logits[id]! - highest - Math.log(sum))),
    top5_tokens: top.map(spell),
  };
}

/** Mean and the sample's deviation, as torch computes it. */
function moments(logits: Float64Array) {
  const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length;
  const squares = logits.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (logits.length - 1));
  return { logit_mean: rounded(mean), logit_std: rounded(deviation) };
}

function rounded(value: number): number {
  return Number(value.toFixed(DIGITS));
}

/** Writes the golden file of the checkpoint in `directory`. */
function writeGolden(directory: string): void {
  const asked = readGolden(ORIGINAL_MODEL.directory);
  const network = loadNetwork(directory);
  const { vocab_size: width } = network.config;
  using checkpoint = Checkpoint.open(directory);
  const tokenizer = loadTokenizer(checkpoint, width);
  const spell = (id: number) => tokenizer.decode([id]);
  const golden = {
    description: asked.description.replace("Float32", "Float64"),
    weights: "model.safetensors (F16 values, computed in F64 by test/reference)",
    tolerance: asked.tolerance,
    // The last id, as in every model of this tokenizer.
    cases: goldenCases(network, { asked: asked.cases, mask: width - 1, spell }),
  };
  Deno.writeTextFileSync(join(directory, FILE), JSON.stringify(golden, null, 1) + "\n");
}

if (import.meta.main) {
  const [directory, ...others] = Deno.args;
  if (directory === undefined || others.length > 0) {
    console.error("Usage: deno run --allow-all test/reference/golden.ts DIRECTORY");
    Deno.exit(2);
  }
  writeGolden(directory);
}
