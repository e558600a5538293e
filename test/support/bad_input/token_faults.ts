import { type Fault, valueFault } from "./draft.ts";
import type { Endpoint } from "./endpoints.ts";

/** What is no token of the test model's; 258 is the mask. */
const OUTSIDE = ["-1", "258", "259", "65536", "2147483648", "4294967296", "9007199254740991"];

/** Lists of token ids with a wrong one in them, and where it is. */
const LISTS: readonly (readonly [json: (token: string) => string, place: string])[] = [
  [(token) => `[${token}]`, "[0]"],
  [(token) => `[0,257,${token},258]`, "[2]"],
];

/** Token ids that the model does not have, or that nobody may give. */
export function tokenFaults({ path }: Endpoint): Fault[] {
  const name = path === "/detokenize" ? "tokens" : "prompt";
  const takesTokens = ["/v1/blocks", "/v1/completions", "/detokenize"].includes(path);
  const lists = takesTokens ? [...LISTS] : [];
  if (path === "/v1/completions") lists.push([(token) => `[[1,2],[3,${token}]]`, "[1][1]"]);
  return lists.flatMap(([json, place]) =>
    OUTSIDE.map((token) =>
      valueFault({ [name]: json(token) }, {
        stages: ["ranges", "ranges"],
        code: "token_out_of_range",
        param: name + place,
      })
    )
  );
}
