import { BLOCKS_OPERATIONS } from "./blocks_operations.ts";
import { type Json, toJsonSchemas } from "./json_schema.ts";
import { OPENAI_OPERATIONS } from "./openai_operations.ts";
import { describeOperation, type Operation, type Tag } from "./operation.ts";
import { listCodes, wholeRefusals } from "./refusals.ts";
import { SCHEMAS } from "./schemas.ts";
import { SCORE_OPERATIONS } from "./score.ts";
import { SERVER_OPERATIONS } from "./server_operations.ts";
import { TOKEN_OPERATIONS } from "./tokens.ts";

const TAGS: Readonly<Record<Tag, string>> = {
  OpenAI: "What OpenAI's clients call.",
  Blocks: "The server's own streams: one event per finished block, and no block is lost when a " +
    "connection is.",
  Likelihood: "How likely a model finds text.",
  Models: "What is served.",
  Tokens: "Text to tokens and back.",
  Server: "How the server is.",
};

const DESCRIPTION = `Samples text from block diffusion language models.

**Requests.** Bodies are JSON objects. \`null\` for an optional field means that it is absent; the
schemas here do not repeat that. A field that is not listed is refused, so that a typing error never
changes a result. Limits that depend on the model are in \`GET /v1/models\`.

**Keys.** Where the operator has configured API keys, every operation but \`/\`, \`/health\` and
\`/ready\` needs one.

**Errors.** Every refusal has the body \`Error\`. Its \`code\` is one of these:

${listCodes()}`;

const HEADERS: Readonly<Record<string, Json>> = {
  "X-Request-Id": {
    description: "Names the request in the server's log: the client's own name, if it is usable.",
    schema: { type: "string", pattern: "^[A-Za-z0-9._-]{1,128}$" },
  },
  "Retry-After": {
    description: "Seconds after which to try again.",
    schema: { type: "integer", minimum: 1 },
  },
  "WWW-Authenticate": { description: "How to give a key.", schema: { const: "Bearer" } },
};

const REQUEST_ID: Json = {
  name: "X-Request-Id",
  in: "header",
  description: "A name for the request, which its response has too; any other is ignored.",
  schema: { type: "string", pattern: "^[A-Za-z0-9._-]{1,128}$" },
  example: "story-1",
};

/** The interface of this version of the server, as an OpenAPI 3.1 document. */
export function openApiDocument({ version }: { readonly version: string }): Json {
  return {
    openapi: "3.1.1",
    info: {
      title: "blockdiffusion",
      summary: "Text from block diffusion language models, block by block.",
      description: DESCRIPTION,
      version,
      license: { name: "Apache License 2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "The server that this document comes from." }],
    security: [{ key: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: describePaths([
      ...OPENAI_OPERATIONS,
      ...BLOCKS_OPERATIONS,
      ...SCORE_OPERATIONS,
      ...TOKEN_OPERATIONS,
      ...SERVER_OPERATIONS,
    ]),
    components: {
      schemas: toJsonSchemas(SCHEMAS),
      responses: wholeRefusals(),
      parameters: { "X-Request-Id": REQUEST_ID },
      headers: HEADERS,
      securitySchemes: {
        key: {
          type: "http",
          scheme: "bearer",
          description: "An API key. Servers without configured keys are open to everybody.",
        },
      },
    },
  };
}

function describePaths(operations: readonly Operation[]): Json {
  const paths = new Map<string, Record<string, Json>>();
  for (const operation of operations) {
    const item = paths.get(operation.path) ?? {};
    paths.set(operation.path, item);
    item[operation.method] = describeOperation(operation);
  }
  return Object.fromEntries(paths);
}
