import type { Gpu } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import type { DispatchInfo } from "./profiler.ts";
import { elementBytes, type ElementType, Tensor } from "./tensor.ts";

/** Operands of one dispatch. */
export interface Dispatch {
  /** Storage operands by the names in the source. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** `override` constants: fixed by the model, one pipeline per set. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Fields of `struct Params`: what changes from call to call. */
  readonly params?: Readonly<Record<string, number>>;
  /** Workgroups in x, y and z; 1 where left out. */
  readonly workgroups: readonly number[];
}

/** A copy at the end of a submission. */
export interface Copy {
  readonly from: Tensor;
  readonly to: GPUBuffer;
  readonly bytes: number;
}

interface Command extends DispatchInfo {
  readonly definition: Kernel;
  readonly params: Readonly<Record<string, number>>;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  /** Byte offset of this dispatch's `Params` in the arena; none where there are no such. */
  readonly offsets: readonly number[];
}

/** Distinct sets of parameters in one submission. */
const PARAMS_CAPACITY = 4096;
/** Largest `struct Params`, bytes. */
const PARAMS_BYTES = 64;
const MAX_WORKGROUPS = 65_535;
const NO_OFFSETS: Command["offsets"] = [];

/** What all passes of a device share: the arena of parameters and the bind groups made so far. */
class Arena {
  static readonly #ofGpu = new WeakMap<Gpu, Arena>();
  readonly stride: number;
  readonly buffer: GPUBuffer;
  /** By kernel and operands. */
  readonly groups = new Map<string, GPUBindGroup>();
  readonly #kernelIds = new Map<Kernel, number>();

