/** Gives numbers out in rising order. */
export class NumberHeap {
  /** Each is at most as large as the two at twice its place, and one more and two more. */
  readonly #numbers: number[] = [];

  push(value: number): void {
    const numbers = this.#numbers;
    let i = numbers.length;
    numbers.push(value);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (numbers[parent]! <= value) break;
      numbers[i] = numbers[parent]!;
      i = parent;
    }
    numbers[i] = value;
  }

  /** Takes the smallest number out. */
  pop(): number | undefined {
    const numbers = this.#numbers;
    const smallest = numbers[0];
    const value = numbers.pop();
    if (value === undefined || numbers.length === 0) return smallest;
    let i = 0;
    for (let child = 1; child < numbers.length; child = 2 * i + 1) {
      if (child + 1 < numbers.length && numbers[child + 1]! < numbers[child]!) child += 1;
      if (numbers[child]! >= value) break;
      numbers[i] = numbers[child]!;
      i = child;
    }
    numbers[i] = value;
    return smallest;
  }
}
