import { delay } from "@std/async";
import { CutReader, RefusalError } from "../support/cut_reader.ts";
import { readEventStream, type StreamedEvent } from "../support/event_stream.ts";
import {
  connectRaw,
  parseResponse,
  postText,
  readResponse,
  requestText,
  wholeEvents,
} from "../support/raw_http.ts";
import { sha256 } from "../support/sha256.ts";
import type { TestServer } from "../support/test_server.ts";
import { BAD_REQUESTS } from "./bad_requests.ts";
import { below, pick, type Work } from "./workload.ts";

/** What a client has to do with. */
export interface Errand {
  readonly server: TestServer;
  /** Id of the default model. */
  readonly model: string;
  readonly work: Work;
  /** Gives numbers in [0, 1). */
  readonly draw: () => number;
}

/** Does something with the server and says what became of it. Throws where that is not right. */
export type Client = (errand: Errand) => Promise<string>;

/** Every way in which a client behaves, and how many of a hundred do so. */
export const CLIENTS: readonly (readonly [share: number, client: Client])[] = [
  [30, readStream],
  [10, readAnswer],
  [15, readCompletion],
  [15, comeBack],
  [10, leave],
  [5, cancel],
  [5, readSlowly],
  [5, neverRead],
  [5, askWrongly],
];

/** One of {@linkcode CLIENTS}, as often as its share says. */
export function drawClient(draw: () => number): Client {
  let left = 100 * draw();
  const [, client] = CLIENTS.find(([share]) => (left -= share) < 0) ?? CLIENTS[0]!;
  return client;
}

async function readStream({ server, work, draw }: Errand): Promise<string> {
  const trace = draw() < 0.3;
  const response = await server.post("/v1/blocks", { ...work.fields, trace });
  if (!response.ok) return await refusalOf(response);
  return await outcomeOf((await readEventStream(response)).events, work);
}

async function readAnswer({ server, work }: Errand): Promise<string> {
  const response = await server.post("/v1/blocks", { ...work.fields, stream: false });
  if (!response.ok) return await refusalOf(response);
  return compare((await response.json()).text, work);
}

async function readCompletion({ server, model, work, draw }: Errand): Promise<string> {
  const stream = draw() < 0.5;
  const response = await server.post("/v1/completions", { ...work.fields, model, stream });
  if (!response.ok) return await refusalOf(response);
  if (!stream) return compare((await response.json()).choices[0].text, work);
  const events = (await response.text()).split("\n\n").filter((part) => part.startsWith("data: "));
  const data = events.map((event) => event.slice("data: ".length));
  // Without this the answer is cut off: the last event says why.
  if (data.at(-1) !== "[DONE]") return excuse(JSON.parse(data.at(-1) ?? "{}"));
  const chunks = data.slice(0, -1).map((each) => JSON.parse(each));
  return compare(chunks.map(({ choices }) => choices[0].text).join(""), work);
}

async function comeBack({ server, work, draw }: Errand): Promise<string> {
  const body = { ...work.fields, resume_ms: 30_000 };
  const reader = new CutReader({ address: server.address, body, cuts: 6, draw });
  try {
    await reader.read();
  } catch (error) {
    // The body that says more may be cut off.
    if (error instanceof RefusalError && error.status === 429) return "queue_full";
    if (error instanceof RefusalError && error.status === 503) return "device_lost";
    throw error;
  }
  const [first] = reader.events;
  const ids = reader.events.map((event, i) => event.id === `${first?.data.id}.${i}`);
  if (ids.includes(false)) throw new Error("an event is missing, or is there twice");
  return await outcomeOf(reader.events, work);
}

/** Leaves after some bytes, a stream or not. */
async function leave({ server, model, work, draw }: Errand): Promise<string> {
  const text = pick(draw, [
    postText("/v1/blocks", { ...work.fields, resume_ms: 0 }),
    postText("/v1/blocks", { ...work.fields, stream: false }),
    postText("/v1/completions", { ...work.fields, model, stream: true }),
    postText("/v1/completions", { ...work.fields, model }),
  ]);
  using connection = await connectRaw(server.address, text);
  const buffer = new Uint8Array(1 + below(draw, 2000));
  // A read that waits when the connection is closed has nothing to tell.
  const read = connection.read(buffer).catch(() => null);
  await Promise.race([read, delay(500 * draw())]);
  return "left";
}

