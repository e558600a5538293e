import { fromFileUrl } from "@std/path";

/**
 * The checkpoint that the shipped model was trained on from: what others computed for it, and what
 * was measured with it, does not change when another one ships.
 */
export const ORIGINAL_MODEL = {
  id: "tinystories-bd3lm-original",
  directory: fromFileUrl(new URL("../fixtures/tinystories-bd3lm-original", import.meta.url)),
} as const;
