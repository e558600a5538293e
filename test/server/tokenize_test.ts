import { assert, assertEquals } from "@std/assert";
import type { LoadedModel } from "../../src/server/loaded_models.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { noise } from "../support/noise.ts";
import { type Script, ScriptedEngine } from "../support/scripted_engine.ts";
import { byteTokenizer, errorOf, testApp } from "./support.ts";

const SHIPPED = new URL("../../models/tinystories-bd3lm/", import.meta.url);
const EOS = 4094;
const MASK = 4095;

/** The shipped model's tokenizer, for a model with four more ids than that has. */
function shippedApp(model: Script["model"] = {}) {
  const read = (name: string) => JSON.parse(Deno.readTextFileSync(new URL(name, SHIPPED)));
  const tokenizer = Tokenizer.fromJson(read("tokenizer.json"), read("tokenizer_config.json"));
  const engine = new ScriptedEngine({ model: { vocabSize: 4100, maskToken: MASK, ...model } });
  return testApp({ models: [{ engine, tokenizer, chat: null }], settings: { maxBodyBytes: 1e7 } });
}

/** Answers to both routes, which must be 200. */
function routesOf({ post }: ReturnType<typeof testApp>) {
  const answer = async (path: string, body: object) => {
    const response = await post(body, path);
    const data = await response.json();
    assertEquals({ status: response.status, data }, { status: 200, data });
    return data;
  };
  return {
    tokenize: (text: string, more = {}) => answer("/tokenize", { text, ...more }),
    detokenize: (tokens: readonly number[], more = {}) =>
      answer("/detokenize", { tokens, ...more }),
  };
}

Deno.test("POST /tokenize gives ids and their number, POST /detokenize the text", async () => {
  const { tokenize, detokenize } = routesOf(testApp());
  assertEquals(await tokenize("hé"), {
    model: "test-copy",
    tokens: [104, 195, 169],
    count: 3,
    context_length: 4096,
  });
  assertEquals(await detokenize([104, 195, 169]), { model: "test-copy", text: "hé" });
  assertEquals(await tokenize(""), {
    model: "test-copy",
    tokens: [],
    count: 0,
    context_length: 4096,
  });
  assertEquals((await detokenize([])).text, "");
});

Deno.test("POST /tokenize takes the tokenizer of the model that is named", async () => {
  const shout: LoadedModel["tokenizer"] = {
    ...byteTokenizer,
    encode: () => [33],
    decode: () => "!",
  };
  const models = [["first", byteTokenizer], ["second", shout]] as const;
  const { tokenize, detokenize } = routesOf(testApp({
    models: models.map(([id, tokenizer]) => (
      { engine: new ScriptedEngine({ model: { id } }), tokenizer, chat: null }
    )),
  }));
  assertEquals((await tokenize("a")).model, "first");
  assertEquals((await tokenize("a", { model: "second" })).tokens, [33]);
  assertEquals(await detokenize([97], { model: "second" }), { model: "second", text: "!" });
});

Deno.test("POST /tokenize puts BOS in front where the model has one and it is wanted", async () => {
  const withBos = routesOf(shippedApp({ bosToken: EOS }));
  assertEquals((await withBos.tokenize("Once upon")).tokens, [422, 429]);
  assertEquals(await withBos.tokenize("Once upon", { add_special_tokens: true }), {
    model: "test-copy",
    tokens: [EOS, 422, 429],
    count: 3,
    context_length: 4096,
  });
  assertEquals((await withBos.tokenize("", { add_special_tokens: true })).tokens, [EOS]);
  const without = routesOf(shippedApp({ bosToken: null }));
  assertEquals((await without.tokenize("Once", { add_special_tokens: true })).tokens, [422]);
});

Deno.test("POST /detokenize gives special tokens and ids without content no text", async () => {
  const { detokenize } = routesOf(shippedApp());
  assertEquals((await detokenize([EOS, 422, 4096, 4099, 429, EOS])).text, "Once upon");
});

/** Text of characters of every length, of white space and of words. */
function randomTexts(count: number): string[] {
  const draws = [...noise(count * 60)].map(Math.abs).values();
  const planes = [0x80, 0x800, 0xd800, 0x11_0000];
  const words = [" ", "the", "'s", "\n", "\u0085", "\ufeff", "7", "<|endoftext|>", "\r", "\u0301"];
  return Array.from({ length: count }, (_, t) =>
    Array.from({ length: 1 + t % 30 }, (_, i) => {
      const draw = draws.next().value!;
      if (draw < 0.4) return words[Math.floor(draw / 0.4 * words.length)]!;
      const code = Math.floor((draw - 0.4) / 0.6001 * planes[i % 4]!);
      return code >= 0xd800 && code < 0xe000 ? "\ufffd" : String.fromCodePoint(code);
    }).join(""));
}

/** Every character there is, cut into strings. */
function allCharacters(): string[] {
  const codes = Array.from({ length: 0x11_0000 }, (_, code) => code)
    .filter((code) => code < 0xd800 || code > 0xdfff);
  const size = 100_000;
  return Array.from(
    { length: Math.ceil(codes.length / size) },
    (_, i) => codes.slice(i * size, (i + 1) * size).map((c) => String.fromCodePoint(c)).join(""),
  );
}

