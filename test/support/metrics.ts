import { type Exposition, type Labels, readExposition } from "./prometheus.ts";
import type { TestServer } from "./test_server.ts";

/** Reads `GET /metrics`. */
export async function scrape(server: TestServer): Promise<Exposition> {
  return readExposition(await (await server.get("/metrics")).text());
}

/** Sum of the samples `name` that have these labels, whatever others they have; 0 where none is. */
export function sumOf(
  exposition: Exposition,
  name: string,
  { labels: wanted = {} }: { readonly labels?: Labels } = {},
): number {
  return exposition.labels(name)
    .filter((each) => Object.entries(wanted).every(([key, text]) => each[key] === text))
    .reduce((sum, labels) => sum + exposition.value(name, labels)!, 0); // They are there.
}

/** {@linkcode sumOf} what a server says now. */
export async function metric(
  server: TestServer,
  name: string,
  labels: Labels = {},
): Promise<number> {
  return sumOf(await scrape(server), name, { labels });
}
