/** A device that cannot be had, was lost, or refused a kernel. */
export class GpuError extends Error {
  override readonly name = "GpuError";
}
