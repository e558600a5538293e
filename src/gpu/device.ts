import { GpuError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import { Pass } from "./pass.ts";
import { type Profiler, profilerFeatures, profilerOf } from "./profiler.ts";
import { type OpenDevice, requestDevice } from "./request_device.ts";
import { isSoftware } from "./software.ts";
import { elementBytes, type ElementType, Tensor } from "./tensor.ts";

/** Limits that the kernels profit from; asked for as high as the adapter has them. */
const RAISED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
] as const;

/** Bytes written at most before a submission, which lets go of the memory that they wait in. */
const STAGED_BYTES = 16 << 20;

/**
 * What kernels are chosen by: a software adapter whose subgroups have 8 lanes and which loads 32 bytes
 * at a time, any other software adapter, or a GPU.
 */
export type DeviceClass = "cpu with subgroups" | "cpu" | "gpu";

/** The class of an open device of an adapter. */
export function deviceClassOf(
  info: Parameters<typeof isSoftware>[0],
  { subgroupSize, hasWideLoads }: Omit<OpenDevice, "device">,
): DeviceClass {
  if (!isSoftware(info)) return "gpu";
  return subgroupSize === 8 && hasWideLoads ? "cpu with subgroups" : "cpu";
}

/** What kind of memory a tensor takes; counted apart. */
export type MemoryKind = "weights" | "cache" | "state" | "scratch";

/** An open WebGPU device: makes tensors, lends scratch memory, counts bytes, notices faults. */
export class Gpu implements Disposable {
  readonly device: GPUDevice;
  readonly limits: GPUSupportedLimits;
  /** Lanes that can broadcast to each other; `null` where none can. */
  readonly subgroupSize: number | null;
  /** What kernels are chosen by. */
  readonly deviceClass: DeviceClass;
  /** Resolves when the device is gone, {@linkcode Gpu.dispose} included. */
  readonly lost: Promise<GpuError>;
  /** Takes the time of every dispatch; `null` unless the device was opened for it. */
  readonly profiler: Profiler | null;
  readonly #bytes = { weights: 0, cache: 0, state: 0, scratch: 0 };
  readonly #scratch = new Map<number, GPUBuffer[]>();
  readonly #pipelines = new Map<Kernel, Map<string, GPUComputePipeline>>();
  readonly #layouts = new Map<Kernel, GPUBindGroupLayout>();
  #fault: GpuError | null = null;
  /** Bytes written since the last submission that was made for them. */
  #staged = 0;

