// Deno std from npm, which brings no types: the part in use is declared beside it.
// @ts-types="./encoding.d.ts"
export * from "deno-std/encoding/base64url.js";
