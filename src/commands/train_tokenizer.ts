import { join } from "@std/path";
import { SPECIAL_TOKENS, tokenizerFiles } from "../text/tokenizer_files.ts";
import { type Bpe, trainBpe } from "../text/train_bpe.ts";
import { splitTexts } from "../training/windows.ts";
import {
  asksForHelp,
  describeSettings,
  integer,
  optional,
  readSettings,
  setting,
  text,
  UsageError,
} from "./flags.ts";
import { processSurroundings, type Surroundings } from "./model_command.ts";
import { ProgressBar } from "./terminal.ts";
import { readTextFile } from "./text_file.ts";

/** 256 bytes and the special tokens, and more than any published vocabulary. */
const VOCABULARY = integer(256 + Object.keys(SPECIAL_TOKENS).length, 1 << 20);

const SETTINGS = {
  text: optional({ ...text, placeholder: "FILE" }, "what to learn from, as for train"),
  out: optional({ ...text, placeholder: "DIR" }, "where tokenizer.json goes"),
  vocab: setting(VOCABULARY, 4096, "tokens, end and mask included"),
};

const HELP = `Learns a byte-level BPE tokenizer from a text.

Usage: deno task tokenizer --text FILE --out DIR [FLAGS]

${describeSettings(SETTINGS)}
`;

/** What the command line of `tokenizer` asks for. */
export interface TokenizerOptions {
  readonly text: string;
  readonly out: string;
  readonly vocab: number;
}

/**
 * Reads the command line of `tokenizer`.
 *
 * @throws {UsageError} If a flag is unknown, is missing, or a value does not fit.
 */
export function parseTokenizerOptions(args: readonly string[]): TokenizerOptions {
  const { values: { text, out, vocab }, positional } = readSettings(SETTINGS, args, {});
  if (positional.length > 0) {
    throw new UsageError(
      `Cannot read the command line: "${positional[0]}" is no flag, expected flags alone`,
    );
  }
  if (text !== null && out !== null) return { text, out, vocab };
  throw new UsageError(`Cannot train: ${text === null ? "--text" : "--out"} is missing`);
}

/** Trains a tokenizer, and gives the exit status. */
export async function run(
  args: readonly string[],
  { stdout, stderr }: Surroundings = processSurroundings(),
): Promise<number> {
  if (asksForHelp(args)) {
    stdout.write(HELP);
    return 0;
  }
  const { text, out, vocab } = parseTokenizerOptions(args);
  try {
    const special = Object.keys(SPECIAL_TOKENS).length;
    const bpe = learn(splitTexts(await readTextFile(text)), { size: vocab - special, stderr });
    const { tokenizer, config } = tokenizerFiles(bpe);
    Deno.mkdirSync(out, { recursive: true });
    writeJson(join(out, "tokenizer.json"), tokenizer);
    writeJson(join(out, "tokenizer_config.json"), config);
    stdout.write(`${bpe.tokens.length + special} tokens in ${join(out, "tokenizer.json")}\n`);
    return 0;
  } catch (error) {
    stderr.write((error instanceof Error ? error.message : String(error)) + "\n");
    return 1;
  }
}

function learn(
  texts: Iterable<string>,
  { size, stderr }: { readonly size: number; readonly stderr: Surroundings["stderr"] },
): Bpe {
  using bar = new ProgressBar(stderr, "merging");
  return trainBpe(texts, size, { onProgress: (tokens) => bar.update(tokens, size) });
}

function writeJson(path: string, value: unknown): void {
  Deno.writeTextFileSync(path, JSON.stringify(value, null, 1) + "\n");
}
