import { join } from "@std/path";
import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../src/commands/flags.ts";
import { readTextFile } from "../../src/commands/text_file.ts";

async function inDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("readTextFile() opens what is gzip'd, whatever its name", async () => {
  await inDirectory(async (directory) => {
    const text = "Grüße\n<|endoftext|>\n中";
    const packing = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
    const plain = join(directory, "plain.gz");
    const packed = join(directory, "packed.txt");
    await Deno.writeTextFile(plain, text);
    await Deno.writeFile(packed, packing);
    assertEquals([await readTextFile(plain), await readTextFile(packed)], [text, text]);
  });
});

Deno.test("readTextFile() says what it cannot read", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "file");
    await assertRejects(() => readTextFile(path), UsageError, `Cannot read "${path}": `);
    await Deno.writeFile(path, Uint8Array.of(0x61, 0xff));
    await assertRejects(() => readTextFile(path), UsageError, `Cannot read "${path}": `);
    // The beginning of a gzip'd file, and nothing behind it.
    await Deno.writeFile(path, Uint8Array.of(0x1f, 0x8b, 8, 0));
    await assertRejects(() => readTextFile(path), UsageError, `Cannot read "${path}": `);
    await assertRejects(() => readTextFile(directory), UsageError, `Cannot read "${directory}": `);
  });
});
