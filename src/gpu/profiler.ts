import { GpuError } from "./errors.ts";

/** The optional feature of WebGPU that takes the time on the device. */
const FEATURE = "timestamp-query";
/** Queries of one set at most. Source: WebGPU, "createQuerySet". */
const MAX_QUERIES = 4096;
const TIMESTAMP_BYTES = BigUint64Array.BYTES_PER_ELEMENT;

/** A dispatch as it is told apart from others. */
export interface DispatchInfo {
  readonly kernel: string;
  readonly workgroups: readonly number[];
}

/** A dispatch with its time, by the clock of the device. */
export interface DispatchTime extends DispatchInfo {
  /** Nanoseconds since the first dispatch that the profiler has seen. */
  readonly beginNs: number;
  readonly endNs: number;
}

/** The times of one submission while they are on their way. */
export interface Timing {
  /** Of the compute pass that dispatch number `index` has for itself. */
  descriptor(index: number): GPUComputePassDescriptor;
  /** Ends the encoding: what was timed goes where the host can read it. */
  resolve(encoder: GPUCommandEncoder): void;
  /** Notes that it was submitted. */
  submitted(): void;
}

/** Queries that are used again by every submission: the queue keeps their order. */
interface QuerySet {
  readonly queries: GPUQuerySet;
  readonly resolved: GPUBuffer;
}

interface Submission {
  readonly dispatches: readonly DispatchInfo[];
  readonly staging: GPUBuffer;
}

/**
 * Takes the time of every dispatch of a device by timestamp queries. Its memory goes with the device.
 *
 * Timestamps belong to whole compute passes, so each dispatch needs one of its own: a little time
 * between dispatches is the price.
 */
export class Profiler {
  readonly #device: GPUDevice;
  readonly #sets: QuerySet[] = [];
  #submissions: Submission[] = [];
  /** The first timestamp; those of some devices count from 1970 and do not fit a number. */
  #origin: bigint | null = null;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Prepares a submission of `dispatches`; `null` where there are none. */
  time(dispatches: readonly DispatchInfo[]): Timing | null {
    if (dispatches.length === 0) return null;
    const count = 2 * dispatches.length;
    const staging = this.#device.createBuffer({
      label: "timestamps",
      size: count * TIMESTAMP_BYTES,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    return {
      descriptor: (index) => ({
        timestampWrites: {
          querySet: this.#set(Math.floor(2 * index / MAX_QUERIES)).queries,
          beginningOfPassWriteIndex: 2 * index % MAX_QUERIES,
          endOfPassWriteIndex: 2 * index % MAX_QUERIES + 1,
        },
      }),
      resolve: (encoder) => {
        for (let first = 0; first < count; first += MAX_QUERIES) {
          const { queries, resolved } = this.#set(first / MAX_QUERIES);
          const used = Math.min(MAX_QUERIES, count - first);
          const [at, bytes] = [first * TIMESTAMP_BYTES, used * TIMESTAMP_BYTES];
          encoder.resolveQuerySet(queries, 0, used, resolved, 0);
          encoder.copyBufferToBuffer(resolved, 0, staging, at, bytes);
        }
      },
      submitted: () => void this.#submissions.push({ dispatches, staging }),
    };
  }

  /**
   * Waits for what was submitted since the last call, and forgets it.
   *
   * @returns Per submission its dispatches, both in their order.
   */
  async take(): Promise<DispatchTime[][]> {
    const submissions = this.#submissions;
    this.#submissions = [];
    const times = [];
    for (const { dispatches, staging } of submissions) {
      await staging.mapAsync(GPUMapMode.READ);
      const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
      staging.destroy();
      const origin = this.#origin ??= stamps[0] ?? null;
      const nanoseconds = (index: number) => Number(stamps[index]! - origin!); // Two a dispatch.
      times.push(dispatches.map(({ kernel, workgroups }, i) => ({
        kernel,
        workgroups,
        beginNs: nanoseconds(2 * i),
        endNs: nanoseconds(2 * i + 1),
      })));
    }
    return times;
  }

  #set(index: number): QuerySet {
    return this.#sets[index] ??= {
      queries: this.#device.createQuerySet({ type: "timestamp", count: MAX_QUERIES }),
      resolved: this.#device.createBuffer({
        label: "timestamps",
        size: MAX_QUERIES * TIMESTAMP_BYTES,
        usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
      }),
    };
  }
}

/**
 * The features that a device needs for a {@linkcode Profiler}.
 *
 * @throws {GpuError} If the adapter lacks one.
 */
export function profilerFeatures(
  { features, info }: Pick<GPUAdapter, "features" | "info">,
): GPUFeatureName[] {
  if (features.has(FEATURE)) return [FEATURE];
  throw new GpuError(
    `Cannot profile: ${info.description || info.device || "the adapter"} has the features ` +
      `[${[...features]}], expected "${FEATURE}" among them`,
  );
}

/** The profiler of a device that was opened for one, else `null`. */
export function profilerOf(device: GPUDevice): Profiler | null {
  return device.features.has(FEATURE) ? new Profiler(device) : null;
}
