import { defineKernel, type Pass, type Tensor } from "../../src/gpu/mod.ts";
import source from "./activation.wgsl" with { type: "text" };
import { gridFor } from "./lanes.ts";

const kernel = defineKernel("activation", source);
const KINDS = { gelu: 0, silu: 1 } as const;

/** The functions that there are. */
export type ActivationKind = keyof typeof KINDS;

/** Records f(x): scratch of `pass`, shaped like `x`. */
export function activate(pass: Pass, kind: ActivationKind, x: Tensor): Tensor {
  const y = pass.scratch(kind, x.shape);
  record(pass, kind, { x, y, isBackward: false });
  return y;
}

/** Records dy · f'(x), in place on `dy`. */
export function activateBackward(
  pass: Pass,
  kind: ActivationKind,
  { x, dy }: { readonly x: Tensor; readonly dy: Tensor },
): void {
  record(pass, kind, { x, y: dy, isBackward: true });
}

function record(
  pass: Pass,
  kind: ActivationKind,
  { x, y, isBackward }: { x: Tensor; y: Tensor; isBackward: boolean },
): void {
  const count = y.length / 4;
  const { workgroups, row } = gridFor(count);
  pass.dispatch(kernel, {
    tensors: { x, y },
    params: { count, row, kind: KINDS[kind], is_backward: isBackward ? 1 : 0 },
    workgroups,
  });
}
