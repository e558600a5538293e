import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { EngineClient } from "../../src/engine/client.ts";
import { BusyError, SequenceError } from "../../src/engine/request.ts";
import type { ScoreRequest } from "../../src/engine/score.ts";
import { Line, refusal, REQUEST } from "../support/engine_line.ts";
import { halves } from "../support/scripted_score.ts";

const SCORE: ScoreRequest = {
  texts: [{ tokens: [1, 2, 3], given: 1 }],
  blockSize: 4,
  samples: 1,
  seed: 7,
  byToken: false,
};
const SCORES = halves(SCORE);

/** Why a client takes nothing to score. */
function scoreRefusal(client: EngineClient): string {
  return assertThrows(() => client.score(SCORE), BusyError).code;
}

Deno.test("EngineClient.score() asks the engine, and hands over what it answers", async () => {
  const line = Line.ready();
  const { scores } = line.client.score(SCORE);
  assertEquals(line.sent, [{ type: "score", id: 0, request: SCORE }]);
  line.answer({ type: "scored", id: 0, scores: SCORES });
  assertEquals(await scores, SCORES);
});

Deno.test("EngineClient.score() is told what fails, and what was cancelled", async () => {
  const line = Line.ready();
  const [failed, cancelled, lost] = [0, 1, 2].map(() => line.client.score(SCORE));
  line.answer({ type: "error", id: 0, code: "internal_error", message: "no numbers" });
  const error = await assertRejects(() => failed!.scores, SequenceError, "no numbers");
  assertEquals(error.code, "internal_error");
  cancelled!.cancel();
  assertEquals(line.sent.at(-1), { type: "cancel", id: 1 });
  line.answer({ type: "scored", id: 1, scores: null });
  assertEquals(await cancelled!.scores, null);
  // What is over is not cancelled.
  const { length } = line.sent;
  for (const each of [failed, cancelled]) each!.cancel();
  assertEquals(line.sent.length, length);
  line.client.fail({ kind: "gpu", message: "gone" });
  assertEquals((await assertRejects(() => lost!.scores, SequenceError)).code, "device_lost");
});

Deno.test("EngineClient.score() takes no slot of a sequence", () => {
  const line = Line.ready({ maxConcurrent: 1 });
  line.client.score(SCORE);
  line.client.submit([REQUEST]);
  assertEquals([line.client.stats.running, line.client.stats.scorings], [1, 1]);
  assertEquals(refusal(line.client), "queue_full");
});

Deno.test("EngineClient takes nothing to score unless it is ready", () => {
  const line = new Line();
  assertEquals(scoreRefusal(line.client), "model_loading");
  line.answer({ type: "failed", failure: { kind: "gpu", message: "gone" } });
  assertEquals(scoreRefusal(line.client), "device_lost");
});

Deno.test("EngineClient is idle when the last scoring is over, whatever became of it", async () => {
  const line = Line.ready();
  line.client.score(SCORE);
  line.client.score(SCORE);
  let isIdle = false;
  const idle = line.client.idle().then(() => isIdle = true);
  line.answer({ type: "scored", id: 0, scores: SCORES });
  await new Promise((resolve) => setImmediate(resolve));
  assert(!isIdle, "idle while a scoring runs");
  line.answer({ type: "error", id: 1, code: "internal_error", message: "no numbers" });
  await idle;
});

Deno.test("EngineClient lets scorings rest that nobody asks after", async () => {
  const line = Line.ready();
  line.client.score(SCORE);
  line.answer({ type: "error", id: 0, code: "internal_error", message: "no numbers" });
  await new Promise((resolve) => setImmediate(resolve));
});
