import { type Fault, type Stage, valueFault } from "./draft.ts";
import type { Endpoint } from "./endpoints.ts";

/** Escapes that are halves of a character, in a string of their own or beside others. */
const HALVES = [
  ...[
    "\\ud800",
    "\\uDFFF",
    "a\\ud83d",
    "\\udca7\\ud83d",
    "\\ud83d\\ud83d\\udca7",
    "\\ud83d\\u0041",
  ],
  ...["\\ud83d \\udca7", "\\ud83dx", "\\\\\\ud83d", "\ud83d\udca7\\udca7"],
];

/** Strings that are not well-formed, at every depth of an endpoint's body. */
export function unicodeFaults({ fields, isOpenAi }: Endpoint): Fault[] {
  const places: (readonly [name: string, json: (text: string) => string, place?: string])[] = [
    ["model", (text) => `"${text}"`],
    ["stop", (text) => `"${text}"`],
    ["stop", (text) => `["a","${text}"]`, "[1]"],
    ["x", (text) => `{"y":[1,{"z":"${text}"}]}`, ".y[1].z"],
    ["strategy", (text) => `"${text}"`],
    ["seed", (text) => `"${text}"`],
    ["prompt", (text) => `"${text}"`],
    ["text", (text) => `"${text}"`],
  ];
  if (isOpenAi) {
    places.push(["user", (text) => `"${text}"`]);
    places.push(["prompt", (text) => `["a","${text}"]`, "[1]"]);
    places.push(["metadata", (text) => `{"a":"${text}"}`, ".a"]);
    places.push(["messages", (text) => `[{"role":"user","content":"${text}"}]`, "[0].content"]);
    const part = (text: string) => `[{"content":[{"type":"text","text":"${text}"}]}]`;
    places.push(["messages", part, "[0].content[0].text"]);
  }
  // Where they are noticed, with the JSON or with the fields, the contract does not say.
  const stages: readonly [Stage, Stage] = ["json", "fields"];
  const code = "invalid_unicode";
  const known = places.filter(([name]) => name in fields || ["x", "model"].includes(name));
  return HALVES.flatMap((half) => [
    ...known.map(([name, json, place = ""]) =>
      valueFault({ [name]: json(half) }, { stages, code, param: name + place })
    ),
    // A name that is no text cannot be told.
    valueFault({ metadata: `{"${half}":"a"}` }, { stages, code }),
  ]);
}
