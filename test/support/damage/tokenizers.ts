import { join } from "@std/path";
import { type Damage, editJson } from "./damage.ts";

const FILE = "tokenizer.json";

// deno-lint-ignore no-explicit-any -- Spoiled on purpose, in ways no type allows.
function edited(name: string, edit: (tokenizer: any) => unknown, says = ""): Damage {
  return {
    name: `tokenizer ${name}`,
    file: FILE,
    code: "invalid_tokenizer",
    says,
    apply: (directory) => editJson(join(directory, FILE), edit),
  };
}

function written(name: string, text: string): Damage {
  return {
    name: `tokenizer ${name}`,
    file: FILE,
    code: "invalid_json",
    apply: (directory) => Deno.writeTextFileSync(join(directory, FILE), text),
  };
}

/** Spoiled `tokenizer.json`. */
export const TOKENIZER_DAMAGE: readonly Damage[] = [
  written("empty", ""),
  written("cut short", '{"version":"1.0","model":{"type":"BPE","vocab":{"a":0'),
  written("that is a list", "[]"),
  written("with a repeated token", '{"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}}'),
  written("nested 200,000 levels", '{"model":'.repeat(200_000)),
  {
    name: "sparse tokenizer of a TiB",
    file: FILE,
    code: "file_too_large",
    apply: (directory) => Deno.truncateSync(join(directory, FILE), 2 ** 40),
  },
  edited("without anything", () => ({})),
  edited("without a model", (tokenizer) => void delete tokenizer.model),
  edited("with null for a model", (tokenizer) => void (tokenizer.model = null)),
  edited("with a string for a model", (tokenizer) => void (tokenizer.model = "BPE")),
  edited("of an unknown type", (tokenizer) => void (tokenizer.model.type = "Telepathy")),
  edited("without a vocabulary", (tokenizer) => void delete tokenizer.model.vocab),
  edited("with null for a vocabulary", (tokenizer) => void (tokenizer.model.vocab = null)),
  edited("with a number for a vocabulary", (tokenizer) => void (tokenizer.model.vocab = 256)),
  edited("without merges", (tokenizer) => void delete tokenizer.model.merges),
  edited("with a number for merges", (tokenizer) => void (tokenizer.model.merges = 7)),
  edited("with a number for a merge", (tokenizer) => void (tokenizer.model.merges = [7])),
  edited("with an id beyond the model", (tokenizer) => {
    tokenizer.model.vocab.zebra = 258;
  }, "zebra"),
  edited("with an id below zero", (tokenizer) => void (tokenizer.model.vocab.zebra = -1), "zebra"),
  edited("with a fraction for an id", (tokenizer) => {
    tokenizer.model.vocab.zebra = 1.5;
  }, "zebra"),
  edited("with a string for an id", (tokenizer) => {
    tokenizer.model.vocab.zebra = "7";
  }, "zebra"),
  edited(
    "with an object for added tokens",
    (tokenizer) => void (tokenizer.added_tokens = {}),
    "ad",
  ),
  edited("with null for an added token", (tokenizer) => void (tokenizer.added_tokens = [null])),
  edited("with an added token without an id", (tokenizer) => {
    delete tokenizer.added_tokens[0].id;
  }, "id"),
  edited("with an added token beyond the model", (tokenizer) => {
    tokenizer.added_tokens[1].id = 4095;
  }),
];
