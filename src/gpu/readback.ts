import type { Gpu } from "./device.ts";
import { GpuError } from "./errors.ts";

/**
 * A buffer that the device copies to and the host reads, again and again.
 *
 * An awaited `mapAsync` sleeps 10 ms after the device is done. In Deno the call itself has waited
 * when it returns, so that the range can be taken at once; the buffer's first mapping must have been
 * awaited. {@linkcode Readback.open} tries this out and falls back to awaiting.
 */
export class Readback implements Disposable {
  readonly buffer: GPUBuffer;
  readonly #gpu: Gpu;
  readonly #isDirect: boolean;
  /** Kept, since every channel takes a few kilobytes that never come back. */
  readonly #channel = new MessageChannel();

  private constructor(gpu: Gpu, buffer: GPUBuffer, isDirect: boolean) {
    this.#gpu = gpu;
    this.buffer = buffer;
    this.#isDirect = isDirect;
  }

  /** Makes a readback of `bytes`. */
  static async open(gpu: Gpu, bytes: number): Promise<Readback> {
    const buffer = gpu.device.createBuffer({
      label: "readback",
      size: Math.ceil(bytes / 16) * 16,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    await buffer.mapAsync(GPUMapMode.READ);
    buffer.unmap();
    return new Readback(gpu, buffer, canReadDirectly(gpu, buffer));
  }

  /**
   * Waits for all submitted work and copies the first `bytes`.
   *
   * @throws {GpuError} If the device reported a fault.
   */
  async read(bytes: number): Promise<ArrayBuffer> {
    try {
      const mapped = this.buffer.mapAsync(GPUMapMode.READ);
      if (this.#isDirect) mapped.catch(() => {}); // Failure shows in getMappedRange.
      else await mapped;
      const data = this.buffer.getMappedRange(0, Math.ceil(bytes / 16) * 16).slice(0, bytes);
      this.buffer.unmap();
      if (this.#isDirect) await this.#report();
      this.#gpu.check();
      return data;
    } catch (cause) {
      await this.#report();
      this.#gpu.check();
      throw new GpuError("Cannot read back: the buffer cannot be mapped", { cause });
    }
  }

  [Symbol.dispose](): void {
    this.buffer.destroy();
    this.#channel.port1.close();
    this.#channel.port2.close();
  }

  /** Resolves when the device has reported what it has to: by events, before the next message. */
  #report(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#channel.port1.onmessage = () => resolve();
    this.#channel.port2.postMessage(null);
    return promise;
  }
}

/** Whether a range taken right after `mapAsync` holds what was just submitted. */
function canReadDirectly({ device }: Gpu, buffer: GPUBuffer): boolean {
  try {
    for (let round = 1; round <= 3; round++) {
      device.queue.writeBuffer(buffer, 0, Uint32Array.of(round, round, round, round));
      device.queue.submit([]);
      buffer.mapAsync(GPUMapMode.READ).catch(() => {});
      const words = new Uint32Array(buffer.getMappedRange(0, 16).slice(0));
      buffer.unmap();
      if (words.some((word) => word !== round)) return false;
    }
    return true;
  } catch {
    return false;
  }
}
