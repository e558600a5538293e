import { createHash, type Hash } from "node:crypto";
import { HubError } from "./errors.ts";

/** A file of a repository, as the hub lists it. */
export interface HubFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Hexadecimal; it is the blob's name in the cache as well. */
  readonly checksum: string;
}

const SMALL_FILES = new Set([
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
]);
/** What makes a tokenizer where there is no `tokenizer.json`. */
const SPLIT_TOKENIZER_FILES = new Set(["vocab.json", "merges.txt", "added_tokens.json"]);
const TOKENIZER_FILES = new Set(["tokenizer.json", "tokenizer_config.json"]);
const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";

/**
 * The files of a repository that a server reads: configuration, tokenizer, and weights in one file
 * or, where that is absent, in shards.
 *
 * @throws {HubError} If there is no model among them that can be read.
 */
export function modelFiles(files: readonly HubFile[]): HubFile[] {
  const names = new Set(files.map(({ name }) => name));
  if (!names.has("config.json")) throw new HubError('it has no "config.json"');
  const isSmall = (name: string) =>
    SMALL_FILES.has(name) || (!names.has("tokenizer.json") && SPLIT_TOKENIZER_FILES.has(name));
  if (names.has(SINGLE_FILE)) {
    return files.filter(({ name }) => isSmall(name) || name === SINGLE_FILE);
  }
  if (!names.has(INDEX_FILE)) {
    throw new HubError(`it has no "${SINGLE_FILE}", and weights of other formats are never read`);
  }
  const isShard = (name: string) => name === INDEX_FILE || name.endsWith(".safetensors");
  return files.filter(({ name }) => isSmall(name) || isShard(name));
}

/**
 * The files of a repository that make its tokenizer.
 *
 * @throws {HubError} If there is none that can be read.
 */
export function tokenizerFiles(files: readonly HubFile[]): HubFile[] {
  const found = files.filter(({ name }) => TOKENIZER_FILES.has(name));
  if (found.some(({ name }) => name === "tokenizer.json")) return found;
  throw new HubError('it has no "tokenizer.json"');
}

/**
 * Begins the checksum of a file's content: SHA-256 of large files, and Git's own, a SHA-1 of a
 * header and the content, of those that Git itself keeps.
 */
export function startChecksum({ checksum, sizeBytes }: HubFile): Hash {
  return checksum.length === 64
    ? createHash("sha256")
    : createHash("sha1").update(`blob ${sizeBytes}\0`);
}
