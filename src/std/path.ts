// Deno std from npm, which brings no types: the part in use is declared beside it.
// @ts-types="./path.d.ts"
export * from "deno-std/path/mod.js";
