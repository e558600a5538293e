import { EXPONENT, halfError } from "./formats/f16.ts";

/** Bit patterns of f16, indexed by the bit pattern of the bf16 that is rounded to it. */
const F16_OF_BF16 = tabulate();

/** Of a bf16: infinite or no number. */
const BF16_EXPONENT = 0x7f80;

/**
 * Rounds bf16 to the nearest f16 in place, halves to even.
 *
 * A table takes a fifth of the time of the way through f32.
 *
 * @param bits Bit patterns.
 * @param name Of the tensor, for errors.
 * @throws {RangeError} If a number is too large for f16.
 */
export function roundBf16(bits: Uint16Array, name: string): void {
  for (let i = 0; i < bits.length; i++) {
    const bf16 = bits[i]!;
    const f16 = bits[i] = F16_OF_BF16[bf16]!;
    if ((f16 & EXPONENT) === EXPONENT && (bf16 & BF16_EXPONENT) !== BF16_EXPONENT) {
      throw halfError(name, new Float32Array(Uint32Array.of(bf16 << 16).buffer)[0]!);
    }
  }
}

function tabulate(): Uint16Array {
  const values = new Float32Array(Uint32Array.from({ length: 1 << 16 }, (_, i) => i << 16).buffer);
  return new Uint16Array(Float16Array.from(values).buffer);
}
