import { join, resolve } from "@std/path";
import { readFamilyConfig } from "../model/family.ts";
import { quantizableTensors } from "../model/quantizable.ts";
import { Checkpoint } from "../weights/checkpoint.ts";
import { GROUP } from "../weights/formats/format.ts";
import { type QuantizeOptions, writeQuantized } from "../weights/quantize.ts";
import { asksForHelp } from "./flags.ts";
import { errorLine, processSurroundings, type Surroundings } from "./model_command.ts";
import { parseQuantizeOptions, partialOf, QUANTIZE_HELP } from "./quantize_options.ts";
import { ProgressBar } from "./terminal.ts";

/** What goes with the weights as it is, where it is there. */
const TAKEN_OVER = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
];
/** Of one such file. */
const MAX_FILE_BYTES = 256 << 20;

/** Runs `quantize DIR OUT`, and gives the exit status. */
export async function run(
  args: readonly string[],
  { stdout, stderr }: Pick<Surroundings, "stdout" | "stderr"> = processSurroundings(),
): Promise<number> {
  if (asksForHelp(args)) {
    stdout.write(QUANTIZE_HELP);
    return 0;
  }
  const { directory, out, weights: format } = parseQuantizeOptions(args);
  try {
    using bar = new ProgressBar(stderr, "quantizing");
    const onProgress = (done: number, total: number) => bar.update(done, total);
    await quantize(directory, { out, format, onProgress });
    stdout.write(`${out}\n`);
    return 0;
  } catch (error) {
    stderr.write(errorLine(error, stderr) + "\n");
    return 1;
  }
}

/**
 * Writes the checkpoint of a directory in another format. It appears at `out` whole or not at all.
 *
 * @throws {CheckpointError} If the checkpoint is damaged or of an unknown family.
 * @throws {RangeError} If it is quantized already, a value does not fit, or `out` is not empty.
 */
export async function quantize(
  directory: string,
  { out, ...options }: Pick<QuantizeOptions, "format" | "shardBytes" | "onProgress"> & {
    readonly out: string;
  },
): Promise<void> {
  using checkpoint = Checkpoint.open(directory);
  const config = readFamilyConfig(checkpoint);
  if (checkpoint.quantization !== null) {
    const { format } = checkpoint.quantization;
    throw new RangeError(
      `Cannot quantize ${JSON.stringify(directory)}: it is ${format} already, expected one that ` +
        "is not quantized",
    );
  }
  expectEmpty(out);
  const partial = partialOf(out);
  removeIfThere(partial);
  makeDirectory(partial);
  try {
    const quantizable = quantizableTensors(config);
    await writeQuantized(checkpoint, { ...options, directory: partial, quantizable });
    const { blockSize } = config;
    writeOthers(checkpoint, { directory: partial, format: options.format, blockSize });
    Deno.renameSync(partial, resolve(out));
  } catch (error) {
    removeIfThere(partial);
    throw error;
  }
}

/** Writes `config.json`, and what is taken over. */
function writeOthers(
  checkpoint: Checkpoint,
  { directory, format, blockSize }: Pick<QuantizeOptions, "directory" | "format"> & {
    readonly blockSize: number;
  },
): void {
  for (const name of TAKEN_OVER) {
    const bytes = checkpoint.bytes(name, { maxBytes: MAX_FILE_BYTES });
    if (bytes !== null) Deno.writeFileSync(join(directory, name), bytes);
  }
  const quantization = { format, ...(format !== "f16" && { group: GROUP }) };
  // It may stand in nothing but the name of the directory, which is another from now on.
  const config = { ...checkpoint.config, block_size: blockSize, quantization };
  const text = JSON.stringify(config, null, 2) + "\n";
  Deno.writeTextFileSync(join(directory, "config.json"), text);
}

function makeDirectory(path: string): void {
  try {
    Deno.mkdirSync(path);
  } catch (cause) {
    throw new Error(`Cannot make ${JSON.stringify(path)}: ${(cause as Error).message}`, { cause });
  }
}

/** Nothing that is there is overwritten. */
function expectEmpty(out: string): void {
  try {
    for (const { name } of Deno.readDirSync(out)) {
      const [place, found] = [out, name].map((each) => JSON.stringify(each));
      throw new RangeError(
        `Cannot quantize into ${place}: it has ${found}, expected it to be empty`,
      );
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