async function cancel({ server, work }: Errand): Promise<string> {
  const response = await server.post("/v1/blocks", work.fields);
  if (!response.ok) return await refusalOf(response);
  const [head, rest] = response.body!.tee();
  const id = await firstId(head);
  const removal = await server.get(`/v1/blocks/${id}`, { method: "DELETE" });
  if (removal.status !== 204) throw new Error(`DELETE is ${removal.status}`);
  const { events, text, last } = await readEventStream(new Response(rest));
  if (last.data.finish_reason !== "cancelled") return await outcomeOf(events, work);
  if (!work.text.startsWith(text)) throw new Error(`the text is ${JSON.stringify(text)}`);
  return "cancelled";
}

async function firstId(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    const id = /"id":"(blk_[^"]+)"/.exec(text)?.[1];
    if (id !== undefined) return id;
  }
  throw new Error("the stream has no first event");
}

/** Takes a little now and then. */
async function readSlowly({ server, work, draw }: Errand): Promise<string> {
  const text = postText("/v1/blocks", { ...work.fields, trace: true }, { Connection: "close" });
  using connection = await connectRaw(server.address, text);
  const parts: number[] = [];
  const buffer = new Uint8Array(2048);
  for (let count = await connection.read(buffer); count !== null;) {
    parts.push(...buffer.subarray(0, count));
    await delay(20 * draw());
    count = await connection.read(buffer);
  }
  const { status, body } = parseResponse(Uint8Array.from(parts));
  if (status !== 200) return excuse(JSON.parse(new TextDecoder().decode(body)));
  return await outcomeOf(wholeEvents(body), work);
}

/** Asks for a lot, takes nothing of it, or does not even finish its question. */
async function neverRead({ server, draw }: Errand): Promise<string> {
  const request = { prompt: "x", max_tokens: 200, block_size: 1, trace: true, resume_ms: 0 };
  const text = postText("/v1/blocks", request);
  const end = draw() < 0.5 ? text.length : below(draw, text.length);
  using _connection = await connectRaw(server.address, text.slice(0, end));
  await delay(3000 * draw());
  return "never read";
}

async function askWrongly({ server, draw }: Errand): Promise<string> {
  const { method = "POST", path, headers, body, status } = pick(draw, BAD_REQUESTS);
  const text = requestText({ method, path, headers: { ...headers, Connection: "close" }, body });
  using connection = await connectRaw(server.address, text);
  const answer = await readResponse(connection);
  if (answer.status === status) return "bad requests refused";
  throw new Error(`${method} ${path} of ${body.slice(0, 100)} is ${answer.status}, not ${status}`);
}

/** What a stream came to. */
async function outcomeOf(events: readonly StreamedEvent[], work: Work): Promise<string> {
  const last = events.at(-1);
  if (last?.event === "error") return excuse(last.data);
  if (last?.event !== "done") throw new Error(`the last event is ${last?.event}`);
  const blocks = events.filter(({ event }) => event === "block");
  const text = blocks.map(({ data }) => data.text).join("");
  if (last.data.text_sha256 !== await sha256(text)) throw new Error("the digest is wrong");
  return compare(text, work);
}

function compare(text: string, work: Work): string {
  if (text === work.text) return "right";
  const asked = JSON.stringify(work.fields);
  throw new Error(
    `the text is ${JSON.stringify(text)}, not ${JSON.stringify(work.text)}: ${asked}`,
  );
}

async function refusalOf(response: Response): Promise<string> {
  return excuse(await response.json());
}

/** Errors that clients must live with: too many of them, and the faults that were ordered. */
const EXCUSES = ["queue_full", "device_lost", "internal_error"];

function excuse({ error }: { readonly error?: { readonly code: string } }): string {
  if (error !== undefined && EXCUSES.includes(error.code)) return error.code;
  throw new Error(`the server says ${JSON.stringify(error)}`);
}
