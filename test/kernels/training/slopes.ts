import { assert } from "@std/assert";
import { noise } from "../../support/noise.ts";

/** Half the distance of the two points: f32 rounding and curvature both stay small. */
const STEP = 1e-2;

/**
 * Asserts that the derivative of Σ dy · y(x) along a random direction, which `gradient` gives,
 * equals the central difference of `forward`.
 *
 * @param label Names the operand in the message.
 */
export async function assertSlope(
  { x, dy, gradient, forward, tolerance = 2e-3 }: {
    readonly x: ArrayLike<number>;
    readonly dy: ArrayLike<number>;
    readonly gradient: ArrayLike<number>;
    readonly forward: (x: Float32Array<ArrayBuffer>) => Promise<ArrayLike<number>>;
    readonly tolerance?: number;
  },
  label: string,
): Promise<void> {
  const direction = noise(x.length, 77);
  const at = async (step: number) => {
    const y = await forward(Float32Array.from(x, (each, i) => each + step * direction[i]!));
    return dot(y, dy);
  };
  const measured = (await at(STEP) - await at(-STEP)) / (2 * STEP);
  const given = dot(gradient, direction);
  // A slope is a sum of terms of either sign: what counts is how large it might have been.
  const scale = Math.sqrt(dot(gradient, gradient) / 3);
  assert(
    Math.abs(measured - given) <= tolerance * scale,
    `${label}: slope is ${given}, expected ${measured} within ${tolerance} of ${scale}`,
  );
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
