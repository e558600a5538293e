/**
 * A JSON Schema of one field, as far as the page reads it.
 *
 * @typedef {Object} FieldSchema
 * @property {string} [type]
 * @property {string} [description]
 * @property {unknown} [default]
 * @property {number} [minimum]
 * @property {number} [exclusiveMinimum]
 * @property {number} [maximum]
 * @property {(string | number)[]} [enum]
 * @property {FieldSchema[]} [anyOf]
 * @property {FieldSchema} [items]
 * @property {number} [maxItems]
 * @property {string[]} [x-strategies]
 */

/**
 * A model as `/v1/models` tells of it.
 *
 * @typedef {Object} Model
 * @property {string} id
 * @property {number} context_length
 * @property {number} vocab_size
 * @property {number[]} block_sizes
 * @property {number} default_block_size
 * @property {string[]} strategies
 * @property {string} default_strategy
 * @property {Readonly<Record<string, string | number | null>>} defaults
 * @property {{ score: boolean, slide: boolean }} capabilities
 */

/**
 * What a control is made of: a field of a request with the limits that the server and the model
 * set.
 *
 * @typedef {Object} Field
 * @property {string} name
 * @property {"number" | "integer" | "choice" | "toggle" | "lines"} kind
 * @property {string} description
 * @property {number} [minimum]
 * @property {boolean} [isExclusive] Whether the minimum itself is too low.
 * @property {number} [maximum]
 * @property {string[]} [choices]
 * @property {string} [initial] What the control shows, and a request need not say.
 * @property {readonly string[] | null} strategies The ones that take it, `null` where all do.
 */

/**
 * The fields that a request may set, by the schema of its body, with the model's own limits.
 *
 * @param {Readonly<Record<string, FieldSchema>>} properties
 * @param {Model} model
 * @returns {Field[]}
 */
export function fieldsOf(properties, model) {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const kind = kindOf(schema);
    if (kind === null || (name === "overflow" && !model.capabilities.slide)) return [];
    const { description = "", minimum, exclusiveMinimum, maximum, default: initial } = schema;
    const lowest = minimum ?? exclusiveMinimum;
    /** @type {Field} */
    const field = {
      name,
      kind,
      description,
      ...(lowest !== undefined && { minimum: lowest }),
      ...(exclusiveMinimum !== undefined && { isExclusive: true }),
      ...(maximum !== undefined && { maximum }),
      ...(schema.enum !== undefined && { choices: schema.enum.map(String) }),
      ...(initial !== undefined && kind !== "lines" && { initial: String(initial) }),
      strategies: schema["x-strategies"] ?? null,
    };
    return [{ ...field, ...limitsOf(name, model) }];
  });
}

/**
 * Whether a request with this strategy may set a field.
 *
 * @param {Field} field
 * @param {string} strategy
 */
export function isFor({ strategies }, strategy) {
  return strategies === null || strategies.includes(strategy);
}

/**
 * The value of a field, from what its control holds; `undefined` where a request need not say it.
 *
 * @param {Field} field
 * @param {string} text
 */
export function valueOf({ name, kind, initial }, text) {
  if (text === "" || text === initial) return undefined;
  switch (kind) {
    case "number":
    case "integer":
      return Number(text);
    case "toggle":
      return text === "true";
    case "lines":
      return text.split("\n").filter((line) => line !== "");
    case "choice":
      return name === "block_size" ? Number(text) : text;
  }
}

/**
 * What kind of control a field gets: none if it takes nothing that could be put in one, as those
 * fields that are accepted at a single value only.
 *
 * @param {FieldSchema} schema
 * @returns {Field["kind"] | null}
 */
function kindOf({ type, enum: choices, anyOf }) {
  switch (type) {
    case "number":
    case "integer":
      return type;
    case "boolean":
      return "toggle";
    case "string":
      return choices === undefined ? null : "choice";
  }
  const isList = anyOf?.some((each) => each.type === "array" && each.items?.type === "string");
  return isList ? "lines" : null;
}

/**
 * Limits and defaults that only the model knows.
 *
 * @param {string} name
 * @param {Model} model
 * @returns {Partial<Field>}
 */
function limitsOf(name, model) {
  const initial = model.defaults[name] ?? null;
  const own = initial === null ? {} : { initial: String(initial) };
  switch (name) {
    case "max_tokens":
      return { maximum: model.context_length };
    case "top_k":
      return { ...own, maximum: model.vocab_size };
    case "block_size":
      return {
        kind: "choice",
        choices: model.block_sizes.map(String),
        initial: String(model.default_block_size),
      };
    case "strategy":
      return { ...own, choices: model.strategies };
    default:
      return own;
  }
}