Deno.test("detokenize(tokenize(s)) = s for the shipped tokenizer and any text", async () => {
  const { tokenize, detokenize } = routesOf(shippedApp());
  const edges = ["\ufeff", "\ufeffOnce", "\0", " ", "\n\n \n", "<|mask|>", "\u{10ffff}", "\ufffe"];
  for (const text of [...edges, ...randomTexts(300), ...allCharacters()]) {
    const { tokens, count } = await tokenize(text);
    assertEquals(count, tokens.length);
    assertEquals(tokens.filter((token: number) => token >= EOS), []);
    assertEquals((await detokenize(tokens)).text, text);
  }
});

/** A path, a body, and the code and param of its refusal. */
const REFUSED: readonly (readonly [string, string, string, string | null])[] = [
  ["/tokenize", "{}", "missing_required_parameter", "text"],
  ["/tokenize", '{"text":null}', "missing_required_parameter", "text"],
  ["/tokenize", '{"text":1}', "invalid_type", "text"],
  ["/tokenize", '{"text":["a"]}', "invalid_type", "text"],
  ["/tokenize", '{"text":"a","add_special_tokens":1}', "invalid_type", "add_special_tokens"],
  ["/tokenize", '{"text":"a","tokens":[]}', "unknown_parameter", "tokens"],
  ["/tokenize", '{"text":"a","prompt":null}', "unknown_parameter", "prompt"],
  ["/tokenize", '{"text":"a","tools":[]}', "unknown_parameter", "tools"],
  ["/tokenize", '{"text":"a","typo":null}', "unknown_parameter", "typo"],
  ["/tokenize", '{"text":"a","__proto__":{"text":"b"}}', "unknown_parameter", "__proto__"],
  ["/tokenize", '{"text":"\\ud800"}', "invalid_unicode", "text"],
  ["/tokenize", '{"text":"a","model":"x"}', "model_not_found", "model"],
  ["/tokenize", '{"text":"a","model":5}', "invalid_type", "model"],
  ["/tokenize", '{"text":', "invalid_json", null],
  ["/detokenize", "{}", "missing_required_parameter", "tokens"],
  ["/detokenize", '{"tokens":null}', "missing_required_parameter", "tokens"],
  ["/detokenize", '{"tokens":"a"}', "invalid_type", "tokens"],
  ["/detokenize", '{"tokens":[1,"2"]}', "invalid_type", "tokens[1]"],
  ["/detokenize", '{"tokens":[null]}', "invalid_type", "tokens[0]"],
  ["/detokenize", '{"tokens":[[1]]}', "invalid_type", "tokens[0]"],
  ["/detokenize", '{"tokens":[1,0.5]}', "invalid_value", "tokens[1]"],
  ["/detokenize", '{"tokens":[1e999]}', "invalid_value", "tokens[0]"],
  ["/detokenize", '{"tokens":[0,-1]}', "token_out_of_range", "tokens[1]"],
  ["/detokenize", '{"tokens":[257,258]}', "token_out_of_range", "tokens[1]"],
  ["/detokenize", '{"tokens":[259]}', "token_out_of_range", "tokens[0]"],
  ["/detokenize", '{"tokens":[],"text":"a"}', "unknown_parameter", "text"],
  [
    "/detokenize",
    '{"tokens":[],"add_special_tokens":true}',
    "unknown_parameter",
    "add_special_tokens",
  ],
  ["/detokenize", '{"tokens":[],"model":""}', "model_not_found", "model"],
];

Deno.test("POST /tokenize and /detokenize refuse what they do not take", async () => {
  const { post } = testApp();
  for (const [path, body, code, param] of REFUSED) {
    const response = await post(body, path);
    const error = await errorOf(response);
    assertEquals({ path, body, code: error.code, param: error.param }, { path, body, code, param });
    assertEquals(response.status, code === "model_not_found" ? 404 : 400);
  }
});

Deno.test("POST /tokenize says what is missing in words", async () => {
  const { post } = testApp();
  assertEquals(
    (await errorOf(await post({}, "/tokenize"))).message,
    "text is required, and must be a string",
  );
});

Deno.test("/tokenize and /detokenize are POST only, and need a body of JSON", async () => {
  const { send } = testApp();
  for (const path of ["/tokenize", "/detokenize"]) {
    for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
      const response = await send(path, { method });
      assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
    }
    const response = await send(path, { method: "POST", body: "{}" });
    assertEquals(response.status, 415);
  }
});

Deno.test("POST /tokenize and /detokenize take a megabyte in little time", async () => {
  const { tokenize, detokenize } = routesOf(shippedApp());
  const million = 1_000_000;
  const texts = [
    "a".repeat(million),
    "😀".repeat(million / 4),
    " ".repeat(million),
    "the".repeat(3e5),
  ];
  for (const text of texts) {
    const start = performance.now();
    const { tokens } = await tokenize(text);
    assertEquals((await detokenize(tokens)).text, text);
    // One or two seconds in practice; quadratic work would take hours.
    assert(performance.now() - start < 20_000);
  }
});
