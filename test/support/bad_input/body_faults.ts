import type { Random } from "../random.ts";
import { type Draft, type Fault, fault, setHeader, spoilBytes, spoilText } from "./draft.ts";

/** Everything that can be wrong with a body before its fields are looked at. */
export function bodyFaults(random: Random): Fault[] {
  return [...typeFaults(), ...syntaxFaults(random), ...depthFaults(), ...utf8Faults(random)];
}

function typeFaults(): Fault[] {
  const types = [
    ...[null, "", "text/plain", "text/json", "application/jsonx", "application/ld+json", "json"],
    ...["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*"],
    ...["application/json; charset=latin1", "application/json; charset=utf-16"],
    ...["application/json, text/plain", "application/json application/json", "application /json"],
  ];
  const encodings = ["gzip", "br", "deflate", "zstd", "identity, gzip", "gzip, identity", "x"];
  return [
    ...types.map((type) =>
      fault(`Content-Type: ${type}`, {
        stage: "media type",
        code: "unsupported_media_type",
        spoil: (draft) => setHeader(draft, "Content-Type", type),
      })
    ),
    fault("two Content-Types", {
      stage: "media type",
      code: "unsupported_media_type",
      spoil: (draft) => draft.headers.push(["Content-Type", "application/json"]),
    }),
    ...encodings.map((encoding) =>
      fault(`Content-Encoding: ${encoding}`, {
        stage: "media type",
        code: "unsupported_content_encoding",
        spoil: (draft) => setHeader(draft, "Content-Encoding", encoding),
      })
    ),
  ];
}

/** What is no JSON, or no object: each text is made from one that is both. */
function syntaxFaults(random: Random): Fault[] {
  const texts: Readonly<Record<string, (text: string) => string>> = {
    "nothing": () => "",
    "spaces": () => " \n\t",
    "cut off": (text) => text.slice(0, 1 + random.below(text.length - 1)),
    "no beginning": (text) => text.slice(1),
    "more after it": (text) => `${text}${random.pick(["}", "]", "{}", ",", "x", "0", "\0", '"'])}`,
    "more before it": (text) =>
      `${random.pick(["{", "[", ",", "x", "0", "\0", '"', ")]}'"])}${text}`,
    "comma at the end": (text) => text.replace(/\}$/, ",}"),
    "comma at the beginning": (text) => text.replace("{", "{,"),
    "comment": (text) => text.replace("{", random.pick(["{/**/", "{//\n", "{#\n"])),
    "no-break space": (text) => text.replace("{", random.pick(["{\u00a0", "{\ufeff", "{\u2028"])),
    "array": (text) => `[${text}]`,
    "string": (text) => JSON.stringify(text),
    "scalar": () => random.pick(["null", "true", "1", '""', "[]", "[null]"]),
    "word as value": (text) =>
      member(text, random.pick(["NaN", "Infinity", "-Infinity", "undefined", "True", "x", "-"])),
    "number as nobody writes it": (text) =>
      member(text, random.pick(["01", "+1", ".5", "1.", "0x10", "1_000", "1n", "1e", "--1"])),
    "other quotes": (text) => member(text, random.pick(["'a'", "`a`", "\u201ca\u201d"])),
    "control character": (text) => member(text, `"${random.pick(["\t", "\n", "\0", "\x1f"])}"`),
    "bad escape": (text) =>
      member(text, random.pick(['"\\x41"', '"\\u12g4"', '"\\u{41}"', '"\\"'])),
    "name without quotes": (text) => text.replace("{", "{a:1,"),
    "name that is none": (text) => text.replace("{", `{${random.pick(["1", "null", "[]"])}:1,`),
    "no colon": (text) => text.replace("{", '{"a" 1,'),
    "no value": (text) => text.replace("{", '{"a":,'),
    "equals sign": (text) => text.replace("{", '{"a"=1,'),
    "brackets crossed": (text) => member(text, "[{]}"),
  };
  return Object.entries(texts).flatMap(([name, change]) =>
    // Most of them have a choice in them.
    Array.from({ length: 3 }, () =>
      fault(name, {
        stage: "json",
        code: "invalid_json",
        spoil: (draft) => spoilText(draft, change),
      }))
  );
}

/** `text` with one more member, first or last. */
function member(text: string, value: string): string {
  return text === "{}" ? `{"a":${value}}` : text.replace("{", `{"a":${value},`);
}

function depthFaults(): Fault[] {
  return [66, 1000, 60_000].flatMap((depth) =>
    [["[", "]"], ['{"a":', "}"], ["[", ""], ['{"a":', ""]].map(([open = "", close = ""]) =>
      fault(`${depth} deep`, {
        stage: "json",
        code: "invalid_json",
        spoil: (draft) => {
          const levels = Math.floor(depth / open.length) + 66;
          const value = `${open.repeat(levels)}1${close.repeat(levels)}`;
          spoilText(draft, (text) => member(text, value));
        },
      })
    )
  );
}

/** Bytes that are no UTF-8 wherever they stand between ASCII characters. */
const NOT_UTF8 = [
  ...[[0x80], [0xbf], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x92], [0xff], [0xfe], [0xf8, 0x88]],
  ...[[0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x80, 0x80], [0xf0, 0x80, 0x80, 0x80]], // overlong
  ...[[0xed, 0xa0, 0x80], [0xed, 0xb0, 0x80], [0xf4, 0x90, 0x80, 0x80]], // no characters
];

function utf8Faults(random: Random): Fault[] {
  const inserted = NOT_UTF8.map((bytes) =>
    fault(`bytes ${bytes.map((byte) => byte.toString(16))}`, {
      stage: "json",
      code: "invalid_utf8",
      spoil: (draft) => {
        spoilBytes(draft, (body) => {
          const at = random.below(body.length + 1);
          return Uint8Array.from([...body.subarray(0, at), ...bytes, ...body.subarray(at)]);
        });
      },
    })
  );
  const utf16 = (draft: Draft) =>
    spoilBytes(
      draft,
      (body) => Uint8Array.from([0xff, 0xfe, ...[...body].flatMap((byte) => [byte, 0])]),
    );
  return [...inserted, fault("UTF-16", { stage: "json", code: "invalid_utf8", spoil: utf16 })];
}
