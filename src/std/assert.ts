// Deno std from npm, which brings no types: the part in use is declared beside it.
// @ts-types="./assert.d.ts"
export * from "deno-std/assert/mod.js";
