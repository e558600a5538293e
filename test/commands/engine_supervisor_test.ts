import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { EngineSupervisor, type EngineWorker } from "../../src/commands/engine_supervisor.ts";
import { EngineStartError } from "../../src/engine/client.ts";
import type { FromEngine, StartFailure, ToEngine } from "../../src/engine/protocol.ts";
import { BusyError, SequenceError } from "../../src/engine/request.ts";
import { copyRequest } from "../support/copy_request.ts";
import { BYTE_MODEL } from "../support/scripted_engine.ts";

const LOSS: StartFailure = { kind: "gpu", message: "lost" };
const REQUEST = copyRequest([1, 2, 3]);

class FakeWorker implements EngineWorker {
  readonly sent: ToEngine[] = [];
  onmessage: ((event: MessageEvent<FromEngine>) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  isTerminated = false;

  postMessage(message: ToEngine): void {
    this.sent.push(message);
  }

  terminate(): void {
    this.isTerminated = true;
  }

  say(message: FromEngine): void {
    this.onmessage?.(new MessageEvent("message", { data: message }));
  }

  /** Ends by an error; whether that was seen to. */
  crash(): boolean {
    const event = new ErrorEvent("error", { message: "a bug", cancelable: true });
    this.onerror?.(event);
    return event.defaultPrevented;
  }
}

/** A supervisor, its Workers, and a clock that goes on when it is told to. */
class Stage {
  readonly workers: FakeWorker[] = [];
  readonly log: string[] = [];
  /** What is waited for, and for how many milliseconds. */
  scheduled: { readonly work: () => void; readonly ms: number }[] = [];
  readonly supervisor: EngineSupervisor;

  constructor() {
    this.supervisor = new EngineSupervisor({
      maxConcurrent: 2,
      startWorker: () => {
        const worker = new FakeWorker();
        this.workers.push(worker);
        return worker;
      },
      onFailure: ({ message }) => this.log.push(message),
      onRecovery: () => this.log.push("back"),
      schedule: (work, ms) => {
        const entry = { work, ms };
        this.scheduled.push(entry);
        return () => this.scheduled = this.scheduled.filter((each) => each !== entry);
      },
    });
  }

  static ready(): Stage {
    const stage = new Stage();
    stage.worker.say({ type: "ready", model: BYTE_MODEL });
    return stage;
  }

  get engine() {
    return this.supervisor.engine;
  }

  /** The newest Worker. */
  get worker(): FakeWorker {
    return this.workers.at(-1)!;
  }

