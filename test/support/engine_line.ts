import { assertThrows } from "@std/assert";
import { EngineClient, type EngineClientOptions } from "../../src/engine/client.ts";
import type { FromEngine, Port, ToEngine } from "../../src/engine/protocol.ts";
import {
  type BlockEvent,
  BusyError,
  type EndEvent,
  type Engine,
  type Generation,
  type SequenceEvent,
} from "../../src/engine/request.ts";
import { copyRequest } from "./copy_request.ts";
import { BYTE_MODEL } from "./scripted_engine.ts";

/** What a {@linkcode Line} may be asked for, and what may come of it. */
export const REQUEST = copyRequest([1, 2, 3]);
export const BLOCK: BlockEvent = {
  type: "block",
  index: 0,
  position: 3,
  tokens: [1, 2, 3, 1],
  steps: 4,
  nfe: 4,
  ms: 1,
  last: true,
};
export const END: EndEvent = { type: "end", reason: "length", passes: 5, queueMs: 0 };

/** An engine's port: what is sent to it, and a way to answer. */
export class AnsweringPort implements Port<FromEngine, ToEngine> {
  readonly sent: ToEngine[] = [];
  onmessage: ((event: MessageEvent<FromEngine>) => void) | null = null;

  postMessage(message: ToEngine): void {
    this.sent.push(message);
  }

  answer(message: FromEngine): void {
    this.onmessage?.(new MessageEvent("message", { data: message }));
  }
}

/** An engine's client, what it sent, and a way to answer. */
export class Line {
  readonly client: EngineClient;
  #port = new AnsweringPort();

  constructor(options: Partial<EngineClientOptions> = {}) {
    this.client = new EngineClient(this.#port, { maxConcurrent: 2, ...options });
  }

  /** One that has said that it is ready. */
  static ready(options: Partial<EngineClientOptions> = {}): Line {
    const line = new Line(options);
    line.answer({ type: "ready", model: BYTE_MODEL });
    return line;
  }

  /** What was sent to the engine of now. */
  get sent(): readonly ToEngine[] {
    return this.#port.sent;
  }

  answer(message: FromEngine): void {
    this.#port.answer(message);
  }

  event(id: number, event: SequenceEvent): void {
    this.answer({ type: "event", id, event });
  }

  /** Gives the client another engine, which is not ready yet; the port of the one before. */
  replace(): AnsweringPort {
    const before = this.#port;
    this.#port = new AnsweringPort();
    this.client.attach(this.#port);
    return before;
  }
}

/** Reads a sequence to its end. */
export async function readAll({ events }: Generation): Promise<SequenceEvent[]> {
  return await Array.fromAsync(events);
}

/** Why an engine takes nothing. */
export function refusal(engine: Pick<Engine, "submit">): string {
  return assertThrows(() => engine.submit([REQUEST]), BusyError).code;
}
