// Deno std from npm, which brings no types: the part in use is declared beside it.
// @ts-types="./crypto.d.ts"
export * from "deno-std/crypto/timing_safe_equal.js";
