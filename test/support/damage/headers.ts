import { join } from "@std/path";
import { writeRawSafetensors } from "../checkpoints.ts";
import {
  type Damage,
  editHeader,
  editHeaderText,
  type Header,
  replace,
  writeHeaderLength,
} from "./damage.ts";

const FILE = "model.safetensors";
const SCALAR = "sampling_eps_min";
const NORM = "backbone.blocks.0.norm1.weight";

const bytesOf = (...bytes: number[]) => Uint8Array.from(bytes);

/** Spoils the raw bytes around the header. */
function raw(name: string, apply: (path: string) => void, says?: string): Damage {
  return of({ name, code: "invalid_header", apply, says });
}

/** Spoils the text of the header. */
function text(
  name: string,
  code: "invalid_header" | "invalid_json",
  edit: (text: string) => string,
  says?: string,
): Damage {
  return of({ name, code, says, apply: (path) => editHeaderText(path, edit) });
}

/** Spoils one entry of the header. */
function entry(
  name: string,
  code: "invalid_tensor" | "invalid_offsets",
  edit: (header: Header, data: Uint8Array) => Uint8Array | void,
  says = NORM,
): Damage {
  return of({ name, code, says, apply: (path) => editHeader(path, edit) });
}

function of({ apply, says, ...rest }: {
  name: string;
  code: Damage["code"];
  says: string | undefined;
  apply: (path: string) => void;
}): Damage {
  return {
    ...rest,
    file: FILE,
    apply: (directory) => apply(join(directory, FILE)),
    ...(says === undefined ? {} : { says }),
  };
}

const with_ = (key: "dtype" | "shape" | "data_offsets", value: unknown) => (header: Header) => {
  header[NORM]![key] = value;
};

const rangeOf = (header: Header, name: string) => header[name]!.data_offsets as [number, number];

/** Shifts the ranges that begin at `from` or later. */
function shift(header: Header, from: number, by: number): void {
  for (const [name, each] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = each.data_offsets as [number, number];
    if (begin >= from && begin < end) each.data_offsets = [begin + by, end + by];
  }
}

