import { assertEquals } from "@std/assert";
import { NumberHeap } from "../../src/text/number_heap.ts";
import { noise } from "../support/noise.ts";

function popAll(heap: NumberHeap): number[] {
  const numbers: number[] = [];
  for (let each = heap.pop(); each !== undefined; each = heap.pop()) numbers.push(each);
  return numbers;
}

Deno.test("NumberHeap pop() gives numbers in rising order, equal ones as often as they came", () => {
  for (let count = 0; count < 40; count++) {
    const numbers = [...noise(count, count)].map((each) => Math.round(10 * each));
    const heap = new NumberHeap();
    numbers.forEach((each) => heap.push(each));
    assertEquals(popAll(heap), numbers.toSorted((a, b) => a - b));
    assertEquals(heap.pop(), undefined);
  }
});

Deno.test("NumberHeap push() works between pops", () => {
  const heap = new NumberHeap();
  [5, 3, 8].forEach((each) => heap.push(each));
  assertEquals(heap.pop(), 3);
  [4, 1, 9].forEach((each) => heap.push(each));
  assertEquals(popAll(heap), [1, 4, 5, 8, 9]);
});
