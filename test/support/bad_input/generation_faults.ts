import { type Fault, valueFault } from "./draft.ts";
import type { Endpoint } from "./endpoints.ts";
import { aside, faultsOf, NO_OPTIONS, OF_MODEL } from "./field_faults.ts";
import { OPTIONS } from "./fields.ts";

/** Everything else that can be wrong with a request to generate text. */
export function generationFaults(endpoint: Endpoint): Fault[] {
  return [
    ...optionFaults(),
    ...slideFaults(endpoint),
    ...unsupportedFaults(endpoint),
    ...contextFaults(endpoint),
    ...(endpoint.isOpenAi ? pairFaults(endpoint) : []),
  ];
}

function optionFaults(): Fault[] {
  const options = Object.entries(OPTIONS).flatMap(([strategy, own]) => [
    ...Object.entries(own).flatMap(([name, field]) =>
      faultsOf(name, field, { ...NO_OPTIONS, strategy: `"${strategy}"` })
    ),
    ...["steps", "threshold", "entropy_bound"].filter((name) => !(name in own)).map((name) =>
      valueFault({
        ...NO_OPTIONS,
        strategy: `"${strategy}"`,
        [name]: name === "steps" ? "4" : "0.5",
      }, {
        code: "incompatible_parameters",
        param: name,
      })
    ),
  ]);
  const isDefault = valueFault({ ...NO_OPTIONS, strategy: null, steps: "4" }, {
    code: "incompatible_parameters",
    param: "steps",
  });
  return [...options, isDefault];
}

function slideFaults({ fields }: Endpoint): Fault[] {
  return Object.keys(fields).filter((name) => name.startsWith("max_")).map((name) =>
    valueFault({ ...aside({ fields }, name), overflow: '"slide"', [name]: "16385" }, {
      stages: OF_MODEL,
      code: "invalid_value",
      param: name,
    })
  );
}

/** Section 5.3. */
const UNSUPPORTED: Readonly<Record<string, readonly string[]>> = {
  frequency_penalty: ["0.1", "-2", "1e999", '"0"', "false"],
  presence_penalty: ["5e-324", "2", "[]"],
  logit_bias: ['{"5":1}', '{"__proto__":1}', "[]", "0"],
  top_logprobs: ["1", "20", "false"],
  best_of: ["0", "2", "1.5", "true"],
  suffix: ['" "', '"x"', "0", "[]"],
  response_format: ['{"type":"json_object"}', '{"type":"text","x":1}', '"text"', "{}"],
  tools: ["[{}]", '[{"type":"function"}]', "{}", "0"],
  functions: ["[1]", "{}", '""'],
  tool_choice: ['"required"', "{}", '"NONE"', "false"],
  function_call: ['"required"', '{"name":"f"}'],
  parallel_tool_calls: ["1", "0", '"true"', "[]"],
  modalities: ['["audio"]', '["text","audio"]', "[]", '"text"'],
  service_tier: ['"flex"', '"priority"', '""', "1"],
  reasoning_effort: ['"low"', '"none"', '""', "0"],
  verbosity: ['"low"', "0"],
  prediction: ["{}", '""'],
  audio: ["{}", "false"],
  web_search_options: ["{}", "[]"],
};

function unsupportedFaults({ fields }: Endpoint): Fault[] {
  const unsupported = Object.entries(UNSUPPORTED).filter(([name]) => !(name in fields));
  const alone = "top_logprobs" in fields ? ["1", "5"] : [];
  return [
    ...unsupported.flatMap(([name, values]) =>
      values.map((json) =>
        valueFault({ [name]: json }, { code: "unsupported_parameter", param: name })
      )
    ),
    ...alone.flatMap((json) =>
      [null, "null", "false"].map((logprobs) =>
        valueFault({ logprobs, top_logprobs: json }, {
          code: "incompatible_parameters",
          param: "top_logprobs",
        })
      )
    ),
  ];
}

/** Prompts that are too long for the context of 4096 with what is to come. */
function contextFaults(endpoint: Endpoint): Fault[] {
  const lengths = [[4096, null], [4096, "1"], [4000, "97"], [1, "4096"], [5000, "1"]] as const;
  const prompts = (count: number): Record<string, string>[] => {
    const text = `"${"a".repeat(count)}"`;
    if (endpoint.path === "/v1/chat/completions") {
      return [{ messages: `[{"role":"user","content":${text}}]` }];
    }
    const all = [{ prompt: text }, { prompt: `[${Array(count).fill("97").join()}]` }];
    return endpoint.path === "/v1/blocks" ? all : [...all, { prompt: `["a",${text}]` }];
  };
  return lengths.flatMap(([count, length]) =>
    prompts(count).map((prompt) => {
      const more = { ...aside(endpoint, "max_tokens"), max_tokens: length, n: null };
      return valueFault({ ...prompt, ...more }, {
        name: `${count} tokens, max_tokens = ${length}`,
        stages: ["context", "context"],
        code: "context_length_exceeded",
      });
    })
  );
}

/** Fields that are right alone, and wrong together. */
function pairFaults({ path }: Endpoint): Fault[] {
  const incompatible = "incompatible_parameters";
  const early = ["{}", '{"include_usage":true}', '{"include_usage":false}'].flatMap((options) =>
    ["false", "null", null].map((stream) =>
      valueFault({ stream, stream_options: options }, {
        code: incompatible,
        param: "stream_options",
      })
    )
  );
  const ofStream = [["1"], ['"a"'], ["[]"], ['{"include_usage":1}', ".include_usage"]]
    .map(([options = "", place = ""]) =>
      valueFault({ stream: "true", stream_options: options }, {
        code: "invalid_type",
        param: `stream_options${place}`,
      })
    );
  const unknown = ["usage", "__proto__", "constructor", ""].map((name) =>
    valueFault({ stream: "true", stream_options: `{"${name}":true}` }, {
      code: "unknown_parameter",
      param: `stream_options.${name}`,
    })
  );
  const many = path === "/v1/completions"
    ? [[16, 3], [5, 7], [11, 3]].map(([prompts = 0, n]) =>
      valueFault({ prompt: `[${Array(prompts).fill('"a"').join()}]`, n: `${n}` }, {
        code: "invalid_value",
        param: "n",
      })
    )
    : [["1", "2"], ["4", "3.0"]].map(([old = "", current = ""]) =>
      // Which of the two is to blame, nobody says.
      valueFault({ max_tokens: old, max_completion_tokens: current }, { code: incompatible })
    );
  return [...early, ...ofStream, ...unknown, ...many];
}
