import { join } from "@std/path";
import { type Damage, editJson } from "./damage.ts";

const FILE = "chat_template.jinja";
const CONFIG = "tokenizer_config.json";

function written(name: string, content: string | Uint8Array): Damage {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return {
    name: `chat template ${name}`,
    file: FILE,
    code: "invalid_chat_template",
    apply: (directory) => Deno.writeFileSync(join(directory, FILE), bytes),
  };
}

function configured(name: string, template: unknown): Damage {
  return {
    name: `chat template in the config ${name}`,
    file: CONFIG,
    code: "invalid_chat_template",
    says: "chat",
    apply: (directory) =>
      editJson(join(directory, CONFIG), (config) => ({ ...config, chat_template: template })),
  };
}

/** Spoiled chat templates. */
export const CHAT_TEMPLATE_DAMAGE: readonly Damage[] = [
  written("that ends inside an expression", "{{ messages"),
  written("that ends inside a loop", "{% for m in messages %}"),
  written("with an unknown statement", "{% include 'other' %}"),
  written("with 20,000 brackets", `{{ ${"(".repeat(20_000)}`),
  written("nested 5,000 levels", "{% if a %}".repeat(5000)),
  written("that is no UTF-8", Uint8Array.of(0x7b, 0xff)),
  {
    name: "sparse chat template of a TiB",
    file: FILE,
    code: "file_too_large",
    apply: (directory) => {
      Deno.writeTextFileSync(join(directory, FILE), "");
      Deno.truncateSync(join(directory, FILE), 2 ** 40);
    },
  },
  {
    name: "chat template as a link outside",
    file: FILE,
    code: "outside_directory",
    apply: (directory) => Deno.symlinkSync("/dev/zero", join(directory, FILE)),
  },
  {
    name: "chat template as a directory",
    file: FILE,
    code: "not_a_file",
    apply: (directory) => Deno.mkdirSync(join(directory, FILE)),
  },
  configured("that is no template", "{% endfor %}"),
  configured("that is a number", 7),
  configured("without a name", [{ template: "x" }]),
  configured("of two million spaces", " ".repeat(2_000_000)),
];
