/** A port of the loopback interface that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Resolves once somebody listens on a port of the loopback interface. */
export async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  throw new Error(`Cannot connect to port ${port}: nobody listens after 10 s`);
}
