import { defineKernel, type Kernel, type Pass } from "../../src/gpu/mod.ts";
import barriers from "../lane_sums/barriers.wgsl" with { type: "text" };
import subgroup from "../lane_sums/subgroup.wgsl" with { type: "text" };
import maximumBarriers from "./lane_maximum/barriers.wgsl" with { type: "text" };
import maximumSubgroup from "./lane_maximum/subgroup.wgsl" with { type: "text" };

/** How the lanes of a workgroup add up what each of them has. */
export type LaneSums = "subgroup" | "barriers";

/** A kernel whose lanes sum in either way. */
export type ByLaneSums = Readonly<Record<LaneSums, Kernel>>;

/** Joins a kernel with the fragments that sum over lanes and find their maximum. */
export function defineByLaneSums(name: string, ...sources: readonly string[]): ByLaneSums {
  return {
    subgroup: defineKernel(name, ...sources, subgroup, maximumSubgroup),
    barriers: defineKernel(name, ...sources, barriers, maximumBarriers),
  };
}

/** The way that suits the device. */
export function laneSumsOf({ gpu: { deviceClass } }: Pass): LaneSums {
  return deviceClass === "cpu with subgroups" ? "subgroup" : "barriers";
}

/** Workgroups for `count` vectors of 4, 64 to a workgroup, and how many one row of them takes. */
export function gridFor(count: number): { workgroups: [number, number]; row: number } {
  // Well below what a dimension may have.
  const columns = Math.min(Math.ceil(count / 64), 1 << 14);
  return { workgroups: [columns, Math.ceil(count / 64 / columns)], row: columns * 64 };
}
