import { assertEquals } from "@std/assert";
import { type OpenSequence, roomFor } from "../../src/model/pass_room.ts";
import { RowForecast } from "../../src/model/row_forecast.ts";
import { BD3LM_RULES } from "../support/decoding_rules.ts";
import { requestOf } from "../support/device_engine.ts";

function sequence(blockSize: number, isDetailed: boolean): OpenSequence {
  const strategy = { strategy: "first_hitting" } as const;
  const options = requestOf([], { blockSize, strategy, isDetailed });
  return { options, forecast: new RowForecast(options, BD3LM_RULES) };
}

function prompt(length: number) {
  return { slot: 9, position: 0, tokens: Array(length).fill(0), blockSize: 8 };
}

Deno.test("roomFor() adds up the rows of lanes and prompts and takes the fewest that lie together", () => {
  const open = [sequence(8, false), sequence(32, true)];
  const room = (lanes: number[], lengths: number[]) =>
    roomFor({ lanes, prompts: lengths.map(prompt) }, (slot) => open[slot]!);
  const nothing = { lanes: 0, headBound: 0, isDetailed: false };
  assertEquals(room([], [40, 100]), { ...nothing, bound: 140, together: 40 });
  const both = { lanes: 2, bound: 80, headBound: 2, together: 8, isDetailed: true };
  assertEquals(room([0, 1], [40]), both);
  assertEquals(room([1], [40]), {
    ...{ lanes: 1, bound: 72, headBound: 1, together: 32 },
    isDetailed: true,
  });
});

Deno.test("roomFor() moves the forecasts on: a clean block goes along with the next one", () => {
  const open = sequence(4, false);
  const bounds = Array.from(
    { length: 6 },
    () => roomFor({ lanes: [0], prompts: [] }, () => open).bound,
  );
  assertEquals(bounds, [4, 4, 4, 4, 8, 4]);
});
