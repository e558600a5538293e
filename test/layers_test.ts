import { assert, assertEquals } from "@std/assert";
import { relative, resolve, toFileUrl } from "@std/path";
import { ROOT } from "./support/process.ts";

/**
 * What each layer may import of the others: whole layers, or single files where no more is meant. A
 * layer may import itself, and everybody `src/std`.
 *
 * Source: the project's architecture, "Layers".
 */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["src/commands", "src/telemetry"],
  // For those who embed the engine: what the commands are made of, without a command line.
  "src/mod.ts": ["src/library", "src/text"],
  "src/library": ["src/commands", "src/server", "src/text"],
  "src/commands": [
    "src/hub",
    "src/training",
    "src/server",
    "src/evaluation",
    "src/engine",
    "src/model",
    "kernels",
    "src/weights",
    "src/diffusion",
    "src/text",
    "src/gpu",
    "src/telemetry",
  ],
  "src/training": [
    "src/evaluation",
    "src/model",
    "src/weights",
    "src/diffusion",
    "src/text",
    "src/telemetry",
    "src/gpu",
    "kernels",
  ],
  "src/server": ["src/engine", "src/diffusion", "src/text", "src/telemetry"],
  "src/evaluation": [
    "src/model",
    "kernels",
    "src/weights",
    "src/diffusion",
    "src/text",
    "src/gpu",
    "src/telemetry",
  ],
  // Interfaces and plain data: nothing of the model that needs a device.
  "src/engine": [
    "src/model/decoding_rules.ts",
    "src/model/denoiser.ts",
    "src/model/sequence_state.ts",
    "src/diffusion",
    "src/telemetry",
  ],
  "src/model": ["kernels", "src/weights", "src/diffusion", "src/gpu"],
  // Operands that come in several formats are described where the formats are.
  "kernels": ["src/weights/formats.ts", "src/gpu"],
  "src/weights": ["src/gpu"],
  "src/diffusion": [],
  "src/text": [],
  "src/gpu": [],
  "src/hub": [],
  "src/telemetry": [],
  "src/std": [],
};

/** Packages that only some layers may know. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  hono: ["src/server", "src/commands"],
  "@huggingface/hub": ["src/hub"],
  "@huggingface/jinja": ["src/text"],
  "@huggingface/tokenizers": ["src/text"],
  "@opentelemetry/api": ["src/telemetry"],
  "prom-client": ["src/telemetry"],
  // Clients that the tests speak to the server with: no start of a server may fetch them.
  "@ai-sdk/openai-compatible": [],
  ai: [],
  eventsource: [],
  "eventsource-parser": [],
  openai: [],
};

interface Source {
  /** Relative to the project, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every module that a source names: imports, re-exports, and files that it opens beside itself. */
function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
  const pattern = /(?:\bfrom|\bimport|\bimport\s*\(|\bnew URL\()\s*"([^"]+)"/g;
  return [...code.matchAll(pattern)].map(([, name]) => name!);
}

function layerOf(path: string): string | undefined {
  return Object.keys(LAYERS).find((layer) => contains(layer, path));
}

function contains(place: string, path: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}

/** What `path` must not import, and does. */
function forbiddenImports({ path, text }: Source): string[] {
  const layer = layerOf(path);
  if (!layer) return [`${path} is in no layer`];
  return importsOf(text).flatMap((name) => {
    const allowedPackage = PACKAGES[name]?.includes(layer) ?? true;
    if (!name.startsWith(".")) return allowedPackage ? [] : [`${path} imports ${name}`];
    const folder = toFileUrl(resolve(ROOT, path));
    const imported = relative(ROOT, new URL(name, folder).pathname);
    // What lies outside all layers, such as the models that ship, is data; tests do not ship.
    if (layerOf(imported) === undefined && !contains("test", imported)) return [];
    const allowed = [layer, "src/std", ...LAYERS[layer]!];
    return allowed.some((each) => contains(each, imported)) ? [] : [`${path} imports ${imported}`];
  });
}

function* sourcesIn(folder: string): Generator<Source> {
  for (const { name, isDirectory } of Deno.readDirSync(resolve(ROOT, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sourcesIn(path);
    else if (/\.(ts|tsx|js)$/.test(name)) yield read(path);
  }
}

function read(path: string): Source {
  return { path, text: Deno.readTextFileSync(resolve(ROOT, path)) };
}

Deno.test("imports point down the layers only", () => {
  const sources = [...sourcesIn("src"), ...sourcesIn("kernels"), read("main.ts")];
  assert(sources.length > 80, `only ${sources.length} sources were found`);
  assertEquals(sources.flatMap(forbiddenImports), []);
});

Deno.test("the layers themselves have an order: nobody is above itself", () => {
  const below = (layer: string, seen: readonly string[]): void => {
    assert(!seen.includes(layer), `${[...seen, layer].join(" imports ")}`);
    for (const each of LAYERS[layer]!) below(layerOf(each)!, [...seen, layer]);
  };
  for (const layer of Object.keys(LAYERS)) below(layer, []);
});

for (
  const [path, text, expected] of [
    ["src/engine/a.ts", 'import { b } from "../server/b.ts";', "src/server/b.ts"],
    ["src/engine/a.ts", 'import type { B } from "../model/gpu_denoiser.ts";', "gpu_denoiser.ts"],
    ["src/engine/a.ts", 'import { Hono } from "hono";', "hono"],
    ["src/commands/a.ts", 'import OpenAI from "openai";', "imports openai"],
    ["src/gpu/a.ts", 'export * from "../../kernels/mod.ts";', "kernels/mod.ts"],
    ["src/text/deep/a.ts", 'const b = await import("../../gpu/b.ts");', "src/gpu/b.ts"],
    [
      "src/server/a.ts",
      'new Worker(new URL("../commands/b.ts", import.meta.url))',
      "commands/b.ts",
    ],
    ["src/model/a.ts", 'import {\n  c,\n  d,\n} from "../engine/b.ts";', "src/engine/b.ts"],
    ["kernels/a.ts", 'import "../src/weights/b.ts";', "src/weights/b.ts"],
    ["src/weights/a.ts", 'import "../../kernels/mod.ts";', "kernels/mod.ts"],
    ["main.ts", 'import "./src/server/b.ts";', "src/server/b.ts"],
    ["src/commands/a.ts", 'new URL("../../test/support/b.ts", base)', "test/support/b.ts"],
    ["src/strange/a.ts", "", "in no layer"],
  ] as const
) {
  Deno.test(`an import that points up is found: ${path} ${expected}`, () => {
    const [found] = forbiddenImports({ path, text });
    assert(found?.includes(expected), `found ${found}`);
  });
}

for (
  const [path, text] of [
    ["src/engine/a.ts", 'import type { B } from "../model/denoiser.ts";\nimport "./b.ts";'],
    ["src/server/a.ts", 'import { Hono } from "hono";\nimport { z } from "zod";'],
    ["src/weights/a.ts", '// import "../server/b.ts";\nimport { c } from "@std/path";'],
    ["kernels/a.ts", 'import source from "./a.wgsl" with { type: "text" };'],
    ["src/commands/a.ts", 'new URL("../../models/m", import.meta.url); import("./b.ts");'],
    ["main.ts", 'import "./src/commands/b.ts";'],
  ] as const
) {
  Deno.test(`an import that points down is fine: ${path}`, () => {
    assertEquals(forbiddenImports({ path, text }), []);
  });
}
