/** Stands between a browser and a server, passes bytes on, and cuts connections when told to. */
export class CuttingProxy implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: URL;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;
  /** Connections taken so far. */
  accepted = 0;

  /** @param target Address of the server. */
  constructor(target: string) {
    this.#target = new URL(target);
    this.#accepting = this.#accept();
  }

  /** Address for the browser. */
  get address(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Closes all connections, on both sides. */
  cut(): void {
    for (const connection of this.#open) close(connection);
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const passing: Promise<void>[] = [];
    try {
      for await (const client of this.#listener) passing.push(this.#connect(client));
    } finally {
      await Promise.all(passing);
    }
  }

  async #connect(client: Deno.TcpConn): Promise<void> {
    this.accepted += 1;
    const { hostname, port } = this.#target;
    const server = await Deno.connect({ hostname, port: Number(port) });
    for (const each of [client, server]) this.#open.add(each);
    await Promise.all([pass(client, server), pass(server, client)]);
    for (const each of [client, server]) this.#open.delete(each);
  }
}

/** Copies until one side is closed, then closes the other. */
async function pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  await from.readable.pipeTo(to.writable).catch(() => {});
  close(from);
  close(to);
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already: piping closes what it has read or written to the end.
  }
}
