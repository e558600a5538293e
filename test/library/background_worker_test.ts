import { assertEquals } from "@std/assert";
import { BackgroundWorker } from "../../src/library/background_worker.ts";
import { deadline } from "../support/deadline.ts";
import { ROOT, runDeno } from "../support/process.ts";

/** The URL of a module with this source. */
function moduleOf(source: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

const ECHO = moduleOf("onmessage = ({ data }) => postMessage(data);");

function answerOf(worker: BackgroundWorker): Promise<unknown> {
  const answer = Promise.withResolvers<unknown>();
  worker.onmessage = ({ data }) => answer.resolve(data);
  worker.onerror = ({ message }) => answer.reject(new Error(message));
  return deadline(answer.promise, "the Worker");
}

Deno.test("BackgroundWorker takes messages and gives them, as the web's do", async () => {
  const worker = new BackgroundWorker(ECHO);
  worker.postMessage({ tokens: Uint32Array.of(1, 2) });
  assertEquals(await answerOf(worker), { tokens: Uint32Array.of(1, 2) });
  worker.terminate();
});

Deno.test("BackgroundWorker.retire() leaves it at work", async () => {
  const worker = new BackgroundWorker(ECHO);
  worker.retire();
  worker.postMessage("still there?");
  assertEquals(await answerOf(worker), "still there?");
  worker.terminate();
});

Deno.test("BackgroundWorker tells of an error by which it ends", async () => {
  const worker = new BackgroundWorker(moduleOf('onmessage = () => { throw new Error("a bug"); };'));
  const told = Promise.withResolvers<string>();
  worker.onerror = ({ message }) => told.resolve(message);
  worker.postMessage(1);
  assertEquals(await deadline(told.promise, "the error"), "a bug");
});

Deno.test("BackgroundWorker keeps its process until it is retired", async () => {
  const module = new URL("src/library/background_worker.ts", `file://${ROOT}`);
  const source = `
    import { BackgroundWorker } from ${JSON.stringify(module)};
    const worker = new BackgroundWorker(new URL(${JSON.stringify(ECHO)}));
    worker.onmessage = ({ data }) => {
      console.log(data);
      worker.retire();
    };
    worker.postMessage("kept");`;
  const outcome = await deadline(runDeno(["eval", source]), "the process");
  assertEquals(outcome, { status: 0, stdout: "kept\n", stderr: "" });
});
