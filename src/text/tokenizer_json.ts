import { z } from "zod";
import { AddedToken } from "./vocabulary.ts";

/** A step of normalising or splitting text, one of a `Sequence`. */
export type Step = Readonly<Record<string, unknown>>;

// Large, and checked entry by entry where they are read: zod would copy them first.
const Vocab = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "expected an object of tokens and their ids",
);
const Merges = z.custom<readonly unknown[]>(Array.isArray, "expected an array of pairs");

const Model = z.looseObject({
  // Absent in older files, where only BPE has merges.
  type: z.enum(["BPE", "WordPiece"]).optional(),
  vocab: Vocab,
  merges: Merges.optional(),
  unk_token: z.string().nullish(),
  fuse_unk: z.boolean().nullish(),
  byte_fallback: z.boolean().nullish(),
  ignore_merges: z.boolean().nullish(),
  continuing_subword_prefix: z.string().nullish(),
  end_of_word_suffix: z.literal("").nullish(),
  max_input_chars_per_word: z.int().min(1).max(1000).nullish(),
});

// Only steps in which a wrong value would go unnoticed: the library drops all text without a
// pattern, and never ends at length 0.
const Pattern = z.union([
  z.strictObject({ String: z.string().min(1) }),
  z.strictObject({ Regex: z.string().min(1) }),
]);
const CheckedStep = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("Split"), pattern: Pattern }),
  z.looseObject({ type: z.literal("Replace"), pattern: Pattern, content: z.string() }),
  z.looseObject({ type: z.literal("Prepend"), prepend: z.string() }),
  z.looseObject({ type: z.literal("FixedLength"), length: z.int().min(1) }),
  z.looseObject({ type: z.literal("Metaspace"), replacement: z.string().length(1).optional() }),
]);
const CHECKED = CheckedStep.options.map(({ shape }): unknown => shape.type.value);

/** A step, or null for none, with the steps of a sequence flattened out on the way. */
const Steps = z.custom<Step | null | undefined>((value) => value === null || isStep(value))
  .nullish().superRefine((value, context) => {
    for (const step of flatten(value ?? null)) {
      const result = CHECKED.includes(step.type) ? CheckedStep.safeParse(step) : null;
      for (const { path, message } of result?.error?.issues ?? []) {
        context.addIssue({ code: "custom", message: `${step.type}.${path.join(".")}: ${message}` });
      }
    }
  });

/** The parts of `tokenizer.json` in use, checked as far as one part alone can be. */
export const TokenizerJson = z.looseObject({
  model: Model,
  added_tokens: z.array(AddedToken).nullish(),
  normalizer: Steps,
  pre_tokenizer: Steps,
  decoder: z.unknown(),
});
/** The parts of `tokenizer.json` in use, checked as far as one part alone can be. */
export type TokenizerJson = z.output<typeof TokenizerJson>;

/** Whether the text is split into bytes before the model sees it. */
export function isByteLevel({ pre_tokenizer: steps }: TokenizerJson): boolean {
  return flatten(steps ?? null).some(({ type }) => type === "ByteLevel");
}

/** Whether the model is WordPiece; else it is BPE. */
export function isWordPiece({ model: { type, merges } }: TokenizerJson): boolean {
  return type === undefined ? merges === undefined : type === "WordPiece";
}

function flatten(step: Step | null): readonly Step[] {
  if (step === null) return [];
  if (step.type !== "Sequence") return [step];
  const parts = step.pretokenizers ?? step.normalizers;
  if (!Array.isArray(parts) || !parts.every(isStep)) {
    throw new SyntaxError("Cannot read the tokenizer: a Sequence has no steps, expected an array");
  }
  return parts.flatMap(flatten);
}

function isStep(value: unknown): value is Step {
  return typeof value === "object" && value !== null && "type" in value;
}