/** Spoiled bytes, text and entries of a safetensors header. */
export const HEADER_DAMAGE: readonly Damage[] = [
  raw("empty file", (path) => Deno.truncateSync(path, 0), "0 bytes"),
  raw("file of one byte", (path) => Deno.truncateSync(path, 1)),
  raw("file of seven bytes", (path) => Deno.truncateSync(path, 7)),
  raw("header length alone", (path) => Deno.truncateSync(path, 8)),
  raw("file cut inside its header", (path) => Deno.truncateSync(path, 100)),
  raw("header length zero", (path) => writeHeaderLength(path, 0n)),
  raw("header length one", (path) => writeHeaderLength(path, 1n)),
  raw("header length beyond the file", (path) => writeHeaderLength(path, 10_000_000n)),
  raw("header length of 2^63", (path) => writeHeaderLength(path, 1n << 63n)),
  raw("header length of 2^64 - 1", (path) => writeHeaderLength(path, (1n << 64n) - 1n)),
  raw("header length of 2^53 + 1", (path) => writeHeaderLength(path, (1n << 53n) + 1n)),
  raw("header one byte above 16 MiB in a sparse file", (path) => {
    Deno.truncateSync(path, 2 ** 30);
    writeHeaderLength(path, BigInt(2 ** 24 + 1));
  }, "16777217"),
  raw("sparse file of 16 TiB with a header of 8 TiB", (path) => {
    // Where the file system has no files so large, half a TiB serves.
    try {
      Deno.truncateSync(path, 2 ** 44 - 4096);
    } catch {
      Deno.truncateSync(path, 2 ** 39);
    }
    writeHeaderLength(path, 1n << 43n);
  }),
  raw("sparse file with a header of 16 MiB of zeros", (path) => {
    Deno.truncateSync(path, 0);
    Deno.truncateSync(path, 2 ** 30);
    writeHeaderLength(path, BigInt(2 ** 24));
  }, "{"),
  raw("pickle under the name of safetensors", (path) => {
    Deno.writeFileSync(path, bytesOf(0x80, 2, 0x7d, 0x71, 0, 0x2e, 0, 0, 0, 0));
  }),
  raw("zip archive under the name of safetensors", (path) => {
    Deno.writeFileSync(path, bytesOf(0x50, 0x4b, 3, 4, 0x14, 0, 0, 0, 0, 0, 0, 0));
  }),
  raw("text under the name of safetensors", (path) => {
    Deno.writeTextFileSync(path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  }),
  text("header that starts with a space", "invalid_header", (header) => " " + header, "{"),
  text("header that is an array", "invalid_header", (header) => `[${header}]`),
  text("header that is a string", "invalid_header", () => '"tensors"'),
  text("header with a byte order mark", "invalid_header", (header) => "\ufeff" + header),
  text("header cut before its end", "invalid_json", (header) => header.slice(0, -1)),
  text("header followed by more text", "invalid_json", (header) => header + "{}"),
  text("header padded with nulls", "invalid_json", (header) => header + "\0\0\0\0\0\0\0\0\0"),
  text("header with a trailing comma", "invalid_json", (header) => header.slice(0, -1) + ",}"),
  text("header with a comment", "invalid_json", (header) => header.replace("{", "{/**/")),
  text("header with NaN", "invalid_json", (header) => header.replace("[0,", "[NaN,")),
  text("header with a bare key", "invalid_json", (header) => header.replace("{", "{x:1,")),
  text("header with an open string", "invalid_json", (header) => header.slice(0, -1) + ',"x'),
  text("header with an open string of backslashes", "invalid_json", (header) => (
    header.slice(0, -1) + ',"' + "\\".repeat(99_999)
  )),
  text("header with a repeated tensor", "invalid_json", (header) => (
    header.replace("{", `{"${NORM}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},`)
  ), NORM),
  text("header with a repeated tensor, escaped once", "invalid_json", (header) => (
    header.replace("{", `{"${NORM.replace("b", "\\u0062")}":{"dtype":"F32"},`)
  ), NORM),
  text("header with a repeated dtype", "invalid_json", (header) => (
    header.replace('"dtype":"F32"', '"dtype":"F32","dtype":"F32"')
  ), "dtype"),
  text("header with repeated metadata", "invalid_json", (header) => (
    header.replace("{", '{"__metadata__":{},')
  ), "__metadata__"),
  text("header with a repeated key in its metadata", "invalid_json", (header) => (
    header.replace('"format":', '"format":"np","format":')
  ), "format"),
  text("header nested 65 levels", "invalid_json", (header) => (
    header.replace("{", `{"x":${"[".repeat(64)}${"]".repeat(64)},`)
  ), "64 levels"),
  text("header nested four million levels", "invalid_json", () => (
    `{"x":${"[".repeat(4_000_000)}${"]".repeat(4_000_000)}}`
  ), "64 levels"),
  text("header nested a million objects", "invalid_json", () => '{"x":'.repeat(1_000_000), "64"),
  text("header of a million lists", "invalid_json", () => (
    `{"x":[${"[],".repeat(4_000_000)}[]]}`
  ), "keys and values"),
  text("metadata that is a string", "invalid_header", (header) => (
    header.replace('{"format":"pt"}', '"pt"')
  ), "__metadata__"),
  text("metadata that is null", "invalid_header", (header) => (
    header.replace('{"format":"pt"}', "null")
  ), "__metadata__"),
  text(
    "metadata with a number",
    "invalid_header",
    (header) => header.replace('"pt"', "1"),
    "__meta",
  ),
  text("metadata with an object", "invalid_header", (h) => h.replace('"pt"', "{}"), "__metadata__"),
  of({
    name: "header that is not UTF-8",
    code: "invalid_json",
    says: "UTF-8",
    apply: (path) => {
      using file = Deno.openSync(path, { write: true });
      file.seekSync(10, Deno.SeekMode.Start);
      file.writeSync(bytesOf(0xff));
    },
  }),
  entry(
    "tensor that is null",
    "invalid_tensor",
    (header) => void Object.assign(header, { x: null }),
    "x",
  ),
  entry(
    "tensor that is a list",
    "invalid_tensor",
    (header) => void Object.assign(header, { x: [] }),
    "x",
  ),
  entry("tensor called __proto__", "invalid_tensor", (header) => {
    Object.defineProperty(header, "__proto__", { value: 1, enumerable: true });
  }, "__proto__"),
  entry("tensor with an unknown key", "invalid_tensor", (header) => {
    Object.assign(header[NORM]!, { strides: [1] });
  }),
  entry("tensor without dtype", "invalid_tensor", with_("dtype", undefined)),
  entry("tensor without shape", "invalid_tensor", with_("shape", undefined)),
  entry("tensor without data_offsets", "invalid_offsets", with_("data_offsets", undefined)),
  entry("dtype that is unknown", "invalid_tensor", with_("dtype", "F31")),
  entry("dtype in lower case", "invalid_tensor", with_("dtype", "f32")),
  entry("dtype that is a number", "invalid_tensor", with_("dtype", 32)),
  entry("dtype named as a method of objects", "invalid_tensor", with_("dtype", "toString")),
  entry("shape that is a number", "invalid_tensor", with_("shape", 16)),
  entry("shape with a negative size", "invalid_tensor", with_("shape", [-16])),
  entry("shape of two negative sizes", "invalid_tensor", with_("shape", [-4, -4])),
  entry("shape with a fraction", "invalid_tensor", with_("shape", [1.5])),
  entry("shape with a string", "invalid_tensor", with_("shape", ["16"])),
  entry("shape with null", "invalid_tensor", with_("shape", [null])),
  entry("shape above 2^53", "invalid_tensor", with_("shape", [2 ** 53])),
  entry("shape whose product overflows", "invalid_offsets", with_("shape", [2 ** 40, 2 ** 40])),
  entry(
    "shape whose product wraps to its size",
    "invalid_offsets",
    with_("shape", [2 ** 32 + 1, 2 ** 32, 16]),
  ),
  entry("shape with one element more", "invalid_offsets", with_("shape", [17])),
  entry("shape with one element less", "invalid_offsets", with_("shape", [15])),
  entry("shape of a scalar for sixteen elements", "invalid_offsets", with_("shape", [])),
  entry("dtype wider than the range", "invalid_offsets", with_("dtype", "F64")),
  entry("dtype narrower than the range", "invalid_offsets", with_("dtype", "F16")),
  entry("data_offsets with one number", "invalid_offsets", with_("data_offsets", [0])),
  entry("data_offsets with three numbers", "invalid_offsets", with_("data_offsets", [0, 64, 64])),
  entry("data_offsets with strings", "invalid_offsets", with_("data_offsets", ["0", "64"])),
  entry("data_offsets below zero", "invalid_offsets", with_("data_offsets", [-64, 0])),
  entry("data_offsets reversed", "invalid_offsets", with_("data_offsets", [64, 0])),
  entry(
    "data_offsets beyond the file",
    "invalid_offsets",
    with_("data_offsets", [10 ** 9, 10 ** 9 + 64]),
    "hole",
  ),
  entry(
    "data_offsets above 2^53",
    "invalid_offsets",
    with_("data_offsets", [2 ** 53, 2 ** 53 + 64]),
  ),
  entry("two tensors with one range", "invalid_offsets", (header) => {
    header[SCALAR]!.data_offsets = header.sampling_eps_max!.data_offsets;
  }, "sampling_eps"),
  entry("tensors that overlap by a byte", "invalid_offsets", (header, data) => {
    shift(header, rangeOf(header, NORM)[0], -1);
    return data.subarray(1);
  }, "overlaps"),
  entry("hole between tensors", "invalid_offsets", (header, data) => {
    shift(header, rangeOf(header, NORM)[0], 1);
    return Uint8Array.of(0, ...data);
  }, "hole"),
  entry("hole before the first tensor", "invalid_offsets", (header, data) => {
    shift(header, 0, 4);
    return Uint8Array.of(0, 0, 0, 0, ...data);
  }, "hole"),
  entry("empty tensor inside another", "invalid_offsets", (header) => {
    header.x = { dtype: "F32", shape: [0], data_offsets: [12, 12] };
  }, "x"),
  entry(
    "byte after the last tensor",
    "invalid_offsets",
    (_, data) => Uint8Array.of(...data, 0),
    "end",
  ),
  entry("last byte missing", "invalid_offsets", (_, data) => data.subarray(0, -1), "end"),
  entry("header whose every tensor has lost its data", "invalid_offsets", () => bytesOf(), "end"),
  entry("sub-byte tensor that ends inside a byte", "invalid_offsets", (header) => {
    header.x = { dtype: "F4", shape: [3], data_offsets: [0, 1] };
  }, "x"),
  of({
    name: "data without tensors",
    code: "invalid_offsets",
    says: "without tensors",
    apply: (path) => writeRawSafetensors(path, "{}", [bytesOf(1, 2, 3)]),
  }),
  {
    name: "safetensors file that is a directory",
    file: FILE,
    code: "not_a_file",
    apply: (directory) => replace(directory, FILE, (path) => Deno.mkdirSync(path)),
  },
];
