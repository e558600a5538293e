import { type CheckpointDirectory, findUnsafeName } from "./directory.ts";
import { CheckpointError, quote } from "./errors.ts";
import { readSafetensorsHeader, type TensorEntry } from "./safetensors.ts";
import { parseStrictJson } from "./strict_json.ts";

const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";
const MAX_INDEX_BYTES = 16 * 1024 * 1024;
/** A tensor has two: its name and its file. */
const MAX_INDEX_VALUES = 1 << 19;

/** Endings of files that run code when they are read, and are therefore never opened. */
const PICKLE = /\.(bin|pt|pth|ckpt|pkl|pickle)$/i;

/** Files of one index, and bytes of all their headers: bounds the time that opening takes. */
const MAX_SHARDS = 1024;
const MAX_ALL_HEADER_BYTES = 64 * 1024 * 1024;

/** The tensors of a checkpoint, from one file or from the shards of an index. */
export interface Weights {
  /** The file that says which tensors there are. */
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Of all tensor files, headers included. */
  readonly sizeBytes: number;
}

/**
 * Finds the file that lists the tensors, without opening it.
 *
 * @returns null where the directory has no weights at all.
 * @throws {CheckpointError} `pickle_file` where it has only weights that are pickled.
 */
export function locateWeights(directory: CheckpointDirectory): string | null {
  for (const name of [SINGLE_FILE, INDEX_FILE]) if (directory.has(name)) return name;
  const pickle = directory.names().filter((name) => PICKLE.test(name)).toSorted()[0];
  if (pickle === undefined) return null;
  throw new CheckpointError(
    pickle,
    "pickle_file",
    `pickled weights are never read, expected "${SINGLE_FILE}" or "${INDEX_FILE}"`,
  );
}

/**
 * Reads the headers of all tensor files.
 *
 * @param file What {@linkcode locateWeights} found.
 * @throws {CheckpointError} If a file is damaged, or index and files disagree.
 */
export function readWeights(directory: CheckpointDirectory, file: string | null): Weights {
  if (file === null) {
    throw new CheckpointError(SINGLE_FILE, "missing_file", "it does not exist");
  }
  if (file === INDEX_FILE) return readShards(directory);
  const { entries, sizeBytes } = readFileHeader(directory, file);
  return { file, tensors: new Map(entries.map((entry) => [entry.name, entry])), sizeBytes };
}

function readShards(directory: CheckpointDirectory): Weights {
  const fileOf = readWeightMap(directory);
  const shards = new Set(fileOf.values());
  if (shards.size > MAX_SHARDS) {
    throw invalidIndex(`it names ${shards.size} files, expected at most ${MAX_SHARDS}`);
  }
  const tensors = new Map<string, TensorEntry>();
  let sizeBytes = 0;
  let headerBytes = 0;
  for (const shard of shards) {
    const header = readFileHeader(directory, shard);
    for (const entry of header.entries) {
      expectMapped(entry, fileOf.get(entry.name));
      tensors.set(entry.name, entry);
    }
    sizeBytes += header.sizeBytes;
    headerBytes += header.sizeBytes - header.entries.reduce((sum, { bytes }) => sum + bytes, 0);
    if (headerBytes > MAX_ALL_HEADER_BYTES) {
      throw invalidIndex(`its files have headers of over ${MAX_ALL_HEADER_BYTES} bytes together`);
    }
  }
  for (const [name, shard] of fileOf) {
    if (tensors.has(name)) continue;
    const problem = `tensor ${quote(name)} is absent, expected it as "${INDEX_FILE}" says`;
    throw new CheckpointError(shard, "missing_tensor", problem);
  }
  return { file: INDEX_FILE, tensors, sizeBytes };
}

/** Tensor name → file name, every file name safe to open. */
function readWeightMap(directory: CheckpointDirectory): Map<string, string> {
  const bytes = directory.read(INDEX_FILE, { maxBytes: MAX_INDEX_BYTES });
  const index = parseStrictJson(INDEX_FILE, bytes, { maxValues: MAX_INDEX_VALUES });
  const map = typeof index === "object" && index !== null && "weight_map" in index
    ? index.weight_map
    : undefined;
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw invalidIndex('key "weight_map" is no object, expected tensor names with their files');
  }
  const entries = Object.entries(map);
  if (entries.length === 0) throw invalidIndex('key "weight_map" is empty, expected tensors');
  return new Map(entries.map(([tensor, file]) => [tensor, expectShardName(tensor, file)]));
}

function expectShardName(tensor: string, file: unknown): string {
  if (typeof file !== "string") {
    throw invalidIndex(`tensor ${quote(tensor)} is in ${quote(file)}, expected a file name`);
  }
  const problem = findUnsafeName(file);
  if (problem !== null) {
    throw new CheckpointError(
      INDEX_FILE,
      "outside_directory",
      `tensor ${quote(tensor)} is in ${problem}, expected a file inside the directory`,
    );
  }
  if (file.endsWith(".safetensors")) return file;
  const code = PICKLE.test(file) ? "pickle_file" : "invalid_index";
  const problemOfName = `tensor ${quote(tensor)} is in ${quote(file)}, expected a safetensors file`;
  throw new CheckpointError(INDEX_FILE, code, problemOfName);
}

function expectMapped({ name, file }: TensorEntry, mapped: string | undefined): void {
  if (mapped === file) return;
  const problem = mapped === undefined
    ? `tensor ${quote(name)} is absent from "${INDEX_FILE}"`
    : `tensor ${quote(name)} is in ${quote(mapped)} according to "${INDEX_FILE}"`;
  throw new CheckpointError(file, "unexpected_tensor", problem);
}

function readFileHeader(
  directory: CheckpointDirectory,
  name: string,
): { entries: TensorEntry[]; sizeBytes: number } {
  const { file, size } = directory.open(name);
  using _ = file;
  return { entries: readSafetensorsHeader(name, { file, size }), sizeBytes: size };
}

function invalidIndex(problem: string): CheckpointError {
  return new CheckpointError(INDEX_FILE, "invalid_index", problem);
}
