/** Passes connections on to a server, and cuts some of them. */
export class CuttingProxy implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: Deno.ConnectOptions;
  /** Bytes of the answers after which the next connections are cut. */
  readonly #cutsAt: number[];
  readonly #open = new Set<Deno.Conn>();
  readonly #ended: Promise<void>;
  #connections = 0;

  /** @param cutsAt For the first connections; later ones are left alone. */
  constructor(address: string, cutsAt: readonly number[]) {
    const { hostname, port } = new URL(address);
    this.#target = { hostname, port: Number(port) };
    this.#cutsAt = [...cutsAt];
    this.#ended = this.#serve();
  }

  /** `http://127.0.0.1:PORT`. */
  get address(): string {
    const { hostname, port } = this.#listener.addr as Deno.NetAddr; // A listener on TCP.
    return `http://${hostname}:${port}`;
  }

  /** Connections so far. */
  get connections(): number {
    return this.#connections;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    // Clients keep some open, for requests that may follow.
    for (const each of this.#open) if (this.#open.delete(each)) each.close();
    await this.#ended;
  }

  async #serve(): Promise<void> {
    const passing: Promise<void>[] = [];
    for await (const client of this.#listener) {
      this.#connections += 1;
      passing.push(this.#pass(client, this.#cutsAt.shift() ?? Infinity));
    }
    await Promise.all(passing);
  }

  async #pass(client: Deno.Conn, cutAt: number): Promise<void> {
    const server = await Deno.connect(this.#target);
    const both = [client, server];
    for (const each of both) this.#open.add(each);
    const ways = [copy(client, server, Infinity), copy(server, client, cutAt)];
    // Where one side is gone, or one way is cut, it is over for both.
    await Promise.race(ways);
    for (const each of both) if (this.#open.delete(each)) each.close();
    await Promise.all(ways);
  }
}

/** Copies at most `count` bytes; ends quietly where one of both is gone. */
async function copy(from: Deno.Conn, to: Deno.Conn, count: number): Promise<void> {
  const buffer = new Uint8Array(65_536);
  let left = count;
  try {
    while (left > 0) {
      const size = await from.read(buffer);
      if (size === null) break;
      let part = buffer.subarray(0, Math.min(size, left));
      left -= part.length;
      while (part.length > 0) part = part.subarray(await to.write(part));
    }
  } catch {
    // Either side may leave when it likes.
  }
}
