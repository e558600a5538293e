import source from "../../kernels/sequence.wgsl" with { type: "text" };

// An array has its name once for each word.
const FIELDS = [...source.matchAll(/^ {2}(\w+): (?:u32|f32|array<u32, (\d+)>),$/gm)]
  .flatMap(([, name, words = "1"]) => Array<string | undefined>(Number(words)).fill(name));

/**
 * Word of a field in a sequence on the device, read from `kernels/sequence.wgsl`.
 *
 * @throws {RangeError} If there is no such field.
 */
export function sequenceWord(field: string): number {
  const word = FIELDS.indexOf(field);
  if (word >= 0) return word;
  throw new RangeError(`Cannot find field "${field}": a sequence has ${FIELDS.join(", ")}`);
}
