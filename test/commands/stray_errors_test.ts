import { assertEquals } from "@std/assert";
import { runDeno } from "../support/process.ts";

Deno.test("surviveStrayErrors() keeps the process, and logs no message", async () => {
  const url = new URL("../../src/commands/stray_errors.ts", import.meta.url);
  const script = `
    import { surviveStrayErrors } from ${JSON.stringify(url.href)};
    surviveStrayErrors(globalThis, (event, fields) => console.log(JSON.stringify([event, fields])));
    setTimeout(() => { throw new RangeError("secret"); }, 0);
    setTimeout(() => { Promise.reject(new SyntaxError("secret")); }, 1);
    setTimeout(() => { Promise.reject("secret"); }, 2);
    setTimeout(() => console.log("alive"), 3);
  `;
  const { status, stdout } = await runDeno(["eval", script]);
  assertEquals([status, stdout.trimEnd().split("\n")], [0, [
    '["stray_error",{"kind":"error","error":"RangeError"}]',
    '["stray_error",{"kind":"unhandledrejection","error":"SyntaxError"}]',
    '["stray_error",{"kind":"unhandledrejection","error":"string"}]',
    "alive",
  ]]);
});
