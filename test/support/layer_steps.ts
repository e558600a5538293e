import type { PagedCache } from "../../kernels/mod.ts";
import type { Gpu, Pass, Tensor } from "../../src/gpu/mod.ts";
import { placeInCache, unpair } from "../kernels/host_cache.ts";
import { unpad } from "./forward.ts";
import { readFloats } from "./gpu.ts";

/** Records one step at a time, and reads what it gives without padding, by its recorded name. */
export class StepReader {
  readonly values = new Map<string, Float32Array>();
  readonly #gpu: Gpu;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Runs a step whose result has `width` values in every `stride`. */
  async run(
    name: string,
    [width, stride]: readonly [number, number],
    record: (pass: Pass) => Tensor,
  ): Promise<Tensor> {
    const pass = this.#gpu.pass();
    const result = record(pass);
    pass.submit();
    const values = (await readFloats(this.#gpu, result)).subarray(0, result.length);
    this.values.set(name, unpad(values, stride, width));
    return result;
  }
}

/** Keys or values of slot 0 at positions 0 … length - 1: [length, heads, head size]. */
export async function readCache(
  gpu: Gpu,
  { cache, store, headSize }: { cache: PagedCache; store: "k" | "v"; headSize: number },
  length: number,
): Promise<Float32Array> {
  const { [store]: tensor, pages } = cache;
  const [, heads = 0, pageTokens = 0, headWidth = 0] = tensor.shape;
  const shape = { heads, pageTokens, headWidth, format: "f32" } as const;
  const stored = await readFloats(gpu, tensor);
  const table = new Uint32Array(await gpu.read(pages));
  const values = Float32Array.from({ length: length * heads * headSize }, (_, at) => {
    const position = Math.floor(at / (heads * headSize));
    const page = table[1 + Math.floor(position / pageTokens) % table[0]!]!;
    const [head, i] = [Math.floor(at / headSize) % heads, at % headSize];
    return stored[placeInCache(shape, { page, head, token: position % pageTokens, i })]!;
  });
  return store === "k" ? unpair(values, headSize) : values;
}
