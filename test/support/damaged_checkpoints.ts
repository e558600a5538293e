import { join } from "@std/path";
import { writeTinyCheckpoint } from "./checkpoints.ts";
import { CHAT_TEMPLATE_DAMAGE } from "./damage/chat_templates.ts";
import type { Damage } from "./damage/damage.ts";
import { FILE_DAMAGE } from "./damage/files.ts";
import { HEADER_DAMAGE } from "./damage/headers.ts";
import { INDEX_DAMAGE } from "./damage/indexes.ts";
import { CONFIG_DAMAGE } from "./damage/settings.ts";
import { TOKENIZER_DAMAGE } from "./damage/tokenizers.ts";

export type { Damage } from "./damage/damage.ts";

/** Every known way to spoil a checkpoint. */
export const DAMAGE: readonly Damage[] = [
  ...HEADER_DAMAGE,
  ...FILE_DAMAGE,
  ...INDEX_DAMAGE,
  ...CONFIG_DAMAGE,
  ...TOKENIZER_DAMAGE,
  ...CHAT_TEMPLATE_DAMAGE,
];

/**
 * Writes a sound checkpoint and spoils it.
 *
 * @param parent Removed by the caller; links that lead outside the checkpoint end here.
 * @returns The checkpoint's directory.
 */
export function writeDamagedCheckpoint(parent: string, { base, apply }: Damage): string {
  const directory = join(parent, "checkpoint");
  if (base === "empty") Deno.mkdirSync(directory, { recursive: true });
  else writeTinyCheckpoint(directory, { shards: base === "sharded" ? 2 : 1 });
  apply(directory);
  return directory;
}
