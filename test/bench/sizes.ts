import type { WeightFormat } from "../../src/weights/formats.ts";
import { noise } from "../support/noise.ts";
import {
  PUBLISHED,
  type PublishedDecoder,
  type TensorBytes,
  writePublished,
} from "../support/published_decoders.ts";
import { runScript } from "./child.ts";
import type { Figures } from "./figures.ts";
import type { LoadedSize } from "./load_decoder.ts";

/** Decoders and the formats in which a host of 24 GB holds them. */
const SIZES: readonly { name: keyof typeof PUBLISHED; formats: readonly WeightFormat[] }[] = [
  { name: "SDAR-1.7B", formats: ["f16", "int8", "int4"] },
  { name: "SDAR-4B", formats: ["int8", "int4"] },
  { name: "Fast_dLLM_v2_1.5B", formats: ["f16"] },
];

/** A prime: rows of no matrix begin alike. */
const PATTERN_ELEMENTS = 1_048_573;
/** What uniform noise in ±1 is multiplied by for a standard deviation of 0.02. */
const SPREAD = 0.02 * Math.sqrt(3);

const GIBIBYTE = 2 ** 30;

/**
 * Loads checkpoints with random weights of published shapes, each in a process of its own, and generates
 * one block: how long that takes, and what memory it takes beside the buffers of the device, which on a
 * software adapter are the process's own.
 */
export async function benchSizes(): Promise<Figures> {
  const figures: Figures = {};
  for (const { name, formats } of SIZES) {
    const decoder: PublishedDecoder = PUBLISHED[name];
    const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-bench-" });
    try {
      writePublished(directory, decoder, randomBytes());
      for (const format of formats) {
        Object.assign(figures, await measure(`${name} ${format}`, { directory, format, decoder }));
      }
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  }
  return figures;
}

async function measure(
  name: string,
  { directory, format, decoder }: {
    readonly directory: string;
    readonly format: WeightFormat;
    readonly decoder: PublishedDecoder;
  },
): Promise<Figures> {
  const environment = { DIRECTORY: directory, FORMAT: format };
  // What the script prints.
  const size = await runScript("load_decoder.ts", environment) as LoadedSize;
  const { vocab_size: vocabulary } = decoder.config;
  const isSound = size.tokens.every((each) => each < vocabulary && each !== decoder.mask.id);
  if (!isSound) throw new Error(`Cannot measure: ${name} gave the tokens ${size.tokens}`);
  const beside = size.peakBytes - size.deviceBytes;
  return {
    [`${name}, loading`]: { value: size.loadSeconds, unit: "s" },
    [`${name}, loading, CPU time of all threads`]: { value: size.cpuSeconds, unit: "s" },
    [`${name}, a block of ${size.tokens.length} in ${size.steps} steps`]: {
      value: size.blockSeconds,
      unit: "s",
    },
    [`${name}, weights on the device`]: { value: size.weightBytes / GIBIBYTE, unit: "GiB" },
    [`${name}, peak memory`]: { value: size.peakBytes / GIBIBYTE, unit: "GiB" },
    [`${name}, peak memory beside the device's`]: {
      ...{ value: beside / GIBIBYTE, unit: "GiB" },
      goal: { atMost: 1 },
    },
  };
}

/** The same noise over and over; around 1 for the gains of norms. */
function randomBytes(): TensorBytes {
  const weights = toBf16(noise(PATTERN_ELEMENTS).map((each) => SPREAD * each));
  const gains = toBf16(noise(PATTERN_ELEMENTS).map((each) => 1 + SPREAD * each));
  return (name, bytes) => {
    const pattern = name.endsWith("norm.weight") ? gains : weights;
    const parts: Uint8Array[] = [];
    for (let left = bytes; left > 0; left -= pattern.length) parts.push(pattern.subarray(0, left));
    return parts;
  };
}

function toBf16(values: Float32Array<ArrayBuffer>): Uint8Array {
  const bits = new Uint32Array(values.buffer);
  return new Uint8Array(Uint16Array.from(bits, (each) => each >>> 16).buffer);
}
