// Deno std from npm, which brings no types: the part in use is declared beside it.
// @ts-types="./delay.d.ts"
export * from "deno-std/async/delay.js";
// @ts-types="./abortable.d.ts"
export * from "deno-std/async/abortable.js";
