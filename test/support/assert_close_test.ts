import { AssertionError, assertThrows } from "@std/assert";
import { assertClose } from "./assert_close.ts";

Deno.test("assertClose() allows an error in proportion to the largest element", () => {
  assertClose([0.0009, 100], [0, 100]);
  assertThrows(() => assertClose([0.0011, 100], [0, 100]), AssertionError, "element 0");
  assertClose([1, -200], [0, -200], { tolerance: 0.005 });
});

Deno.test("assertClose() names the tensor, the worst element and both values", () => {
  const fail = () => assertClose([1, 2.5, 4], [1, 2, 4.25], {}, "logits");
  assertThrows(fail, AssertionError, "logits: element 1 of 3 is 2.5, expected 2;");
});

Deno.test("assertClose() fails on another length", () => {
  assertThrows(() => assertClose([], [1]), AssertionError, "length is 0, expected 1");
});

Deno.test("assertClose() fails on NaN whatever the tolerance", () => {
  const tolerance = Infinity;
  assertThrows(() => assertClose([1, NaN], [1, 1], { tolerance: 1e30 }), AssertionError);
  assertThrows(() => assertClose([1, NaN], [1, NaN], { tolerance }), AssertionError);
  assertThrows(() => assertClose([1, 1], [1, NaN]), AssertionError);
  assertThrows(() => assertClose([NaN], [0]), AssertionError);
});

Deno.test("assertClose() takes equal infinities for close and no others", () => {
  assertClose([-Infinity, 1], [-Infinity, 1]);
  assertThrows(() => assertClose([Infinity, 1], [-Infinity, 1]), AssertionError);
  assertThrows(() => assertClose([5, 1], [Infinity, 1]), AssertionError);
});

Deno.test("assertClose() wants exact zeros of zeros", () => {
  assertClose([0, 0], [0, 0]);
  assertThrows(() => assertClose([0, 1e-30], [0, 0]), AssertionError);
});
