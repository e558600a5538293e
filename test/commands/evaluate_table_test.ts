import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  boundTable,
  type EvaluationSetup,
  heading,
  searchSummaryOf,
  searchTable,
  setupOf,
  summaryOf,
} from "../../src/commands/evaluate_table.ts";

const SETUP: EvaluationSetup = {
  model: "tiny",
  weights: "f16",
  windows: 2,
  windowTokens: 11,
  tokens: 20,
  bytes: 50,
  noise: "counts",
  samples: 1,
  seed: 3,
};

/** 2 and 3 nats per token. */
const BOUNDS = [20, 30].map((nelbo) => ({ tokens: 10, nelbo, error: 0, isExact: false }));

Deno.test("summaryOf() gives bound, perplexity and bits per byte", () => {
  const { bits_per_byte, perplexity, perplexity_stderr, ...rest } = summaryOf(
    { blockSize: 4, bounds: BOUNDS },
    SETUP,
  );
  assertEquals(rest, { block_size: 4, exact: false, nelbo_per_token: 2.5, stderr: 0.5 });
  assertAlmostEquals(perplexity, 12.18249396);
  assertAlmostEquals(perplexity_stderr!, 6.09124698);
  // 50 nats are 72.135 bits.
  assertAlmostEquals(bits_per_byte!, 1.44269504);
});

Deno.test("summaryOf() does not tell an error of one window, nor bits of no bytes", () => {
  const one = { blockSize: 1, bounds: [{ tokens: 10, nelbo: 20, error: 0, isExact: true }] };
  const summary = summaryOf(one, { ...SETUP, bytes: 0 });
  assertEquals([summary.exact, summary.stderr, summary.perplexity_stderr, summary.bits_per_byte], [
    ...[true, null, null, null],
  ]);
});

Deno.test("boundTable() has a row for every block size", () => {
  const exact = BOUNDS.map((each) => ({ ...each, isExact: true }));
  const sizes = [{ blockSize: 1, bounds: exact }, { blockSize: 128, bounds: BOUNDS.slice(1) }];
  assertEquals(
    heading(SETUP) + boundTable(sizes, SETUP),
    `\
tiny, f16 weights
2 windows of 11 tokens: 20 tokens scored, 50 bytes
noise by counts, 1 draw, seed 3

block size     nats/token       ±  perplexity     ±  bits/byte
1           =      2.5000  0.5000       12.18  6.09     1.4427
128         ≤      3.0000       –       20.09     –     0.8656
`,
  );
});

const SEARCH = {
  blockSize: 8,
  candidates: [
    { range: [1e-3, 1], variance: 6.5, loss: 2 },
    { range: [0.45, 0.95], variance: 3.25, loss: 2.5 },
    { range: [0.5, 1], variance: 4, loss: 2.25 },
  ],
} as const;

Deno.test("searchTable() marks the range whose losses vary least", () => {
  assertEquals(
    searchTable(SEARCH),
    `\
block size 8   variance  loss, nats/token
U[0.001, 1]      6.5000            2.0000
U[0.45, 0.95]    3.2500            2.5000  <
U[0.5, 1]        4.0000            2.2500
`,
  );
});

Deno.test("searchSummaryOf() and setupOf() have the names of JSON", () => {
  assertEquals(searchSummaryOf(SEARCH), {
    block_size: 8,
    best: { beta: 0.45, omega: 0.95 },
    candidates: [
      { beta: 1e-3, omega: 1, variance: 6.5, loss: 2 },
      { beta: 0.45, omega: 0.95, variance: 3.25, loss: 2.5 },
      { beta: 0.5, omega: 1, variance: 4, loss: 2.25 },
    ],
  });
  const { windowTokens, ...rest } = SETUP;
  assertEquals(setupOf(SETUP), { ...rest, window_tokens: windowTokens });
});
