import { parseEvent, type StreamedEvent } from "./event_stream.ts";

/** A request to be written as it is. */
export interface RawRequest {
  readonly method?: string;
  /** Path and query. */
  readonly path: string;
  /** Beside `Host`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What has come of a response when its connection ends, or is closed. */
export interface RawResponse {
  /** `null` where not even the first line has come. */
  readonly status: number | null;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** As far as it has come, without chunks' sizes. */
  readonly body: Uint8Array;
  /** Whether all of it has come. */
  readonly isWhole: boolean;
}

const CRLF = "\r\n";

/** The text of a request; a body gets its length. */
export function requestText({ method = "GET", path, headers = {}, body = "" }: RawRequest): string {
  const length = new TextEncoder().encode(body).byteLength;
  const all = {
    Host: "localhost",
    ...(body === "" ? {} : { "Content-Length": String(length) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}${CRLF}`);
  return `${method} ${path} HTTP/1.1${CRLF}${lines.join("")}${CRLF}${body}`;
}

/** The text of a POST of JSON. */
export function postText(path: string, body: object, headers: Record<string, string> = {}): string {
  return requestText({
    method: "POST",
    path,
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** Opens a connection to `address`, an `http:` one, and sends `text` as it is. */
export async function connectRaw(address: string, text: string): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(address);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await sendRaw(connection, text);
  return connection;
}

/** Sends all of `text`. */
export async function sendRaw(connection: Deno.Conn, text: string): Promise<void> {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(await connection.write(bytes));
}

/** Reads until `isEnough` of what has come, or until the connection ends. */
export async function readRaw(
  connection: Deno.Conn,
  isEnough: (bytes: Uint8Array) => boolean,
): Promise<Uint8Array> {
  let bytes: Uint8Array = new Uint8Array();
  while (!isEnough(bytes)) {
    const buffer = new Uint8Array(65_536);
    const count = await connection.read(buffer);
    if (count === null) break;
    bytes = concat([bytes, buffer.subarray(0, count)]);
  }
  return bytes;
}

/** Reads one response: whole, or as far as it comes before the connection ends. */
export async function readResponse(connection: Deno.Conn): Promise<RawResponse> {
  return parseResponse(await readRaw(connection, (bytes) => parseResponse(bytes).isWhole));
}

/**
 * Takes a response apart that may be cut off anywhere.
 *
 * @throws {SyntaxError} If it has chunks without sizes.
 */
export function parseResponse(bytes: Uint8Array): RawResponse {
  const headEnd = bytes.findIndex((byte, i) => byte === 13 && isEmptyLine(bytes, i));
  if (headEnd < 0) return { status: null, headers: {}, body: new Uint8Array(), isWhole: false };
  const head = new TextDecoder().decode(bytes.subarray(0, headEnd));
  const [first = "", ...lines] = head.split(CRLF);
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const sent = bytes.subarray(headEnd + 4);
  const isChunked = headers["transfer-encoding"] === "chunked";
  const length = Number(headers["content-length"] ?? 0);
  return {
    status: Number(first.split(" ")[1]),
    headers,
    ...(isChunked ? joinChunks(sent) : { body: sent, isWhole: sent.length >= length }),
  };
}

/** Whether a line ends at `at`, and an empty one follows. */
function isEmptyLine(bytes: Uint8Array, at: number): boolean {
  return bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10;
}

function joinChunks(sent: Uint8Array): Pick<RawResponse, "body" | "isWhole"> {
  const parts: Uint8Array[] = [];
  let rest = sent;
  let isWhole = false;
  while (!isWhole) {
    const lineEnd = rest.findIndex((byte, i) => byte === 13 && rest[i + 1] === 10);
    if (lineEnd < 0) break;
    const line = new TextDecoder().decode(rest.subarray(0, lineEnd));
    if (!/^[0-9a-fA-F]+$/.test(line)) {
      throw new SyntaxError(`Cannot read the chunk: its size is ${JSON.stringify(line)}`);
    }
    const size = parseInt(line, 16);
    parts.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size));
    isWhole = size === 0;
    rest = rest.subarray(lineEnd + 2 + size + 2);
  }
  return { body: concat(parts), isWhole };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The events that have come whole in the body of a stream that may be cut off anywhere. */
export function wholeEvents(body: Uint8Array): StreamedEvent[] {
  const parts = new TextDecoder("utf-8", { ignoreBOM: true }).decode(body).split("\n\n");
  parts.pop(); // What follows the last empty line is not whole.
  return parts.filter((part) => part !== "retry: 2000" && part !== ": keep-alive").map(parseEvent);
}
