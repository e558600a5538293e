import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { defineKernel } from "../../src/gpu/mod.ts";
import { gpuTest } from "../support/gpu.ts";
import { affine } from "./affine.ts";

const FRAGMENT = `
override WIDTH: u32;
@group(1) @binding(0) var<storage, read> weight: array<vec4<u32>>;
fn weight4(i: u32) -> vec4<u32> { return weight[i]; }
`;

const SOURCE = `
// @group(0) @binding(7) var<storage, read> commented: array<f32>;
struct Params {
  // How many.
  count: u32,
  scale: f32, // By how much.
}
struct Row { token: u32, position: u32 }

  override INDENTED: u32;
override EPSILON: f32 = 1e-5;
override BLOCK : u32;

@group(0) @binding(3) var<storage, read> settings: Params;
@group(0) @binding(2) var<storage, read_write> y: array<atomic<u32>>;
@group(0)
@binding(0)
var<storage,read> x: array<Row>;
@group(2) @binding(0) var<storage, read> heads: array<u32>;
fn helper() { sample(1u); }
// fn sample(row) {
fn sample(
  row: u32,
) {
  if (row > 0u) { return; }
}
`;

Deno.test("defineKernel() reads operands, params and constants from the text", () => {
  const kernel = defineKernel("sample", SOURCE, FRAGMENT);
  assertEquals(kernel.name, "sample");
  assertEquals(kernel.bindings, [
    { binding: 0, access: "read", name: "x", type: "array" },
    { binding: 1, access: "read_write", name: "y", type: "array" },
    { binding: 3, access: "read", name: "weight", type: "array" },
    { binding: 4, access: "read", name: "heads", type: "array" },
  ]);
  assertEquals(kernel.params, [{ name: "count", type: "u32" }, { name: "scale", type: "f32" }]);
  assertEquals(kernel.paramsBinding?.binding, 2);
  // All groups are one.
  assertEquals(kernel.source.match(/@group\((?!0\))/), null);
  assertEquals(kernel.source.includes("@group(0) @binding(4) var<storage, read> heads"), true);
  assertEquals(kernel.paramsBinding?.access, "read");
  assertEquals(kernel.overrides, ["EPSILON", "BLOCK", "WIDTH"]);
});

Deno.test("defineKernel() has params copied before the entry point does anything else", () => {
  const { source } = defineKernel("sample", SOURCE, FRAGMENT);
  assertMatch(source, /@binding\(2\) var<storage, read> bound_settings: Params;/);
  assertMatch(source, /var<private> settings: Params;/);
  assertMatch(source, /fn helper\(\) \{ sample/);
  assertMatch(source, /^fn sample\(\s*row: u32,\s*\) \{\s*settings = bound_settings;\s*if/m);
});

Deno.test("defineKernel() leaves every line where it was, for what compilers say of it", () => {
  const text =
    "struct Params { count: u32 }\n@group(0) @binding(0) var<storage, read> p: Params;\n" +
    "@compute @workgroup_size(1)\nfn sample() {\n  oops();\n}\n";
  const lineOf = (each: string) => each.split("\n").findIndex((line) => line.includes("oops"));
  assertEquals(lineOf(defineKernel("sample", text).source), lineOf(text));
});

Deno.test("defineKernel() throws when there are params and no entry point", () => {
  assertThrows(
    () => defineKernel("other", SOURCE, FRAGMENT),
    SyntaxError,
    `"other": it has params and no entry point`,
  );
});

Deno.test("defineKernel() takes a kernel without params and constants", () => {
  const source = "@group(0) @binding(0) var<storage, read> x: array<f32>;";
  const { params, paramsBinding, overrides } = defineKernel("plain", source);
  assertEquals({ params, paramsBinding, overrides }, {
    params: [],
    paramsBinding: null,
    overrides: [],
  });
});

Deno.test("defineKernel() throws when params are no four-byte scalars", () => {
  for (const field of ["at: vec2<u32>", "on: bool", "half: f16", "@align(16) at: u32"]) {
    assertThrows(
      () => defineKernel("wide", `struct Params { count: u32, ${field} }`),
      SyntaxError,
      `Cannot define kernel "wide": Params has "${field}"`,
    );
  }
});

Deno.test("defineKernel() throws when two operands share a place", () => {
  const clashing = "@group(1) @binding(0) var<storage, read> other: array<f32>;";
  assertThrows(
    () => defineKernel("twice", FRAGMENT, clashing),
    SyntaxError,
    `Cannot define kernel "twice"`,
  );
});

gpuTest("Gpu.pipeline() compiles a kernel once for each set of constants", (gpu) => {
  const one = gpu.pipeline(affine, { OFFSET: 1 });
  assertEquals(gpu.pipeline(affine, { OFFSET: 1 }) === one, true);
  assertEquals(gpu.pipeline(affine, { OFFSET: 2 }) === one, false);
});

gpuTest("Gpu.pipeline() throws when a constant is missing or unknown", (gpu) => {
  // Compiled before, the wrong sets must not be taken for this one.
  gpu.pipeline(affine, { OFFSET: 1 });
  const wrong: Record<string, number>[] = [{}, { OFFSET: 1, WIDTH: 2 }, { WIDTH: 1 }];
  for (const constants of wrong) {
    assertThrows(
      () => gpu.pipeline(affine, constants),
      TypeError,
      `Cannot compile kernel "affine": constants are [${
        Object.keys(constants)
      }], expected [OFFSET]`,
    );
  }
});