  private constructor(open: OpenDevice, readonly info: GPUAdapterInfo) {
    const { device } = open;
    this.device = device;
    this.subgroupSize = open.subgroupSize;
    this.deviceClass = deviceClassOf(info, open);
    this.limits = device.limits;
    this.profiler = profilerOf(device);
    this.lost = device.lost.then((info) => {
      const error = new GpuError(`Device lost: ${info.message || info.reason}`);
      this.#fault ??= error;
      return error;
    });
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#fault ??= new GpuError((event as GPUUncapturedErrorEvent).error.message);
    });
  }

  /**
   * Opens the adapter that the system prefers.
   *
   * @param options `isProfiled`: gives it a {@linkcode Profiler}, which makes it slower.
   * @throws {GpuError} If there is none, it gives no device, or it cannot be profiled.
   */
  static async open({ isProfiled = false } = {}): Promise<Gpu> {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) throw new GpuError("Cannot open a GPU: no WebGPU adapter found, expected one");
    const requiredLimits: Record<string, number> = {};
    for (const name of RAISED_LIMITS) requiredLimits[name] = adapter.limits[name];
    const requiredFeatures = isProfiled ? profilerFeatures(adapter) : [];
    try {
      const open = await requestDevice(adapter, { requiredLimits, requiredFeatures });
      return new Gpu(open, adapter.info);
    } catch (cause) {
      throw new GpuError(`Cannot open a GPU: ${adapter.info.description} gives no device`, {
        cause,
      });
    }
  }

  /** Adapter name for people. */
  get name(): string {
    return this.info.description || this.info.device || "unnamed adapter";
  }

  /** Whether kernels run on the CPU (a software Vulkan driver). */
  get isCpu(): boolean {
    return isSoftware(this.info);
  }

  /** Bytes of the live buffers by kind. */
  get bytes(): Readonly<Record<MemoryKind, number>> {
    return { ...this.#bytes };
  }

  /** Throws what the device reported since it was opened, if anything. */
  check(): void {
    if (this.#fault) throw this.#fault;
  }

  /**
   * Allocates a tensor, zero-filled unless `data` is given.
   *
   * @throws {RangeError} If it exceeds the largest binding of the device.
   */
  tensor(
    name: string,
    shape: readonly number[],
    options: { dtype?: ElementType; data?: ArrayBufferView<ArrayBuffer>; kind?: MemoryKind } = {},
  ): Tensor {
    const { dtype = "f32", data, kind = "state" } = options;
    const elements = shape.reduce((product, each) => product * each, 1);
    const size = Math.max(16, Math.ceil(elements * elementBytes(dtype) / 16) * 16);
    if (size > this.limits.maxStorageBufferBindingSize) {
      throw new RangeError(
        `Cannot allocate "${name}": it takes ${size} bytes, expected at most ` +
          `${this.limits.maxStorageBufferBindingSize}`,
      );
    }
    const buffer = this.#allocate(name, size, kind);
    const tensor = new Tensor({ name, shape, dtype, buffer }, () => {
      this.#bytes[kind] -= size;
      buffer.destroy();
    });
    if (data) this.write(tensor, data);
    return tensor;
  }

  /** Overwrites `tensor` from element byte `offset` on; in order with submissions. */
  write(tensor: Tensor, data: ArrayBufferView<ArrayBuffer>, offset = 0): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    for (let at = 0; at < bytes.length; at += STAGED_BYTES) {
      const chunk = bytes.subarray(at, at + STAGED_BYTES);
      this.device.queue.writeBuffer(tensor.buffer, offset + at, chunk);
      this.#staged += chunk.length;
      if (this.#staged < STAGED_BYTES) continue;
      this.device.queue.submit([]);
      this.#staged = 0;
    }
  }

  /** Scratch buffer of at least `bytes`, taken from the pool; contents undefined. */
  takeScratch(bytes: number): { buffer: GPUBuffer; giveBack: () => void } {
    // Few size classes, so that shapes that differ a little share buffers.
    const size = Math.max(4096, 2 ** Math.ceil(Math.log2(bytes)));
    const capped = Math.min(size, Math.max(bytes, this.limits.maxStorageBufferBindingSize));
    const free = this.#scratch.get(capped) ?? [];
    this.#scratch.set(capped, free);
    const buffer = free.pop() ?? this.#allocate("scratch", capped, "scratch");
    return { buffer, giveBack: () => void free.push(buffer) };
  }

  /** A recorder of dispatches. */
  pass(): Pass {
    return new Pass(this);
  }

  /** The compiled kernel for one set of `override` constants; compiled once. */
  pipeline(kernel: Kernel, constants: Readonly<Record<string, number>>): GPUComputePipeline {
    const ofKernel = this.#pipelines.get(kernel) ?? new Map<string, GPUComputePipeline>();
    this.#pipelines.set(kernel, ofKernel);
    let key = "";
    for (const name of kernel.overrides) key += `${constants[name]},`;
    const cached = ofKernel.get(key);
    // One constant too many does not show in the key: compile() refuses it.
    if (cached && Object.keys(constants).length === kernel.overrides.length) return cached;
    const pipeline = kernel.compile(this.device, this.layout(kernel), constants);
    ofKernel.set(key, pipeline);
    return pipeline;
  }

  /** Bind group layout of a kernel. */
  layout(kernel: Kernel): GPUBindGroupLayout {
    const layout = this.#layouts.get(kernel) ?? kernel.layout(this.device);
    this.#layouts.set(kernel, layout);
    return layout;
  }

  /**
   * Copies a tensor to the host, after all work submitted so far.
   *
   * @throws {GpuError} If the device reported a fault.
   */
  async read(tensor: Tensor): Promise<ArrayBuffer> {
    const size = Math.ceil(tensor.sizeBytes / 4) * 4;
    const staging = this.device.createBuffer({
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(tensor.buffer, 0, staging, 0, size);
      this.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      this.check();
      return staging.getMappedRange().slice(0);
    } catch (cause) {
      this.check();
      throw new GpuError(`Cannot read "${tensor.name}": the device does not answer`, { cause });
    } finally {
      staging.destroy();
    }
  }

  /** Destroys the device and all of its memory. */
  [Symbol.dispose](): void {
    this.device.destroy();
  }

  #allocate(label: string, size: number, kind: MemoryKind): GPUBuffer {
    this.#bytes[kind] += size;
    return this.device.createBuffer({
      label,
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }
}
