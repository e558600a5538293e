import { RequestError } from "./errors.ts";
import { parseObject } from "./json.ts";

/** How long and how large a request body may be. */
export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
}

/** Pieces that a body may come in: each costs work, however small it is. */
const MOST_PIECES = 16_384;
const FIRST_BUFFER_BYTES = 16_384;

/**
 * Reads the JSON object that `request` carries.
 *
 * @throws {RequestError} If the body has another media type, is too large, too slow, or no object.
 */
export async function readJson(
  request: Request,
  limits: BodyLimits,
): Promise<Record<string, unknown>> {
  checkMediaType(request.headers);
  return parseObject(decode(await readBytes(request, limits)));
}

/**
 * Reads the body's bytes into one buffer as they arrive. Pieces are not kept: the runtime hands
 * each over in 64 KiB of its own, so that small ones would cost far more than they carry.
 *
 * @throws {RequestError} If the body is too large, too slow, or cut off.
 */
export async function readBytes(
  request: Request,
  { maxBodyBytes, bodyTimeoutMs }: BodyLimits,
): Promise<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBodyBytes) throw tooLarge(`at most ${maxBodyBytes} bytes`, announced);
  if (request.body === null) return new Uint8Array();

  const reader = request.body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    leave(reader);
  }, bodyTimeoutMs);
  try {
    const bytes = await gather({ read: () => read(reader), maxBodyBytes });
    if (isLate) throw timedOut(bodyTimeoutMs);
    return bytes;
  } catch (error) {
    leave(reader);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the body, and a read that waits for it: what is left of it is of no use. */
function leave(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  // Its connection may already be gone.
  reader.cancel().catch(() => {});
}

async function read(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<Uint8Array | undefined> {
  try {
    return (await reader.read()).value;
  } catch (cause) {
    const error = new RequestError("invalid_json", "The request body ended before it was complete");
    error.cause = cause;
    throw error;
  }
}

async function gather({ read, maxBodyBytes }: {
  read: () => Promise<Uint8Array | undefined>;
  maxBodyBytes: number;
}): Promise<Uint8Array> {
  let buffer = new Uint8Array(Math.min(FIRST_BUFFER_BYTES, maxBodyBytes));
  let size = 0;
  let pieces = 0;
  for (let piece = await read(); piece !== undefined; piece = await read()) {
    pieces += 1;
    if (pieces > MOST_PIECES) throw tooLarge(`in at most ${MOST_PIECES} chunks`, "more");
    const needed = size + piece.byteLength;
    if (needed > maxBodyBytes) throw tooLarge(`at most ${maxBodyBytes} bytes`, "more");
    if (needed > buffer.length) {
      const larger = new Uint8Array(Math.min(Math.max(needed, 2 * buffer.length), maxBodyBytes));
      larger.set(buffer.subarray(0, size));
      buffer = larger;
    }
    buffer.set(piece, size);
    size = needed;
  }
  return buffer.subarray(0, size);
}

function checkMediaType(headers: Headers): void {
  const encoding = headers.get("content-encoding");
  const type = headers.get("content-type");
  if (type === null || !isJson(type)) {
    throw new RequestError("unsupported_media_type", "Content-Type must be application/json");
  }
  if (encoding !== null && encoding.trim().toLowerCase() !== "identity") {
    const message = "Content-Encoding must be identity or absent";
    throw new RequestError("unsupported_content_encoding", message);
  }
}

function isJson(contentType: string): boolean {
  return /^application\/json[ \t]*(;[ \t]*charset=("utf-8"|utf-8)[ \t]*)?;?$/i.test(contentType);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new RequestError("invalid_utf8", "The request body is not valid UTF-8");
  }
}

function tooLarge(limit: string, given: number | "more"): RequestError {
  return new RequestError("request_too_large", `The request body must be ${limit}, got ${given}`);
}

function timedOut(bodyTimeoutMs: number): RequestError {
  const message = `The request body was not complete ${bodyTimeoutMs} ms after its headers`;
  return new RequestError("request_timeout", message, { headers: { Connection: "close" } });
}
