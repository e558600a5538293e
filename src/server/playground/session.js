/** @typedef {import("./fields.js").Model} Model */
/** @typedef {import("./fields.js").FieldSchema} FieldSchema */

/**
 * What the server offers, by its own account.
 *
 * @typedef {Object} Session
 * @property {Model} model The one that was chosen.
 * @property {boolean} isDefault Whether requests need not name it.
 * @property {(name: string) => Readonly<Record<string, FieldSchema>>} fieldsOf Of a request's schema.
 */

/** @typedef {{ data: Model[] }} ModelList */
/** @typedef {{ components: { schemas: Record<string, { properties?: Record<string, FieldSchema> }> } }} Document */

/**
 * Asks the server what it has.
 *
 * @param {import("./api.js").Api} api
 * @returns {Promise<{ models: Model[], sessionOf: (id: string) => Session }>}
 */
export async function openSessions(api) {
  const [list, document] = await Promise.all([api.get("v1/models"), api.get("openapi.json")]);
  const { data: models } = /** @type {ModelList} */ (list);
  const { schemas } = /** @type {Document} */ (document).components;
  return {
    models,
    sessionOf: (id) => {
      const model = models.find((each) => each.id === id);
      if (model === undefined) throw new RangeError(`Cannot use the model ${id}: there is none`);
      const fieldsOf = (/** @type {string} */ name) => schemas[name]?.properties ?? {};
      return { model, isDefault: model === models[0], fieldsOf };
    },
  };
}

/**
 * The beginning of a request to the chosen model.
 *
 * @param {Session} session
 * @returns {Record<string, unknown>}
 */
export function requestTo({ model, isDefault }) {
  return isDefault ? {} : { model: model.id };
}

/** A seed as the server would draw one. */
export function drawSeed() {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high % 2 ** 21) * 2 ** 32 + low;
}
