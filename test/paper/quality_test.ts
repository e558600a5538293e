import { assertEquals } from "@std/assert";
import { settingName, SETTINGS } from "./quality.ts";

Deno.test("settingName() tells all settings apart by what makes them faster", () => {
  assertEquals(SETTINGS.map(settingName), [
    "first_hitting",
    ...["sequential 8", "sequential 4", "sequential 2", "sequential 1"],
    ...[8, 4, 2, 1].map((steps) => `low_confidence_static ${steps}`),
    ...["low_confidence_dynamic 0.9", "low_confidence_dynamic 0.7", "low_confidence_dynamic 0.5"],
    ...["entropy_bounded 0.1", "entropy_bounded 0.35", "entropy_bounded 1"],
    ...["ancestral 64", "ancestral 16", "ancestral 8"],
  ]);
});
