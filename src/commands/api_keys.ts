import { UsageError } from "./flags.ts";

/**
 * The keys of `BD_API_KEYS`, which are separated by commas.
 *
 * @throws {UsageError} If the variable is set and one of them is none.
 */
export function keysOfEnvironment(
  { BD_API_KEYS: text }: Readonly<Record<string, string>>,
): string[] {
  // Set but empty is refused by the check: a lost secret must not open the server.
  return text === undefined
    ? []
    : checkKeys("BD_API_KEYS", text.split(",").map((key) => key.trim()));
}

/**
 * The keys of a file, one a line; what follows a `#` is a comment.
 *
 * @throws {UsageError} If it cannot be read, or has none or a bad one.
 */
export function keysOfFile(path: string, readTextFile: (path: string) => string): string[] {
  const source = `--api-key-file ${JSON.stringify(path)}`;
  let content;
  try {
    content = readTextFile(path);
  } catch (cause) {
    throw new UsageError(`Cannot read ${source}: ${(cause as Error).message}`, { cause });
  }
  const keys = content.split(/\r?\n/).map((line) => line.replace(/(^|\s)#.*/, "").trim())
    .filter((line) => line !== "");
  if (keys.length === 0) throw new UsageError(`Cannot read ${source}: it has no key, expected one`);
  return checkKeys(source, keys);
}

/** Says which key is wrong, and never what it is. */
function checkKeys(source: string, keys: string[]): string[] {
  const index = keys.findIndex((key) => !/^[\x21-\x7e]{1,256}$/.test(key));
  if (index < 0) return keys;
  throw new UsageError(
    `Cannot read ${source}: key ${index + 1} has ${keys[index]!.length} characters, ` +
      "expected 1 to 256 visible ASCII characters",
  );
}
