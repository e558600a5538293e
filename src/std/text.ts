// Deno std from npm, which brings no types: the part in use is declared beside it.
// @ts-types="./text.d.ts"
export * from "deno-std/text/levenshtein_distance.js";
