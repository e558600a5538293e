import { assert, assertEquals } from "@std/assert";
import { Scheduler } from "../../src/engine/scheduler.ts";
import type { Sequence } from "../../src/engine/sequence.ts";
import type { DenoiserLimits, PassPlan } from "../../src/model/denoiser.ts";
import type { SequenceRequest } from "../../src/engine/request.ts";
import { copyRequest, tokensFrom } from "../support/copy_request.ts";
import { type DenoiserScript, ScriptedDenoiser } from "../support/scripted_denoiser.ts";

function schedulerOf(
  limits: Partial<DenoiserLimits>,
  requests: readonly SequenceRequest[],
  script: DenoiserScript = {},
) {
  const denoiser = new ScriptedDenoiser({ limits, ...script });
  const scheduler = new Scheduler(denoiser);
  for (const [id, request] of requests.entries()) scheduler.enqueue({ id, request, since: id });
  return { denoiser, scheduler };
}

/** Admits everybody who fits; their ids. */
function admitAll(scheduler: Scheduler): number[] {
  const ids = [];
  for (let each = scheduler.admit(10); each; each = scheduler.admit(10)) ids.push(each.id);
  return ids;
}

function finish(scheduler: Scheduler, id: number): Sequence {
  const sequence = scheduler.find(id)!; // Tests ask for running ones.
  sequence.cancel();
  scheduler.release(sequence);
  return sequence;
}

/** Tokens of the prompt rows of each pass. */
function promptRows(plans: readonly PassPlan[]): number[] {
  return plans.map(({ prompts }) => prompts.reduce((sum, { tokens }) => sum + tokens.length, 0));
}

const short = copyRequest([], { maxTokens: 4 });

Deno.test("Scheduler admits in order of arrival while there are slots", () => {
  const { scheduler, denoiser } = schedulerOf({ slots: 2 }, [short, short, short, short]);
  assertEquals(admitAll(scheduler), [0, 1]);
  assertEquals([scheduler.running.length, scheduler.waiting, denoiser.openSlots], [2, 2, 2]);
  finish(scheduler, 0);
  assertEquals(admitAll(scheduler), [2]);
  assertEquals(scheduler.running.map(({ id }) => id), [1, 2]);
});

Deno.test("Scheduler gives every running sequence a slot of its own", () => {
  const { scheduler } = schedulerOf({ slots: 3 }, Array(30).fill(short));
  for (let id = 0; id < 27; id++) {
    admitAll(scheduler);
    const slots = scheduler.running.map(({ slot }) => slot);
    assertEquals(slots.toSorted(), [0, 1, 2]);
    finish(scheduler, id);
  }
});

Deno.test("Scheduler lets nobody past who waits for pages", () => {
  // Pages of 32 tokens; blocks of 4 add up to one page more.
  const large = copyRequest(tokensFrom(0, 60), { maxTokens: 40 });
  const { scheduler, denoiser } = schedulerOf({ slots: 4, pages: 5 }, [short, large, large, short]);
  assertEquals([denoiser.pagesFor(short), denoiser.pagesFor(large)], [1, 4]);
  assertEquals(admitAll(scheduler), [0, 1]);
  assertEquals(denoiser.freePages, 0);
  finish(scheduler, 0);
  assertEquals(admitAll(scheduler), []);
  finish(scheduler, 1);
  assertEquals(admitAll(scheduler), [2, 3]);
});

Deno.test("Scheduler tells how long a sequence has waited, to the sequence", () => {
  const { scheduler } = schedulerOf({ slots: 1 }, [short]);
  assertEquals(scheduler.admit(12.5)?.cancel(), [
    { type: "end", reason: "cancelled", passes: 0, queueMs: 12.5 },
  ]);
});

Deno.test("Scheduler.release() of a sequence that is gone does nothing", () => {
  const { scheduler, denoiser } = schedulerOf({ slots: 1 }, [short, short]);
  admitAll(scheduler);
  const gone = finish(scheduler, 0);
  admitAll(scheduler);
  scheduler.release(gone);
  assertEquals([denoiser.openSlots, scheduler.find(1)?.slot], [1, 0]);
});

Deno.test("Scheduler.dequeue() takes out the one that is named", () => {
  const { scheduler } = schedulerOf({ slots: 1 }, [short, short, short]);
  assertEquals(scheduler.dequeue(1)?.since, 1);
  assertEquals(scheduler.dequeue(1), undefined);
  assertEquals(scheduler.drain().map(({ id }) => id), [0, 2]);
  assertEquals(scheduler.waiting, 0);
});

Deno.test("Scheduler.plan() plans nothing for nobody", () => {
  const { scheduler } = schedulerOf({ slots: 1 }, []);
  assertEquals(scheduler.plan(4), []);
});

Deno.test("Scheduler.plan() plans as many passes as are asked for, fit, and are of use", () => {
  const { scheduler } = schedulerOf({ slots: 2, passes: 8 }, [
    copyRequest([], { maxTokens: 4 }),
    copyRequest([], { maxTokens: 12 }),
  ]);
  admitAll(scheduler);
  const lanes = (plans: readonly PassPlan[]) => plans.map((plan) => plan.lanes.length);
  assertEquals(lanes(scheduler.plan(3)), [2, 2, 2]);
  assertEquals(lanes(scheduler.plan(100)), [2, 1, 1, 1, 1, 1, 1, 1]);
  assertEquals(lanes(scheduler.plan(100)), [1]);
  // Whatever is left is in flight.
  assertEquals(scheduler.plan(100), []);
});

