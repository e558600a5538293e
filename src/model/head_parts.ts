import { align } from "../weights/formats.ts";

/** Logits that exist at a time, bytes; more heads go through the output layer in parts. */
export const LOGITS_BYTES = 64 << 20;

/** The heads of a pass in parts whose logits may exist at a time. */
export function headParts(
  headBound: number,
  { vocabSize }: { readonly vocabSize: number },
): { readonly skip: number; readonly rows: number }[] {
  const most = Math.max(1, Math.floor(LOGITS_BYTES / 4 / align(vocabSize)));
  return Array.from({ length: Math.ceil(headBound / most) }, (_, i) => ({
    skip: i * most,
    rows: Math.min(most, headBound - i * most),
  }));
}
