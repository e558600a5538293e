import { join } from "@std/path";
import type { CheckpointCode } from "../../../src/weights/checkpoint.ts";
import { writeJson, writeRawSafetensors } from "../checkpoints.ts";

/** One way to spoil a checkpoint, and what must be said about it. */
export interface Damage {
  readonly name: string;
  /** The file that must be named. */
  readonly file: string;
  readonly code: CheckpointCode;
  /** Part of the message: the tensor or key. */
  readonly says?: string;
  /** What the sound checkpoint looks like before; `single` unless told. */
  readonly base?: "single" | "sharded" | "empty";
  /** Spoils the sound checkpoint in this directory. */
  readonly apply: (directory: string) => void;
}

/** A header as parsed from a file. */
export type Header = Record<string, HeaderEntry>;

/** What a header says of a tensor. */
export interface HeaderEntry {
  dtype: unknown;
  shape: unknown;
  data_offsets: unknown;
}

/** Changes a JSON file, the old value given. */
export function editJson(
  path: string,
  // deno-lint-ignore no-explicit-any -- Spoiled on purpose, in ways no type allows.
  edit: (value: any) => unknown,
): void {
  const value = JSON.parse(Deno.readTextFileSync(path));
  writeJson(path, edit(value) ?? value);
}

/** Changes the header of a safetensors file and keeps its data, or changes that as well. */
export function editHeader(
  path: string,
  edit: (header: Header, data: Uint8Array) => Uint8Array | void,
): void {
  const { text, data } = readParts(path);
  const header = JSON.parse(text);
  const changed = edit(header, data);
  writeRawSafetensors(path, JSON.stringify(header), [changed ?? data]);
}

/** Changes the text of a header, which then need not be JSON. */
export function editHeaderText(path: string, edit: (text: string) => string): void {
  const { text, data } = readParts(path);
  writeRawSafetensors(path, edit(text), [data]);
}

/** Writes the eight bytes of the header length, whatever the header is. */
export function writeHeaderLength(path: string, length: bigint): void {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigUint64(0, length, true);
  using file = Deno.openSync(path, { write: true, create: true });
  file.writeSync(new Uint8Array(bytes.buffer));
}

/** Puts `name` in place of the file or link that was there. */
export function replace(directory: string, name: string, create: (path: string) => void): void {
  const path = join(directory, name);
  Deno.removeSync(path);
  create(path);
}

function readParts(path: string): { text: string; data: Uint8Array } {
  const bytes = Deno.readFileSync(path);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  return {
    text: new TextDecoder().decode(bytes.subarray(8, 8 + length)).trimEnd(),
    data: bytes.slice(8 + length),
  };
}
