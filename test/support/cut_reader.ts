import { assertEquals } from "@std/assert";
import type { StreamedEvent } from "./event_stream.ts";
import {
  connectRaw,
  parseResponse,
  postText,
  readRaw,
  requestText,
  wholeEvents,
} from "./raw_http.ts";

/** Bytes of a connection that is cut, its header block included, at most. */
const LONGEST_CUT = 1500;

/** What a {@linkcode CutReader} needs. */
export interface CutReaderOptions {
  /** Of the server, an `http:` one. */
  readonly address: string;
  /** Fields of `POST /v1/blocks`. */
  readonly body: Readonly<Record<string, string | number>>;
  /** Connections that are cut, at most. */
  readonly cuts: number;
  /** Gives numbers in [0, 1). */
  readonly draw: () => number;
}

/** The server does not begin a generation, or knows it no longer. */
export class RefusalError extends Error {
  override readonly name = "RefusalError";
  constructor(readonly status: number) {
    super(`Cannot read on: the status is ${status}`);
  }
}

/** A client whose connections break after some bytes, and which comes back until it has all events. */
export class CutReader {
  /** Those that came whole, in order. */
  readonly events: StreamedEvent[] = [];
  readonly #options: CutReaderOptions;
  #cuts = 0;

  constructor(options: CutReaderOptions) {
    this.#options = options;
  }

  /** Connections that were cut before their end. */
  get cuts(): number {
    return this.#cuts;
  }

  /** Whether the final event has come. */
  get isDone(): boolean {
    return ["done", "error"].includes(this.events.at(-1)?.event ?? "");
  }

  /**
   * Reads the generation to its end; one of which not even the first event came is begun anew.
   *
   * @throws {RefusalError} If an answer is no stream.
   */
  async read(): Promise<void> {
    while (!this.isDone) {
      const [first] = this.events;
      const isCut = this.#cuts < this.#options.cuts;
      if (first === undefined) await this.#connect(this.#beginning(), { after: -1, isCut });
      else await this.#comeBack(first.data.id, isCut);
    }
  }

  /** Status of the answer to somebody who saw the event `last`, by every way to come back. */
  async statusesAfter(last: string): Promise<(number | null)[]> {
    return await Promise.all(
      this.#ways(last).map(async (text) => {
        using connection = await connectRaw(this.#options.address, text);
        const bytes = await readRaw(connection, (each) => parseResponse(each).isWhole);
        return parseResponse(bytes).status;
      }),
    );
  }

  async #comeBack(generation: string, isCut: boolean): Promise<void> {
    const after = this.events.length - 1;
    const ways = this.#ways(`${generation}.${after}`);
    const choice = Math.floor(this.#options.draw() * (ways.length + 1));
    const way = ways[choice];
    if (way !== undefined) return await this.#connect(way, { after, isCut });
    // Without an id everything comes again.
    const text = requestText({ path: `/v1/blocks/${generation}` });
    await this.#connect(text, { after: -1, isCut });
  }

  #beginning(): string {
    const { body, draw } = this.#options;
    return draw() < 0.5
      ? postText("/v1/blocks", body)
      : requestText({ path: `/v1/blocks?${this.#query}` });
  }

  /** Every request by which a client comes back. Source: the contract, section 6.4. */
  #ways(lastEventId: string): string[] {
    const [generation] = lastEventId.split(".");
    const headers = { "Last-Event-ID": lastEventId };
    return [
      requestText({ path: `/v1/blocks/${generation}`, headers }),
      requestText({ path: `/v1/blocks?${this.#query}`, headers }),
      postText("/v1/blocks", this.#options.body, headers),
      requestText({ path: `/v1/blocks/${generation}?last_event_id=${lastEventId}` }),
      requestText({ path: `/v1/blocks?${this.#query}&last_event_id=${lastEventId}` }),
    ];
  }

  get #query(): string {
    const fields = Object.entries(this.#options.body);
    return new URLSearchParams(fields.map(([name, value]) => [name, String(value)])).toString();
  }

  /** Reads what follows event number `after`, as much as comes. */
  async #connect(
    text: string,
    { after, isCut }: { readonly after: number; readonly isCut: boolean },
  ): Promise<void> {
    const count = isCut ? 1 + Math.floor(this.#options.draw() * LONGEST_CUT) : Infinity;
    using connection = await connectRaw(this.#options.address, text);
    const bytes = await readRaw(
      connection,
      (each) => each.length >= count || parseResponse(each).isWhole,
    );
    // What came beyond the cut is lost.
    const { status, body, isWhole } = parseResponse(bytes.subarray(0, count));
    if (!isWhole) this.#cuts += 1;
    if (status !== null && status !== 200) throw new RefusalError(status);
    for (const [i, event] of wholeEvents(body).entries()) {
      const known = this.events[after + 1 + i];
      // What comes again is the same as before.
      if (known !== undefined) assertEquals(event, known);
      else this.events.push(event);
    }
  }
}
