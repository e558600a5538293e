import { describeAdapter, findAdapter } from "./adapter.ts";
import { remedy } from "./adapter_setup.ts";
import { check, type CheckReport } from "./check.ts";
import {
  type Config,
  describeConfig,
  type ModelSource,
  parseConfig,
  readEnvironment,
} from "./config.ts";
import { formatDiagnosis } from "./doctor_text.ts";
import { asksForHelp, describeSettings, setting, toggle } from "./flags.ts";
import { NVIDIA_VARIABLE } from "./nvidia.ts";
import { estimateServing } from "./serving_memory.ts";
import { readOsRelease } from "./system_packages.ts";
import { requestDevice } from "../gpu/mod.ts";
import { defaultFormat, type MemoryEstimate } from "../model/mod.ts";
import { Checkpoint } from "../weights/checkpoint.ts";

/** What the machine has, and what it lacks to serve. */
export interface Diagnosis {
  readonly deno: string;
  /** `null` where there is none. */
  readonly adapter: AdapterDiagnosis | null;
  /** `null` where nobody can tell. */
  readonly device_memory_bytes: number | null;
  /** Those of the configuration; the first is the default. */
  readonly models: readonly ModelDiagnosis[];
  /** Each with what to do about it; none if the machine can serve. */
  readonly problems: readonly string[];
  /** What could be better. */
  readonly hints: readonly string[];
}

/** An adapter with what the kernels may ask of it. */
export interface AdapterDiagnosis {
  readonly name: string;
  readonly vendor: string;
  readonly is_cpu: boolean;
  readonly f16: boolean;
  readonly timestamp_query: boolean;
  /** Lanes of a subgroup; `null` where subgroups do not work. */
  readonly subgroup_size: number | null;
  /** Whether kernels can load 32 bytes at a time; `null` for GPUs, whose kernels do not. */
  readonly wide_loads: boolean | null;
  readonly limits: Readonly<Record<typeof LIMITS[number], number>>;
}

/** A model as `check` sees it. */
export interface ModelDiagnosis {
  readonly id: string;
  readonly report: CheckReport;
  /** What it will take on the device, bytes; `null` for a model that cannot be loaded. */
  readonly memory: MemoryEstimate | null;
}

const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
] as const;

const SETTINGS = { json: setting(toggle, false, "print one JSON object") };

const HELP = `Says what this machine has, and what to do about what it lacks to serve.

Usage: deno task doctor [FLAGS]

${describeSettings(SETTINGS)}

Settings of serve that count, such as --model and --weights, may be given too:

${describeConfig()}`;

/**
 * Runs `doctor`: prints a table, or one JSON object with `--json`.
 *
 * @param args What follows the command's name: settings of `serve` count as there.
 * @returns Exit status: 0 if the machine can serve, else 1.
 * @throws {UsageError} If a setting cannot be read.
 */
export async function run(args: readonly string[]): Promise<number> {
  if (asksForHelp(args)) {
    console.log(HELP);
    return 0;
  }
  const settings = args.filter((each) => each !== "--json");
  const environment = readEnvironment((name) => Deno.env.get(name));
  const config = parseConfig(settings, environment);
  const hasNvidia = Deno.env.get(NVIDIA_VARIABLE) === "1";
  const diagnosis = await diagnose(await findAdapter(), config, { hasNvidia });
  const isJson = settings.length < args.length;
  console.log(isJson ? JSON.stringify(diagnosis) : formatDiagnosis(diagnosis));
  return diagnosis.problems.length === 0 ? 0 : 1;
}

/**
 * Examines an adapter and the models that would be served on it.
 *
 * @param machine `hasNvidia`: whether there is a GPU of NVIDIA, be it of use to Vulkan or not.
 */
export async function diagnose(
  adapter: GPUAdapter | null,
  config: Config,
  machine: { readonly hasNvidia: boolean },
): Promise<Diagnosis> {
  const models = config.models.map((source) => {
    const { id, directory, ...options } = source;
    const report = check(directory, {
      ...options,
      context: config.context,
      maxConcurrent: config.maxConcurrent,
    });
    return { id, report, memory: report.ok ? memoryOf(source, config) : null };
  });
  const problems = [
    ...await adapterProblems(adapter, machine),
    ...models.flatMap((model) => modelProblems(model, config)),
  ];
  const examined = adapter && await examine(adapter);
  return {
    deno: Deno.version.deno,
    adapter: examined,
    device_memory_bytes: config.deviceMemoryBytes,
    models,
    problems,
    hints: examined?.is_cpu ? [machine.hasNvidia ? nvidiaHint() : CPU_HINT] : [],
  };
}

function nvidiaHint(): string {
  const command = remedy({ osRelease: readOsRelease(), isRoot: true, hasNvidia: true });
  return "The adapter is the CPU, though there is a GPU of NVIDIA, whose Vulkan driver gives none; " +
    `run as root: ${command}`;
}

const CPU_HINT = "The adapter is the CPU: everything works, but speed needs a GPU. " +
  "Where there is one, its Vulkan driver is missing; in a container pass it in (--gpus all)";

async function examine(adapter: GPUAdapter): Promise<AdapterDiagnosis> {
  const { name, vendor, isCpu } = describeAdapter(adapter.info);
  const { device, subgroupSize, hasWideLoads } = await requestDevice(adapter);
  device.destroy();
  const limits = Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]]));
  return {
    name,
    vendor,
    is_cpu: isCpu,
    f16: adapter.features.has("shader-f16"),
    timestamp_query: adapter.features.has("timestamp-query"),
    subgroup_size: subgroupSize,
    wide_loads: isCpu ? hasWideLoads : null,
    // One entry was made for each of them.
    limits: limits as AdapterDiagnosis["limits"],
  };
}

async function adapterProblems(
  adapter: GPUAdapter | null,
  { hasNvidia }: { readonly hasNvidia: boolean },
): Promise<string[]> {
  if (!adapter) {
    const command = remedy({ osRelease: readOsRelease(), isRoot: true, hasNvidia });
    return [`There is no WebGPU adapter; run as root: ${command}`];
  }
  try {
    (await adapter.requestDevice()).destroy();
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [`The adapter gives no device (${reason}); update its driver`];
  }
}

function modelProblems({ id, report, memory }: ModelDiagnosis, config: Config): string[] {
  if (!report.ok) {
    return [`Model ${id} cannot be served; repair ${report.file}: ${report.message}`];
  }
  const available = config.deviceMemoryBytes;
  if (available === null || memory === null || memory.total <= available) return [];
  return [
    `Model ${id} needs ${memory.total} bytes on the device, which has ${available}; ` +
    "choose a smaller model, a smaller --max-concurrent" +
    smallerWeights(config.weights),
  ];
}

/** Advice to take the next smaller format, as long as there is one. */
function smallerWeights(weights: Config["weights"]): string {
  if (weights === "int4") return "";
  return weights === "int8" ? " or --weights int4" : " or --weights int8";
}

/** The rule of `--weights`: half-precision files stay as they are unless told otherwise. */
function memoryOf(
  { directory, ...options }: ModelSource,
  { weights, maxConcurrent, context, engines }: Config,
): MemoryEstimate {
  using checkpoint = Checkpoint.open(directory, options);
  const format = weights ?? defaultFormat(checkpoint);
  return estimateServing(checkpoint, { format, maxConcurrent, context, engines: engines ?? 1 });
}
