import { assertEquals } from "@std/assert";
import { createLog } from "../../src/telemetry/log.ts";

Deno.test("createLog() writes one JSON line per event, line breaks escaped", () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), () => 0);
  log("request", { status: 200, route: null, request_id: "a\nb" });
  assertEquals(lines, [
    '{"time":"1970-01-01T00:00:00.000Z","event":"request","status":200,"route":null,' +
    '"request_id":"a\\nb"}',
  ]);
});
