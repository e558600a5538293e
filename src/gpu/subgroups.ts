import { runProbe } from "./probe.ts";
import source from "./subgroups.wgsl" with { type: "text" };

const LANES = 64;
const NAMES = ["first", "sum", "size"] as const;

/** Lanes per subgroup of a device with subgroups; `null` if they give wrong results. */
export async function findSubgroupSize(device: GPUDevice): Promise<number | null> {
  const bytes = LANES * Uint32Array.BYTES_PER_ELEMENT;
  const probe = { source, entryPoint: "subgroups", bytes, outputs: NAMES.length };
  // One output for each name. Zeros, where it does not compile, are no consistent picture.
  const [first, sum, size] = await runProbe(device, probe) as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  return subgroupSizeOf({ first, sum, size });
}

/** Size of the subgroups if all lanes saw the same picture: neighbours in order. */
export function subgroupSizeOf(seen: Record<typeof NAMES[number], Uint32Array>): number | null {
  const size = seen.size[0] ?? 0;
  const lanes = Array.from({ length: LANES }, (_, lane) => lane);
  const isSound = size > 0 && lanes.every((lane) => {
    const group = lanes.filter((other) => seen.first[other] === seen.first[lane]);
    return seen.size[lane] === group.length && group.length === size &&
      seen.first[lane] === group[0] && group.at(-1) === group[0]! + size - 1 &&
      seen.sum[lane] === group.reduce((a, b) => a + b, 0);
  });
  return isSound ? size : null;
}
