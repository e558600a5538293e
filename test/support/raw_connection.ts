/** A response as it came over the wire. */
export interface RawResponse {
  readonly status: number;
  /** Status line and header lines, without the empty line after them. */
  readonly head: string;
  readonly headers: Headers;
  /** The body, its chunks joined. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What a request is made of; nothing is added to it but the length of its body. */
export interface RawRequest {
  readonly method?: string;
  readonly target: string;
  /** `Host: localhost` where none is given. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string | Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a message with a `Content-Length` where it has a body. */
export function encodeRequest(
  { method = "GET", target, headers = [], body }: RawRequest,
): Uint8Array<ArrayBuffer> {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const isNamed = (wanted: string) => headers.some(([name]) => name.toLowerCase() === wanted);
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(isNamed("host") ? [] : ["Host: localhost"]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(bytes === undefined || isNamed("content-length") ? [] : [
      `Content-Length: ${bytes.byteLength}`,
    ]),
  ];
  return concat([encoder.encode(`${lines.join("\r\n")}\r\n\r\n`), bytes ?? new Uint8Array()]);
}

/** The text that these bytes are. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** A connection on which everything that is sent and comes back is seen as it is. */
export class RawConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  /** What came and was not read yet. */
  #waiting: Uint8Array<ArrayBuffer> = new Uint8Array();

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects to a server's address, such as `http://127.0.0.1:8000`. */
  static async open(address: string): Promise<RawConnection> {
    const { hostname, port } = new URL(address);
    return new RawConnection(await Deno.connect({ hostname, port: Number(port) }));
  }

  /** Sends bytes, or as many as the server takes before it closes. */
  async send(message: string | Uint8Array): Promise<void> {
    let rest = typeof message === "string" ? encoder.encode(message) : message;
    try {
      while (rest.byteLength > 0) rest = rest.subarray(await this.#connection.write(rest));
    } catch (error) {
      // It may answer before it has read all, and close: what it answered is still there to read.
      if (!isClosed(error)) throw error;
    }
  }

  /** Says that nothing more will be sent. */
  async closeWrite(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /**
   * Reads one response.
   *
   * @throws {SyntaxError} If it is cut off, or its framing is not HTTP/1.1.
   */
  async response(): Promise<RawResponse> {
    const head = textOf(await this.readTo("\r\n\r\n"));
    const [statusLine = "", ...lines] = head.split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
    if (Number.isNaN(status)) throw new SyntaxError(`Cannot read the head: it is ${head}`);
    const headers = new Headers(lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }));
    return { status, head, headers, body: await this.#readBody(status, headers) };
  }

  /** Reads what is left until the server closes. */
  async rest(): Promise<Uint8Array<ArrayBuffer>> {
    while (await this.#readMore());
    return this.#take(this.#waiting.byteLength);
  }

  /**
   * Reads up to and with the first occurrence of `end`, and gives what is before it.
   *
   * @throws {SyntaxError} If the server closes before.
   */
  async readTo(end: string): Promise<Uint8Array<ArrayBuffer>> {
    const mark = encoder.encode(end);
    let index = indexOf(this.#waiting, mark);
    while (index === -1) {
      if (!await this.#readMore()) {
        const text = new TextDecoder().decode(this.#waiting);
        throw new SyntaxError(`Cannot read on: the server closed after ${JSON.stringify(text)}`);
      }
      index = indexOf(this.#waiting, mark);
    }
    const part = this.#take(index);
    this.#take(mark.byteLength);
    return part;
  }

  async #readBody(status: number, headers: Headers): Promise<Uint8Array<ArrayBuffer>> {
    if (status === 204 || status === 304 || status < 200) return new Uint8Array();
    if (headers.get("transfer-encoding") !== "chunked") {
      return await this.#readBytes(Number(headers.get("content-length") ?? 0));
    }
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    while (true) {
      const size = parseInt(textOf(await this.readTo("\r\n")), 16);
      chunks.push(await this.#readBytes(size));
      if (textOf(await this.readTo("\r\n")) !== "") {
        throw new SyntaxError(`Cannot read the body: a chunk is not ${size} bytes long`);
      }
      if (size === 0) return concat(chunks);
    }
  }

  async #readBytes(count: number): Promise<Uint8Array<ArrayBuffer>> {
    while (this.#waiting.byteLength < count) {
      if (!await this.#readMore()) throw new SyntaxError("Cannot read the body: it is cut off");
    }
    return this.#take(count);
  }

  /** Whether more came, or the server closed. */
  async #readMore(): Promise<boolean> {
    const buffer = new Uint8Array(65_536);
    const count = await this.#connection.read(buffer).catch((error) => {
      if (isClosed(error)) return null;
      throw error;
    });
    if (count === null) return false;
    this.#waiting = concat([this.#waiting, buffer.subarray(0, count)]);
    return true;
  }

  #take(count: number): Uint8Array<ArrayBuffer> {
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return taken;
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** Sends one request on a connection of its own and reads the response. */
export async function exchange(address: string, request: RawRequest): Promise<RawResponse> {
  using connection = await RawConnection.open(address);
  await connection.send(encodeRequest(request));
  return await connection.response();
}

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.BrokenPipe;
}

function indexOf(bytes: Uint8Array, mark: Uint8Array): number {
  for (let i = bytes.indexOf(mark[0]!); i !== -1; i = bytes.indexOf(mark[0]!, i + 1)) {
    if (mark.every((each, j) => bytes[i + j] === each)) return i;
  }
  return -1;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}
