/** Reads a text file, compressed where its name ends in `.gz`. */
export async function readText(path: string): Promise<string> {
  using file = await Deno.open(path);
  const stream = path.endsWith(".gz")
    ? file.readable.pipeThrough(new DecompressionStream("gzip"))
    : file.readable;
  return await new Response(stream).text();
}