  private constructor(gpu: Gpu) {
    this.stride = Math.max(PARAMS_BYTES, gpu.limits.minStorageBufferOffsetAlignment);
    this.buffer = gpu.device.createBuffer({
      label: "params",
      size: this.stride * PARAMS_CAPACITY,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
  }

  /** A number of its own for every kernel. */
  idOf(kernel: Kernel): number {
    const id = this.#kernelIds.get(kernel) ?? this.#kernelIds.size;
    this.#kernelIds.set(kernel, id);
    return id;
  }

  static of(gpu: Gpu): Arena {
    const arena = Arena.#ofGpu.get(gpu) ?? new Arena(gpu);
    Arena.#ofGpu.set(gpu, arena);
    return arena;
  }
}

/** Records dispatches and lends scratch tensors; nothing runs before {@linkcode Pass.submit}. */
export class Pass {
  readonly #gpu: Gpu;
  readonly #arena: Arena;
  readonly #commands: Command[] = [];
  readonly #offsets = new Map<string, Command["offsets"]>();
  readonly #params: Uint32Array<ArrayBuffer>[] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#arena = Arena.of(gpu);
  }

  /** The device that will run this. */
  get gpu(): Gpu {
    return this.#gpu;
  }

  /** Dispatches recorded so far. */
  get dispatches(): number {
    return this.#commands.length;
  }

  /** Lends a tensor with undefined contents; `using` gives it back to later dispatches. */
  scratch(name: string, shape: readonly number[], dtype: ElementType = "f32"): Tensor {
    const bytes = shape.reduce((product, each) => product * each, 1) * elementBytes(dtype);
    const { buffer, giveBack } = this.#gpu.takeScratch(bytes);
    return new Tensor({ name, shape, dtype, buffer }, giveBack);
  }

  /**
   * Records one dispatch.
   *
   * @throws {TypeError} If an operand, constant or parameter is missing or unknown.
   * @throws {RangeError} If there are more workgroups than WebGPU allows.
   */
  dispatch(kernel: Kernel, { tensors, constants = {}, params = {}, workgroups }: Dispatch): void {
    if (workgroups.some((count) => count > MAX_WORKGROUPS)) {
      throw new RangeError(
        `Cannot dispatch "${kernel.name}": workgroups are [${workgroups}], expected at most ` +
          `${MAX_WORKGROUPS} each`,
      );
    }
    if (workgroups.some((count) => count === 0)) return;
    this.#commands.push({
      kernel: kernel.name,
      definition: kernel,
      params,
      pipeline: this.#gpu.pipeline(kernel, constants),
      group: this.#bind(kernel, tensors),
      offsets: this.#writeParams(kernel, params),
      workgroups,
    });
  }

  /**
   * Records once more what was recorded from dispatch `begin` to `end`, scratch tensors included: what
   * they hold in between is gone. Costs little beside recording it anew.
   *
   * @param params What else holds for the kernels that have such parameters.
   */
  repeat(begin: number, end: number, params: Readonly<Record<string, number>>): void {
    const names = Object.keys(params);
    for (const command of this.#commands.slice(begin, end)) {
      const changed = names.filter((name) => name in command.params);
      if (changed.length === 0) {
        this.#commands.push(command);
        continue;
      }
      const own = { ...command.params };
      for (const name of changed) own[name] = params[name]!; // One of its names.
      const offsets = this.#writeParams(command.definition, own);
      this.#commands.push({ ...command, params: own, offsets });
    }
  }

  /** Runs what was recorded, in order, then copies; the queue keeps the order of submissions. */
  submit(copies: readonly Copy[] = []): void {
    this.encode(copies)();
  }

  /**
   * Encodes what was recorded, then copies, ahead of time.
   *
   * @returns Submits it; once. Nothing may be recorded any more.
   */
  encode(copies: readonly Copy[] = []): () => void {
    const { device } = this.#gpu;
    const { buffer, stride } = this.#arena;
    const encoder = device.createCommandEncoder();
    const timing = this.#gpu.profiler?.time(this.#commands) ?? null;
    const parts = timing ? this.#commands.map((each) => [each]) : [this.#commands];
    parts.forEach((part, i) => encodePart(encoder.beginComputePass(timing?.descriptor(i)), part));
    timing?.resolve(encoder);
    for (const { from, to, bytes } of copies) {
      encoder.copyBufferToBuffer(from.buffer, 0, to, 0, bytes);
    }
    const commands = encoder.finish();
    const words = new Uint32Array(this.#params.length * stride / 4);
    this.#params.forEach((each, i) => words.set(each, i * stride / 4));
    return () => {
      // All passes share the arena: it is written when it is this one's turn.
      if (words.length > 0) device.queue.writeBuffer(buffer, 0, words);
      device.queue.submit([commands]);
      timing?.submitted();
    };
  }

  #bind(kernel: Kernel, tensors: Readonly<Record<string, Tensor>>): GPUBindGroup {
    let key = `${this.#arena.idOf(kernel)}:`;
    let isComplete = Object.keys(tensors).length === kernel.bindings.length;
    for (const { name } of kernel.bindings) {
      const tensor = tensors[name];
      if (tensor) key += `${tensor.id},`;
      else isComplete = false;
    }
    if (!isComplete) {
      throw new TypeError(
        `Cannot dispatch "${kernel.name}": operands are [${Object.keys(tensors)}], expected ` +
          `[${kernel.bindings.map((each) => each.name)}]`,
      );
    }
    const cached = this.#arena.groups.get(key);
    if (cached) return cached;
    const made = this.#makeGroup(kernel, tensors);
    this.#arena.groups.set(key, made);
    return made;
  }

  #makeGroup(kernel: Kernel, tensors: Readonly<Record<string, Tensor>>): GPUBindGroup {
    const entries: GPUBindGroupEntry[] = kernel.bindings
      .map(({ binding, name }) => ({ binding, resource: { buffer: tensors[name]!.buffer } }));
    if (kernel.paramsBinding) {
      entries.push({
        binding: kernel.paramsBinding.binding,
        resource: { buffer: this.#arena.buffer, size: PARAMS_BYTES },
      });
    }
    const layout = this.#gpu.layout(kernel);
    return this.#gpu.device.createBindGroup({ label: kernel.name, layout, entries });
  }

  #writeParams(kernel: Kernel, params: Readonly<Record<string, number>>): Command["offsets"] {
    let key = `${this.#arena.idOf(kernel)}:`;
    let isComplete = Object.keys(params).length === kernel.params.length;
    for (const { name } of kernel.params) {
      const value = params[name];
      if (value === undefined) isComplete = false;
      else key += `${value},`;
    }
    if (!isComplete) {
      throw new TypeError(
        `Cannot dispatch "${kernel.name}": params are [${Object.keys(params)}], expected ` +
          `[${kernel.params.map((each) => each.name)}]`,
      );
    }
    if (!kernel.paramsBinding) return NO_OFFSETS;
    const known = this.#offsets.get(key);
    if (known !== undefined) return known;
    if (this.#params.length === PARAMS_CAPACITY) {
      throw new RangeError(`Cannot record: more than ${PARAMS_CAPACITY} sets of params`);
    }
    const words = new Uint32Array(PARAMS_BYTES / 4);
    const floats = new Float32Array(words.buffer);
    kernel.params.forEach(({ name, type }, i) => {
      (type === "u32" ? words : floats)[i] = params[name]!; // Complete, see above.
    });
    const offsets = [this.#params.length * this.#arena.stride];
    this.#params.push(words);
    this.#offsets.set(key, offsets);
    return offsets;
  }
}

function encodePart(pass: GPUComputePassEncoder, part: readonly Command[]): void {
  for (const { pipeline, group, offsets, workgroups } of part) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group, offsets as number[]); // Its type does not say that it is only read.
    pass.dispatchWorkgroups(workgroups[0] ?? 1, workgroups[1] ?? 1, workgroups[2] ?? 1);
  }
  pass.end();
}
