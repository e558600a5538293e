import type { AdapterDiagnosis, Diagnosis, ModelDiagnosis } from "./doctor.ts";

type Row = readonly [name: string, value: string];

/** A diagnosis as a table for people, and what to do below it. */
export function formatDiagnosis(diagnosis: Diagnosis): string {
  const { deno, adapter, device_memory_bytes: memory, models, problems, hints } = diagnosis;
  const rows: Row[] = [
    ["deno", deno],
    ...(adapter ? adapterRows(adapter) : [["adapter", "none"] as const]),
    ["device memory", memory === null ? "unknown" : formatBytes(memory)],
    ...models.flatMap(modelRows),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const verdict = problems.length === 0
    ? "This machine can serve."
    : "This machine cannot serve yet:";
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    "",
    verdict,
    ...[...problems, ...hints].map((line) => `- ${line}`),
  ].join("\n");
}

function adapterRows(adapter: AdapterDiagnosis): Row[] {
  const { subgroup_size: subgroup } = adapter;
  return [
    ["adapter", adapter.name],
    ["vendor", adapter.vendor],
    ["kind", adapter.is_cpu ? "CPU (software)" : "GPU"],
    ["f16 arithmetic", yesNo(adapter.f16)],
    ["timestamps", yesNo(adapter.timestamp_query)],
    ["subgroups", subgroup === null ? "no" : `yes, of ${subgroup} lanes`],
    ...(adapter.wide_loads === null
      ? []
      : [["loads of 32 bytes", yesNo(adapter.wide_loads)] as const]),
    ...Object.entries(adapter.limits).map(([name, value]): Row => [name, formatLimit(name, value)]),
  ];
}

function modelRows({ id, report, memory }: ModelDiagnosis): Row[] {
  if (!report.ok) return [["model", `${id}, cannot be loaded`]];
  const { model_type: family, dtype, parameters, context_length: context } = report;
  return [
    ["model", `${id}: ${family}, ${parameters} parameters in ${dtype}, context of ${context}`],
    ...Object.entries(memory ?? {}).map(([part, bytes]): Row => [
      part === "total" ? "memory in all" : `memory for ${part}`,
      formatBytes(bytes),
    ]),
  ];
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

function formatLimit(name: string, value: number): string {
  return name.endsWith("Size") ? formatBytes(value) : String(value);
}

/** In the largest binary unit that keeps at least one whole. */
function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[power]}`;
}
