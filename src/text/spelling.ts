import { z } from "zod";
import { fromByteAlphabet } from "./byte_alphabet.ts";

/** How the tokens of a vocabulary spell text. */
export interface Spelling {
  /** The UTF-8 that an ordinary token adds to running text. */
  readonly bytes: (content: string) => Uint8Array;
  /** What whole texts start with though nobody wrote it: a space, or nothing. */
  readonly leading: "" | " ";
}

const Decoder = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("ByteLevel") }),
  z.looseObject({ type: z.literal("ByteFallback") }),
  z.looseObject({ type: z.literal("Fuse") }),
  z.looseObject({ type: z.literal("WordPiece"), prefix: z.string().min(1).default("##") }),
  z.looseObject({
    type: z.literal("Metaspace"),
    replacement: z.string().min(1).default("\u2581"),
    prepend_scheme: z.enum(["always", "first", "never"]).default("always"),
  }),
  z.looseObject({
    type: z.literal("Replace"),
    pattern: z.strictObject({ String: z.string().min(1) }),
    content: z.string(),
  }),
  // The one form in use: no more than the space that Metaspace puts in front.
  z.looseObject({
    type: z.literal("Strip"),
    content: z.literal(" "),
    start: z.int().min(0).max(1),
    stop: z.literal(0),
  }),
]);
type Decoder = z.output<typeof Decoder>;

const Sequence = z.looseObject({ type: z.literal("Sequence"), decoders: z.array(Decoder) });
const AnyDecoder = z.union([Decoder, Sequence]);

/**
 * Reads how tokens become text from the `decoder` of a tokenizer.
 *
 * Byte-level tokens are bytes in disguise. WordPiece tokens join the one before where they start
 * with the prefix, and have a space in front elsewhere. `▁` is a space and `<0x0A>` a byte, where
 * the decoder says so. Without a decoder there is a space before every token. Nothing else is done:
 * cleaning up, as some decoders would do around punctuation, needs the text that comes later.
 *
 * @throws {z.ZodError} If the decoder is damaged, or none of these.
 */
export function readSpelling(decoder: unknown): Spelling {
  if (decoder === null || decoder === undefined) return { bytes: withSpace, leading: " " };
  const parsed = AnyDecoder.parse(decoder);
  const steps = parsed.type === "Sequence" ? parsed.decoders as Decoder[] : [parsed as Decoder];
  return {
    bytes: (content) => spell(content, steps),
    leading: steps.some(addsSpace) ? " " : "",
  };
}

function withSpace(content: string): Uint8Array {
  return new TextEncoder().encode(" " + content);
}

function addsSpace(step: Decoder): boolean {
  switch (step.type) {
    case "WordPiece":
      return true;
    case "Metaspace":
      return step.prepend_scheme !== "never";
    case "Strip":
      return step.start > 0;
    default:
      return false;
  }
}

function spell(content: string, steps: readonly Decoder[]): Uint8Array {
  let text = content;
  for (const step of steps) {
    switch (step.type) {
      case "ByteLevel":
        return fromByteAlphabet(text);
      case "ByteFallback": {
        const [, digits] = /^<0x([0-9A-Fa-f]{2})>$/.exec(text) ?? [];
        if (digits !== undefined) return Uint8Array.of(parseInt(digits, 16));
        break;
      }
      case "WordPiece":
        text = text.startsWith(step.prefix) ? text.slice(step.prefix.length) : " " + text;
        break;
      case "Metaspace":
        text = text.replaceAll(step.replacement, " ");
        break;
      case "Replace":
        // A function, since a replacement string may hold patterns such as `$&`.
        text = text.replaceAll(step.pattern.String, () => step.content);
        break;
      case "Fuse":
      case "Strip":
        break;
    }
  }
  return new TextEncoder().encode(text);
}