  /** Lets time pass until the next Worker is started; how long that took. */
  wait(): number {
    const [entry, ...others] = this.scheduled;
    assertEquals([entry !== undefined, others.length], [true, 0], "one start is due");
    this.scheduled = [];
    entry!.work();
    return entry!.ms;
  }
}

Deno.test("EngineSupervisor hands out the engine of its first Worker", async () => {
  const stage = Stage.ready();
  assertEquals(await stage.engine.ready, BYTE_MODEL);
  stage.engine.submit([REQUEST]);
  assertEquals(stage.worker.sent, [{ type: "submit", id: 0, request: REQUEST }]);
  assertEquals([stage.workers.length, stage.log], [1, []]);
});

Deno.test("EngineSupervisor leaves a start that fails to who started it", async () => {
  const stage = new Stage();
  stage.worker.say({ type: "failed", failure: LOSS });
  await assertRejects(() => stage.engine.ready, EngineStartError, "lost");
  assertEquals([stage.engine.status, stage.scheduled, stage.log], ["failed", [], []]);
  const other = new Stage();
  assertEquals(other.worker.crash(), true);
  await assertRejects(() => other.engine.ready, EngineStartError, "a bug");
  assertEquals([other.engine.status, other.scheduled, other.log], ["failed", [], []]);
});

Deno.test("EngineSupervisor replaces the Worker of a lost device at once", async () => {
  const stage = Stage.ready();
  const { events } = stage.engine.submit([REQUEST])[0]!;
  stage.worker.say({ type: "failed", failure: LOSS });
  const error = await assertRejects(() => Array.fromAsync(events), SequenceError);
  assertEquals([error.code, stage.engine.status], ["device_lost", "device_lost"]);
  // Its device goes before the next one is asked for.
  assertEquals([stage.worker.isTerminated, stage.workers.length], [true, 1]);
  assertEquals(stage.wait(), 0);
  assertEquals([stage.workers.length, stage.engine.status], [2, "device_lost"]);
  assertThrows(() => stage.engine.submit([REQUEST]), BusyError, "device lost");
  stage.worker.say({ type: "ready", model: BYTE_MODEL });
  assertEquals([stage.engine.status, stage.log], ["ready", ["lost", "back"]]);
  stage.engine.submit([REQUEST]);
  assertEquals(stage.worker.sent, [{ type: "submit", id: 1, request: REQUEST }]);
  assertEquals([stage.worker.isTerminated, stage.scheduled], [false, []]);
});

Deno.test("EngineSupervisor replaces a Worker that dies, and survives it", async () => {
  const stage = Stage.ready();
  const { events } = stage.engine.submit([REQUEST])[0]!;
  assertEquals(stage.worker.crash(), true);
  const error = await assertRejects(() => Array.fromAsync(events), SequenceError);
  assertEquals([error.code, stage.engine.status], ["device_lost", "device_lost"]);
  assertEquals([stage.worker.isTerminated, stage.wait(), stage.log], [true, 0, ["a bug"]]);
  stage.worker.say({ type: "ready", model: BYTE_MODEL });
  assertEquals(stage.engine.status, "ready");
});

Deno.test("EngineSupervisor waits longer after every try in vain, 30 seconds at most", () => {
  const stage = Stage.ready();
  const waits = Array.from({ length: 9 }, (_, i) => {
    if (i % 3 === 2) stage.worker.crash();
    else stage.worker.say({ type: "failed", failure: LOSS });
    assertEquals(stage.engine.status, "device_lost");
    return stage.wait();
  });
  assertEquals(waits, [0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  assertEquals(stage.workers.map(({ isTerminated }) => isTerminated), [
    ...Array(9).fill(true),
    false,
  ]);
  stage.worker.say({ type: "ready", model: BYTE_MODEL });
  assertEquals([stage.log.length, stage.log.at(-1)], [10, "back"]);
  // What follows is a new story.
  stage.worker.say({ type: "failed", failure: LOSS });
  assertEquals(stage.wait(), 0);
});

Deno.test("EngineSupervisor goes on trying when the weights cannot be read any more", () => {
  const stage = Stage.ready();
  stage.worker.say({ type: "failed", failure: LOSS });
  stage.wait();
  stage.worker.say({ type: "failed", failure: { kind: "checkpoint", message: "no weights" } });
  assertEquals(stage.engine.status, "failed");
  assertEquals([stage.wait(), stage.engine.status], [1000, "failed"]);
  stage.worker.say({ type: "ready", model: BYTE_MODEL });
  assertEquals([stage.engine.status, stage.log], ["ready", ["lost", "no weights", "back"]]);
});

Deno.test("EngineSupervisor hears of one end once, and nothing of Workers that went before", () => {
  const stage = Stage.ready();
  const { worker: first } = stage;
  first.say({ type: "failed", failure: LOSS });
  assertEquals(first.crash(), true);
  first.say({ type: "failed", failure: LOSS });
  assertEquals([stage.scheduled.length, stage.log], [1, ["lost"]]);
  stage.wait();
  stage.worker.say({ type: "ready", model: BYTE_MODEL });
  first.say({ type: "failed", failure: LOSS });
  assertEquals(first.crash(), true);
  assertEquals([stage.engine.status, stage.scheduled], ["ready", []]);
});

Deno.test("EngineSupervisor.close() ends what runs, and waits until the device is free", async () => {
  const stage = Stage.ready();
  const { events } = stage.engine.submit([REQUEST])[0]!;
  let isClosed = false;
  const closing = stage.supervisor.close().then(() => isClosed = true);
  const error = await assertRejects(() => Array.fromAsync(events), SequenceError);
  assertEquals([error.code, stage.worker.sent.at(-1)], ["draining", { type: "close" }]);
  assertEquals(isClosed, false);
  stage.worker.say({ type: "closed" });
  await closing;
  // The process is about to exit: a Worker that ends would take the driver from under it.
  assertEquals([stage.worker.isTerminated, stage.scheduled], [false, []]);
  // What was on its way.
  stage.worker.say({ type: "failed", failure: LOSS });
  assertEquals(stage.worker.crash(), true);
  assertEquals([stage.scheduled, stage.workers.length], [[], 1]);
});

Deno.test("EngineSupervisor.close() waits a second at most, and not for one that failed", async () => {
  const slow = Stage.ready();
  const closing = slow.supervisor.close();
  assertEquals(slow.scheduled.map(({ ms }) => ms), [1000]);
  slow.wait();
  await closing;
  const failing = Stage.ready();
  const failed = failing.supervisor.close();
  failing.worker.say({ type: "failed", failure: LOSS });
  await failed;
});

Deno.test("EngineSupervisor.close() while the device is lost leaves no timer behind", async () => {
  const waiting = Stage.ready();
  waiting.worker.say({ type: "failed", failure: LOSS });
  await waiting.engine.idle();
  await waiting.supervisor.close();
  assertEquals([waiting.scheduled, waiting.workers.length], [[], 1]);
  const loading = Stage.ready();
  loading.worker.say({ type: "failed", failure: LOSS });
  loading.wait();
  await loading.supervisor.close();
  assertEquals([loading.scheduled, loading.workers.length], [[], 2]);
});
