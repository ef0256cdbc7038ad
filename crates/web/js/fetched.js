// Fetches a file of this build: the browser refuses other bytes than those of its hash.

/** An `Error` with a name that a program can test. */
export function named(name, message) {
  const error = new Error(message);
  error.name = name;
  return error;
}

/**
 * @param {{url: string, integrity: string}} file its address, and its hash as in `integrity` of a script
 * @returns {Promise<Response>} whose bytes have been checked
 */
export async function fetched({ url, integrity }) {
  try {
    return await fetch(url, { integrity });
  } catch (error) {
    throw await refusal(url, integrity, error);
  }
}

/** Why there is no file. A browser does not tell a program, so that the server is asked once more, for the status alone. */
async function refusal(url, integrity, error) {
  const path = new URL(url).pathname;
  const answer = await fetch(url, { method: "HEAD", cache: "no-store" }).catch(() => null);
  if (!answer) return named("Network", `${path}: no answer (${error.message}); check the network, then try again`);
  if (!answer.ok) {
    return named("Network", `${path}: the server answered ${answer.status}; check that the site serves every file of the module`);
  }
  return named(
    "BadReply",
    `${path}: expected the bytes of ${integrity}, which index.js was built with, found others; ` +
      "serve all files of one build, unchanged (docs/security.md)",
  );
}
