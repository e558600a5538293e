// Deno std from npm, which brings no types: the part in use is declared beside it.
// @ts-types="./cli.d.ts"
export * from "deno-std/cli/parse_args.js";
