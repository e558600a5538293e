/**
 * Times forwards of the model of `make_onnx.py` in onnxruntime-web, on the adapter that we use:
 * `deno run --allow-all --no-config --no-lock onnxruntime.ts FILE`, so without the project's lock
 * file, which does not know the package. Prints a line of JSON per number of tokens: `ms`, the CPU
 * time of all threads / 2, and `wallMs`, the least time by the clock.
 */
import { cpuSeconds, median } from "../cpu.ts";

// Not a literal at the import, so that checking the project does not ask for the package.
const PACKAGE = "npm:onnxruntime-web@1.30.0/webgpu";
const TOKENS = [16, 64, 256];
const VOCABULARY = 4096;
const TRIES = 5;
// For 2.5 s, V8's threads still optimize the WebAssembly, which costs twice a forward.
const WARM_UP_MS = 4000;

/** What is used here of onnxruntime-web. */
interface Onnxruntime {
  readonly env: { readonly wasm: { numThreads: number } };
  readonly InferenceSession: {
    create(model: Uint8Array, options: { executionProviders: string[] }): Promise<Session>;
  };
  readonly Tensor: new (type: "int64", data: BigInt64Array, shape: number[]) => Tensor;
}

interface Session {
  run(inputs: { tokens: Tensor }): Promise<{ logits: Tensor }>;
}

interface Tensor {
  readonly data: ArrayLike<number>;
}

/** Makes a forward of `session` on `count` tokens. */
function forwardOf(session: Session, count: number): () => Promise<void> {
  const ids = BigInt64Array.from({ length: count }, (_, i) => BigInt(i * 37 % VOCABULARY));
  const tokens = new Tensor("int64", ids, [count]);
  return async () => {
    const { logits } = await session.run({ tokens });
    if (!Number.isFinite(logits.data[0])) throw new Error("Cannot measure: a logit is not finite");
  };
}

/** Times `forward` once it is warm. */
async function measure(forward: () => Promise<void>): Promise<{ ms: number; wallMs: number }> {
  const begin = performance.now();
  while (performance.now() - begin < WARM_UP_MS) await forward();
  const cpu: number[] = [];
  const wall: number[] = [];
  for (let i = 0; i < TRIES; i++) {
    const [cpuBefore, wallBefore] = [cpuSeconds(), performance.now()];
    await forward();
    wall.push(performance.now() - wallBefore);
    cpu.push(cpuSeconds() - cpuBefore);
  }
  return { ms: median(cpu) * 1000 / 2, wallMs: Math.min(...wall) };
}

const { env, InferenceSession, Tensor }: Onnxruntime = await import(PACKAGE);
// Threads of WebAssembly need a browser; the products run on the device anyway.
env.wasm.numThreads = 1;
const model = Deno.readFileSync(Deno.args[0]!);
const session = await InferenceSession.create(model, { executionProviders: ["webgpu"] });
for (const count of TOKENS) {
  const times = await measure(forwardOf(session, count));
  console.log(JSON.stringify({ tokens: count, ...times }));
}
Deno.exit(0);