Deno.test("Scheduler.plan() prefills beside the denoising rows of others", () => {
  const { scheduler } = schedulerOf({ slots: 2, rows: 24 }, [
    copyRequest([], { maxTokens: 40 }),
    copyRequest(tokensFrom(0, 40)),
  ]);
  admitAll(scheduler);
  const plans = scheduler.plan(6);
  for (const { lanes, prompts } of plans) {
    const rows = 8 * lanes.length + prompts.reduce((sum, each) => sum + each.tokens.length, 0);
    assert(rows <= 24, `${rows} rows`);
  }
  // All rows for the prompt where it is first in turn, what the other leaves where it is not.
  assertEquals(promptRows(plans).slice(0, 3), [16, 24, 0]);
  assertEquals(plans.flatMap(({ prompts }) => prompts.flatMap(({ tokens }) => tokens)), [
    ...tokensFrom(0, 40),
  ]);
});

Deno.test("Scheduler.plan() keeps to the prompt rows of a burst", () => {
  const prompts = copyRequest(tokensFrom(0, 100));
  const { scheduler } = schedulerOf({ slots: 2, rows: 64, promptRows: 80 }, [prompts, prompts]);
  admitAll(scheduler);
  const sums = Array.from(
    { length: 4 },
    () => promptRows(scheduler.plan(4)).reduce((sum, each) => sum + each, 0),
  );
  assertEquals(sums, [80, 80, 40, 0]);
});

Deno.test("Scheduler.plan() denoises in the pass of the prompt's last rows", () => {
  const { scheduler } = schedulerOf({ slots: 1 }, [copyRequest(tokensFrom(0, 9))]);
  const sequence = scheduler.admit(0)!; // There is a slot.
  const [plan] = scheduler.plan(1);
  assertEquals(plan?.prompts.map(({ tokens }) => tokens), [tokensFrom(0, 9)]);
  assertEquals(plan?.lanes, [sequence.slot]);
});

Deno.test("Scheduler.plan() gives everybody a turn where rows are short", () => {
  // A block takes 32 rows with the one before it: two of five sequences fit.
  const request = copyRequest([], { maxTokens: 160, blockSize: 16 });
  const { scheduler } = schedulerOf({ slots: 5, rows: 64 }, Array(5).fill(request));
  admitAll(scheduler);
  const turns = new Map<number, number>();
  for (let burst = 0; burst < 10; burst++) {
    const plans = scheduler.plan(3);
    for (const slot of plans.flatMap(({ lanes }) => lanes)) {
      turns.set(slot, (turns.get(slot) ?? 0) + 1);
    }
  }
  assertEquals([...turns.values()], Array(5).fill(12));
});

Deno.test("Scheduler.plan() gives a large block its turn among small ones", () => {
  const small = copyRequest([], { maxTokens: 400 });
  const large = copyRequest([], { maxTokens: 64, blockSize: 32 });
  const { scheduler } = schedulerOf({ slots: 4, rows: 64 }, [small, small, small, large]);
  admitAll(scheduler);
  const plans = Array.from({ length: 12 }, () => scheduler.plan(1)).flat();
  const slot = scheduler.find(3)?.slot;
  assertEquals(plans.filter(({ lanes }) => lanes.includes(slot!)).length, 3);
});

Deno.test("Scheduler skips what is stored of a prompt, at its beginning and later", () => {
  const stored = new Map([[0, 32], [40, 8]]);
  const denoiser = new ScriptedDenoiser({
    limits: { slots: 1 },
    countReused: (_, position) => stored.get(position) ?? 0,
  });
  const scheduler = new Scheduler(denoiser);
  scheduler.enqueue({ id: 0, request: copyRequest(tokensFrom(0, 60)), since: 0 });
  assertEquals(scheduler.admit(0)?.planned, 32);
  const places = (plans: readonly PassPlan[]) =>
    plans.flatMap(({ prompts }) =>
      prompts.map(({ position, tokens }) => [position, tokens.length])
    );
  const plans = scheduler.plan(1, 8);
  assertEquals(places(plans), [[32, 8]]);
  denoiser.record(plans).submit();
  assertEquals(places(scheduler.plan(1, 100)), [[48, 12]]);
  assertEquals(denoiser.prefixCache.hitTokens, 40);
});

Deno.test("Scheduler begins to denoise at once where the whole prompt is stored", () => {
  const denoiser = new ScriptedDenoiser({ limits: { slots: 1 }, countReused: () => 60 });
  const scheduler = new Scheduler(denoiser);
  scheduler.enqueue({ id: 0, request: copyRequest(tokensFrom(0, 60)), since: 0 });
  const sequence = scheduler.admit(0)!; // There is a slot.
  assertEquals(scheduler.plan(1), [{ lanes: [sequence.slot], prompts: [] }]);
});

Deno.test("Scheduler.release() hands over what remains, of a failed sequence nothing", () => {
  const remains: unknown[] = [];
  const denoiser = new ScriptedDenoiser({ onClose: (slot, each) => remains.push([slot, each]) });
  const scheduler = new Scheduler(denoiser);
  for (const id of [0, 1]) scheduler.enqueue({ id, request: short, since: 0 });
  const [first, second] = [scheduler.admit(0)!, scheduler.admit(0)!]; // There are slots.
  scheduler.release(first);
  scheduler.release(second, { hasFailed: true });
  assertEquals(remains, [[0, { tokens: [], reach: 4 }], [1, null]]);
});

Deno.test("Scheduler.plan() asks the denoiser how many rows a sequence takes", () => {
  const request = copyRequest([], { maxTokens: 160, blockSize: 16 });
  const lanes = [false, true].map((isFused) => {
    const { scheduler } = schedulerOf({ slots: 5, rows: 64 }, Array(5).fill(request), { isFused });
    admitAll(scheduler);
    return scheduler.plan(1)[0]?.lanes.length;
  });
  assertEquals(lanes, [4, 2]);
});
