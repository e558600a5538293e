import { assertEquals } from "@std/assert";
import { childSpans } from "../../src/telemetry/tracing.ts";

// What it does where somebody traces is up to the runtime: test/http/tracing_test.ts looks at that.

Deno.test("childSpans() gives nothing to do where nobody traces", () => {
  assertEquals(childSpans("1.2.3"), null);
});
