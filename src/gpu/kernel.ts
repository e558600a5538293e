import { GpuError } from "./errors.ts";

/** One `@group(g) @binding(b) var<…> name` of a kernel's source. */
interface Binding {
  /** Its number among those of all groups: the kernel is compiled with a single one. */
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
  /** Storage operands, sorted by binding. */
  readonly bindings: readonly Binding[];
  /** Fields of `struct Params`, in order; empty when the kernel has none. */
  readonly params: readonly ParamField[];
  /** Where `Params` is bound, or `null`. */
  readonly paramsBinding: Binding | null;
  /** Names of the `override` constants. */
  readonly overrides: readonly string[];
  /** An explicit layout, since those of `layout: "auto"` are not interchangeable. */
  layout(device: GPUDevice): GPUBindGroupLayout;
  /** Compiles for one set of constants. */
  compile(
    device: GPUDevice,
    layout: GPUBindGroupLayout,
    constants: Readonly<Record<string, number>>,
  ): GPUComputePipeline;
}

const PLACE = /@group\(\d+\)\s*@binding\(\d+\)/g;
const STORAGE = new RegExp(
  `(${PLACE.source})\\s*var<storage,\\s*(read|read_write)>\\s*(\\w+)\\s*:\\s*(\\w+)`,
  "g",
);
/**
 * Bound as storage: Mesa's software driver compiles a kernel anew for the values of uniforms that its
 * loops depend on, at every dispatch.
 */
const PARAMS_TYPE = "Params";
const PARAMS = /struct\s+Params\s*\{([^}]*)\}/;
const PARAMS_VARIABLE =
  /^(@group\(\d+\)\s*@binding\(\d+\)\s*var<storage,\s*read>)\s*(\w+)\s*:\s*Params\s*;/m;
const OVERRIDE = /^override\s+(\w+)\s*:/gm;

/**
 * Joins a kernel with its fragments and reads names, places and access modes from the text. The groups
 * keep the operands of fragments apart; they become one, which costs less to bind.
 *
 * @param name Name of the entry point and of the file.
 * @param sources The kernel first, then fragments: declarations may stand in any order.
 * @throws {SyntaxError} If a field of `Params` is no four-byte scalar, two operands share a place, or
 * there are params and no entry point.
 */
export function defineKernel(name: string, ...sources: readonly string[]): Kernel {
  const text = sources.join("\n");
  const plain = text.replaceAll(/\/\/.*$/gm, "");
  const places = [...plain.matchAll(PLACE)].map(([place]) => place.replaceAll(/\s/g, ""))
    .toSorted();
  const all = [...plain.matchAll(STORAGE)].map(([, place, access, name, type]) => ({
    binding: places.indexOf(place!.replaceAll(/\s/g, "")),
    access: access as Binding["access"], // The pattern allows no third.
    name: name!,
    type: type!,
  })).toSorted((a, b) => a.binding - b.binding);
  const bindings = all.filter(({ type }) => type !== PARAMS_TYPE);
  const source = copyParamsFirst(name, text).replaceAll(
    PLACE,
    (place) => `@group(0) @binding(${places.indexOf(place.replaceAll(/\s/g, ""))})`,
  );
  const kernel: Omit<Kernel, "layout" | "compile"> = {
    name,
    source,
    bindings,
    params: readParams(name, plain),
    paramsBinding: all.find(({ type }) => type === PARAMS_TYPE) ?? null,
    overrides: [...plain.matchAll(OVERRIDE)].map(([, each]) => each!),
  };
  if (new Set(places).size < places.length) {
    throw new SyntaxError(`Cannot define kernel "${name}": two operands share a binding`);
  }
  return {
    ...kernel,
    layout: (device) => createLayout(device, kernel),
    compile: (device, layout, constants) => compile(device, kernel, { layout, constants }),
  };
}

/**
 * Has the parameters copied before the entry point does anything else. Where a branch or a loop may have
 * switched lanes off, Mesa's software driver loads for each lane by itself, which costs as much as twenty
 * multiplications; at the very beginning it loads once for all. Lines keep their numbers.
 */
function copyParamsFirst(name: string, text: string): string {
  const [, , variable] = PARAMS_VARIABLE.exec(text) ?? [];
  if (variable === undefined) return text;
  const entryPoint = new RegExp(`^fn\\s+${name}\\s*\\([^{]*\\{`, "m");
  if (!entryPoint.test(text)) {
    throw new SyntaxError(`Cannot define kernel "${name}": it has params and no entry point`);
  }
  return text
    .replace(PARAMS_VARIABLE, "$1 bound_$2: Params; var<private> $2: Params;")
    .replace(entryPoint, (begin) => `${begin} ${variable} = bound_${variable};`);
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

type KernelText = Omit<Kernel, "layout" | "compile">;

function createLayout(device: GPUDevice, kernel: KernelText): GPUBindGroupLayout {
  const { name, bindings, paramsBinding } = kernel;
  const entries: GPUBindGroupLayoutEntry[] = bindings.map(({ binding, access }) => ({
    binding,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type: access === "read" ? "read-only-storage" : "storage" },
  }));
  if (paramsBinding) {
    entries.push({
      binding: paramsBinding.binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: "read-only-storage", hasDynamicOffset: true },
    });
  }
  return device.createBindGroupLayout({ label: name, entries });
}

function compile(
  device: GPUDevice,
  { name, source, overrides }: KernelText,
  { layout, constants }: {
    layout: GPUBindGroupLayout;
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
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
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
