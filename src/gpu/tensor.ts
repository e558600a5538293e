/** Element types of tensors. `f16` values lie packed, two to a word, and `i8` four. */
export type ElementType = "f32" | "u32" | "f16" | "i8";

const BYTES: Readonly<Record<ElementType, number>> = { f32: 4, u32: 4, f16: 2, i8: 1 };

/** Bytes of one element. */
export function elementBytes(dtype: ElementType): number {
  return BYTES[dtype];
}

let created = 0;

/** A buffer on the device with a shape. Freed, or given back as scratch, by `using`. */
export class Tensor implements Disposable {
  /** Distinct for every buffer that may be bound: scratch keeps the number of its buffer. */
  readonly id: number;
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: ElementType;
  readonly buffer: GPUBuffer;
  readonly #release: () => void;
  #isLive = true;

  constructor(
    parts: { name: string; shape: readonly number[]; dtype: ElementType; buffer: GPUBuffer },
    release: () => void,
  ) {
    this.name = parts.name;
    this.shape = parts.shape;
    this.dtype = parts.dtype;
    this.buffer = parts.buffer;
    this.id = bufferIds.get(parts.buffer) ?? ++created;
    bufferIds.set(parts.buffer, this.id);
    this.#release = release;
  }

  /** Elements. */
  get length(): number {
    return this.shape.reduce((product, each) => product * each, 1);
  }

  /** Bytes of the elements. */
  get sizeBytes(): number {
    return this.length * elementBytes(this.dtype);
  }

  /** Frees the buffer, or gives it back to its pool. Twice is once. */
  [Symbol.dispose](): void {
    if (this.#isLive) this.#release();
    this.#isLive = false;
  }
}

const bufferIds = new WeakMap<GPUBuffer, number>();

/**
 * Checks the shape of an operand.
 *
 * @throws {TypeError} If it differs.
 */
export function expectShape(tensor: Tensor, shape: readonly number[]): void {
  if (tensor.shape.length !== shape.length || tensor.shape.some((each, i) => each !== shape[i])) {
    throw new TypeError(
      `Cannot use tensor "${tensor.name}": its shape is [${tensor.shape}], expected [${shape}]`,
    );
  }
}
