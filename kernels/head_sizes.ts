import size128 from "./head_sizes/128.wgsl" with { type: "text" };
import size256 from "./head_sizes/256.wgsl" with { type: "text" };
import size32 from "./head_sizes/32.wgsl" with { type: "text" };
import size64 from "./head_sizes/64.wgsl" with { type: "text" };
import size96 from "./head_sizes/96.wgsl" with { type: "text" };

/** Fragments by the size that heads are padded to; a multiple of 32, as all widths are. */
export const HEAD_SIZES: Readonly<Record<number, string>> = {
  32: size32,
  64: size64,
  96: size96,
  128: size128,
  256: size256,
};

/**
 * Size to which heads are padded with zeros.
 *
 * @throws {RangeError} If heads are larger than the kernels can take.
 */
export function paddedHeadSize(headSize: number): number {
  const size = Object.keys(HEAD_SIZES).map(Number).find((each) => each >= headSize);
  if (size === undefined) {
    throw new RangeError(`Cannot attend: head size is ${headSize}, expected at most 256`);
  }
  return size;
}
