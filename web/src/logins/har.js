/** A HAR without what pages said: only what the requests of a login need is sent to the server. */

const NEEDED = new Set(["cookie", "authorization", "user-agent", "set-cookie", "x-auth-token", "x-api-key", "private-token"]);

const headers = (side) => (side?.headers ?? []).filter((each) => NEEDED.has(String(each?.name).toLowerCase())).map(({ name, value }) => ({ name, value }));

/** The text of a file, a HAR's shortened; `requests` is how many it has, null for another text. */
export function shortened(text) {
  let entries;
  try {
    ({ entries } = JSON.parse(text).log);
  } catch {
    return { text, requests: null };
  }
  if (!Array.isArray(entries)) return { text, requests: null };
  const kept = entries.map(({ request, response }) => ({
    request: { url: request?.url ?? "", headers: headers(request), cookies: (request?.cookies ?? []).map(({ name, value }) => ({ name, value })) },
    response: { headers: headers(response) },
  }));
  return { text: JSON.stringify({ log: { entries: kept } }), requests: entries.length };
}
