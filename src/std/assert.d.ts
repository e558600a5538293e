/** Error thrown by every failed assertion. */
export class AssertionError extends Error {}
type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;
/** Asserts that `condition` is truthy. */
export function assert(condition: unknown, message?: string): asserts condition;
/** Asserts deep equality. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void;
/** Asserts deep inequality. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
/** Asserts identity. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T;
/** Asserts that the value is neither null nor undefined. */
export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
/** Asserts that two numbers differ by at most `tolerance`. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  message?: string,
): void;
/** Asserts `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, message?: string): void;
/** Asserts `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;
/** Asserts `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, message?: string): void;
/** Asserts `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;
/** Asserts that `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void;
/** Asserts that `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void;
/** Asserts that `actual` has the properties of `expected`. */
export function assertObjectMatch(actual: object, expected: object, message?: string): void;
/** Asserts that `error` is of the class and contains the message. */
export function assertIsError<E extends Error>(
  error: unknown,
  errorClass?: ErrorClass<E>,
  includes?: string,
): asserts error is E;
/** Asserts that `fn` throws. */
export function assertThrows<E extends Error>(
  fn: () => unknown,
  errorClass?: ErrorClass<E>,
  includes?: string,
): E;
/** Asserts that `fn` rejects. */
export function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  includes?: string,
): Promise<E>;
/** Fails. */
export function fail(message?: string): never;
