import { assertEquals } from "@std/assert";
import { estimateMemory, readFamilyConfig } from "../../src/model/mod.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { ROOT } from "../support/process.ts";
import { PUBLISHED, writePublished } from "../support/published_decoders.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** What a row of the table says of a decoder, as it says it. */
function shownRow(name: keyof typeof PUBLISHED): string[] {
  const config = withTempDir((directory) => {
    writePublished(directory, PUBLISHED[name]);
    using checkpoint = Checkpoint.open(directory);
    return readFamilyConfig(checkpoint, { contextLength: 4096 });
  });
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const estimates = (["f16", "int8", "int4"] as const)
    .map((format) => estimateMemory(config, { format, slots: 1 }));
  return [
    `${(config.parameters / 1e9).toFixed(2)} B`,
    ...estimates.map(({ weights }) => gigabytes(weights)),
    gigabytes(estimates[0]!.cache), // One of three.
  ];
}

Deno.test("docs/models.md says of the published decoders what the estimate says", () => {
  const text = Deno.readTextFileSync(`${ROOT}docs/models.md`);
  const rows = [...text.matchAll(/^\| (.+) \|$/gm)].map(([, row]) => row!.split("|"))
    .map((cells) => cells.map((each) => each.trim()));
  const shown = Object.keys(PUBLISHED).map((name) => {
    const title = name.replace("Fast_dLLM_v2_", "Fast-dLLM v2 ").replace(/-(?=[\d.]+B$)/, " ");
    return rows.find(([first]) => first === title)?.slice(2, 7);
  });
  const names = Object.keys(PUBLISHED) as (keyof typeof PUBLISHED)[]; // The keys of a record.
  assertEquals(shown, names.map(shownRow));
});
