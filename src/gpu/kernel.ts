import { GpuError } from "./errors.ts";

/** One `@group(g) @binding(b) var<…> name` of a kernel's source. */
interface Binding {
  readonly group: number;
  readonly binding: number;
  readonly name: string;
  readonly access: "read" | "read_write";
  /** Its WGSL type as far as the first bracket. */
  readonly type: string;
}

/** One field of `struct Params`: a four-byte scalar. */
interface ParamField {
  readonly name: string;
  readonly type: "u32" | "f32";
}

/** WGSL source with what its text says about bindings, parameters and constants. */
export interface Kernel {
  readonly name: string;
  readonly source: string;
  /** Storage operands, sorted by group and binding. */
  readonly bindings: readonly Binding[];
  /** Fields of `struct Params`, in order; empty when the kernel has none. */
  readonly params: readonly ParamField[];
  /** Where `Params` is bound, or `null`. */
  readonly paramsBinding: Binding | null;
  /** Names of the `override` constants. */
  readonly overrides: readonly string[];
  /** Explicit layouts, since those of `layout: "auto"` are not interchangeable. */
  layouts(device: GPUDevice): GPUBindGroupLayout[];
  /** Compiles for one set of constants. */
  compile(
    device: GPUDevice,
    layouts: GPUBindGroupLayout[],
    constants: Readonly<Record<string, number>>,
  ): GPUComputePipeline;
}

const STORAGE =
  /@group\((\d+)\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)\s*:\s*(\w+)/g;
/**
 * Bound as storage: Mesa's software driver compiles a kernel anew for the values of uniforms that its
 * loops depend on, at every dispatch.
 */
const PARAMS_TYPE = "Params";
const PARAMS = /struct\s+Params\s*\{([^}]*)\}/;
const OVERRIDE = /^override\s+(\w+)\s*:/gm;

/**
 * Joins a kernel with its fragments and reads names, groups and access modes from the text.
 *
 * @param name Name of the entry point and of the file.
 * @param sources The kernel first, then fragments: declarations may stand in any order.
 * @throws {SyntaxError} If a field of `Params` is no four-byte scalar, or two operands share a
 * place.
 */
export function defineKernel(name: string, ...sources: readonly string[]): Kernel {
  const source = sources.join("\n");
  const plain = source.replaceAll(/\/\/.*$/gm, "");
  const all = [...plain.matchAll(STORAGE)].map(([, group, binding, access, name, type]) => ({
    group: Number(group),
    binding: Number(binding),
    access: access as Binding["access"], // The pattern allows no third.
    name: name!,
    type: type!,
  })).toSorted((a, b) => a.group - b.group || a.binding - b.binding);
  const bindings = all.filter(({ type }) => type !== PARAMS_TYPE);
  const kernel: Omit<Kernel, "layouts" | "compile"> = {
    name,
    source,
    bindings,
    params: readParams(name, plain),
    paramsBinding: all.find(({ type }) => type === PARAMS_TYPE) ?? null,
    overrides: [...plain.matchAll(OVERRIDE)].map(([, each]) => each!),
  };
  const places = all.map((each) => `${each.group}.${each.binding}`);
  if (new Set(places).size < places.length) {
    throw new SyntaxError(`Cannot define kernel "${name}": two operands share a binding`);
  }
  return {
    ...kernel,
    layouts: (device) => createLayouts(device, kernel),
    compile: (device, layouts, constants) => compile(device, kernel, { layouts, constants }),
  };
}

function readParams(name: string, source: string): ParamField[] {
  const fields = (PARAMS.exec(source)?.[1] ?? "").split(",").map((each) => each.trim());
  return fields.filter((field) => field !== "").map((field) => {
    const match = /^(\w+)\s*:\s*(u32|f32)$/.exec(field);
    if (!match) {
      throw new SyntaxError(
        `Cannot define kernel "${name}": Params has "${field}", expected a u32 or f32 field`,
      );
    }
    return { name: match[1]!, type: match[2] as ParamField["type"] }; // Only these two match.
  });
}

type KernelText = Omit<Kernel, "layouts" | "compile">;

function createLayouts(device: GPUDevice, kernel: KernelText): GPUBindGroupLayout[] {
  const { bindings, paramsBinding } = kernel;
  const last = Math.max(paramsBinding?.group ?? 0, ...bindings.map((each) => each.group));
  return Array.from({ length: last + 1 }, (_, group) => {
    const entries: GPUBindGroupLayoutEntry[] = bindings
      .filter((each) => each.group === group)
      .map(({ binding, access }) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: access === "read" ? "read-only-storage" : "storage" },
      }));
    if (paramsBinding?.group === group) {
      entries.push({
        binding: paramsBinding.binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: "read-only-storage", hasDynamicOffset: true },
      });
    }
    return device.createBindGroupLayout({ label: kernel.name, entries });
  });
}

function compile(
  device: GPUDevice,
  { name, source, overrides }: KernelText,
  { layouts, constants }: {
    layouts: GPUBindGroupLayout[];
    constants: Readonly<Record<string, number>>;
  },
): GPUComputePipeline {
  const given = Object.keys(constants);
  const wrong = given.find((each) => !overrides.includes(each)) ??
    overrides.find((each) => !given.includes(each));
  if (wrong !== undefined) {
    throw new TypeError(
      `Cannot compile kernel "${name}": constants are [${given}], expected [${overrides}]`,
    );
  }
  try {
    return device.createComputePipeline({
      label: name,
      layout: device.createPipelineLayout({ bindGroupLayouts: layouts }),
      compute: {
        module: device.createShaderModule({ label: name, code: source }),
        entryPoint: name,
        constants: { ...constants },
      },
    });
  } catch (cause) {
    throw new GpuError(`Cannot compile kernel "${name}"`, { cause });
  }
}
