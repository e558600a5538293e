import { assertEquals, assertThrows } from "@std/assert";
import {
  describeSettings,
  flagOf,
  integer,
  oneOf,
  optional,
  readSettings,
  repeatable,
  setting,
  text,
  toggle,
  UsageError,
  variableOf,
} from "../../src/commands/flags.ts";

const SETTINGS = {
  maxQueue: setting(integer(0, 9), 4, "sequences waiting"),
  name: repeatable(text, "who"),
  isLoud: setting(toggle, false, "shout"),
  size: optional(oneOf("small", "large"), "how much"),
};

function read(args: string[], environment: Record<string, string> = {}) {
  return readSettings(SETTINGS, args, environment);
}

Deno.test("readSettings() gives the initial values when nothing is set", () => {
  assertEquals(read([]), {
    values: { maxQueue: 4, name: [], isLoud: false, size: null },
    positional: [],
  });
});

Deno.test("readSettings() takes values after a space or an equals sign", () => {
  const args = ["--max-queue", "7", "--name=a=b", "--name", "-c", "--is-loud", "--size=large"];
  assertEquals(read(args).values, {
    maxQueue: 7,
    name: ["a=b", "-c"],
    isLoud: true,
    size: "large",
  });
});

Deno.test("readSettings() prefers a flag to its environment variable", () => {
  const environment = { BD_MAX_QUEUE: "2", BD_NAME: "a, b", BD_IS_LOUD: "1", BD_SIZE: "" };
  assertEquals(read(["--max-queue", "3"], environment).values, {
    maxQueue: 3,
    name: ["a", "b"],
    isLoud: true,
    size: null,
  });
  assertEquals(read(["--name", "c", "--is-loud=false"], environment).values.name, ["c"]);
});

Deno.test("readSettings() keeps other arguments, all of them after --", () => {
  const { values, positional } = read(["one", "--max-queue", "1", "-", "--", "--max-queue", "two"]);
  assertEquals(values.maxQueue, 1);
  assertEquals(positional, ["one", "-", "--max-queue", "two"]);
});

for (
  const [args, message] of [
    [["--max-queu", "1"], 'flag is "--max-queu", expected --max-queue; --help lists all'],
    [["--seize=2"], 'flag is "--seize", expected --size; --help lists all'],
    [["--elephant"], 'flag is "--elephant", expected another; --help lists all'],
    [["-q"], 'flag is "-q"'],
    [["--constructor"], 'flag is "--constructor"'],
    [["--max-queue"], "Cannot read --max-queue: value is missing"],
    [["--max-queue", "--is-loud"], "Cannot read --max-queue: value is missing"],
    [["--max-queue", "1", "--max-queue", "2"], "--max-queue: it is given twice, expected once"],
    [["--max-queue", "10"], '--max-queue: value is "10", expected an integer from 0 to 9'],
    [["--max-queue", "1.0"], 'value is "1.0"'],
    [["--max-queue", "0x1"], 'value is "0x1"'],
    [["--max-queue="], 'value is ""'],
    [["--size", "medium"], '--size: value is "medium", expected one of small, large'],
    [["--is-loud=maybe"], '--is-loud: value is "maybe", expected true or false'],
  ] as const
) {
  Deno.test(`readSettings() refuses ${args.join(" ")}`, () => {
    assertThrows(() => read([...args]), UsageError, message);
  });
}

Deno.test("readSettings() names the variable that it refuses", () => {
  const environment = { BD_MAX_QUEUE: "many" };
  assertThrows(() => read([], environment), UsageError, 'BD_MAX_QUEUE: value is "many"');
});

Deno.test("flagOf() and variableOf() spell a name with dashes and underscores", () => {
  assertEquals(flagOf("maxBodyBytes"), "--max-body-bytes");
  assertEquals(variableOf("maxBodyBytes"), "BD_MAX_BODY_BYTES");
});

Deno.test("describeSettings() gives one aligned line per setting", () => {
  assertEquals(
    describeSettings(SETTINGS),
    [
      "  --max-queue N       sequences waiting (default 4)",
      "  --name TEXT         who (repeatable)",
      "  --is-loud           shout",
      "  --size small|large  how much",
    ].join("\n"),
  );
});
