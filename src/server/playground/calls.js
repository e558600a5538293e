/**
 * A request to show.
 *
 * @typedef {Object} Call
 * @property {string} address
 * @property {Record<string, unknown>} fields
 * @property {boolean} needsKey
 */

/**
 * The request as a command for a POSIX shell. The key is left to the environment.
 *
 * @param {Call} call
 */
export function curlCall({ address, fields, needsKey }) {
  const lines = [
    `curl -N ${quote(address)}`,
    "-H 'content-type: application/json'",
    ...(needsKey ? ['-H "authorization: Bearer $API_KEY"'] : []),
    `-d ${quote(JSON.stringify(fields))}`,
  ];
  return lines.join(" \\\n  ");
}

/**
 * The request as a JavaScript program, for a page or a server.
 *
 * @param {Call} call
 */
export function javaScriptCall({ address, fields, needsKey }) {
  const headers = needsKey
    ? '{ "content-type": "application/json", authorization: `Bearer ${apiKey}` }'
    : '{ "content-type": "application/json" }';
  const body = JSON.stringify(fields, null, 2).replaceAll("\n", "\n  ");
  return `const response = await fetch(${JSON.stringify(address)}, {
  method: "POST",
  headers: ${headers},
  body: JSON.stringify(${body}),
});
for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
  console.log(text);
}`;
}

/**
 * A word of a shell, whatever is in it.
 *
 * @param {string} text
 */
function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
