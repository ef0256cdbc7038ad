// A server in front of the site that writes down every request as it came over the wire.

import http from "node:http";

/**
 * Starts a recorder on a free loopback port.
 * @param {string} target the site's address, without a slash at its end
 * @returns {Promise<{url: string, take: () => Recorded[], dispose: () => Promise<void>}>} `take` gives what came since the last
 *   call, in the order in which it came
 *
 * @typedef {{request: string, headers: string[], body: string, status: number, answerBytes: number}} Recorded `request` is
 *   method and path; the headers are in their order and case
 */
export async function startRecorder(target) {
  let recorded = [];
  const server = http.createServer(async (request, response) => {
    const entry = { request: `${request.method} ${request.url}`, headers: request.rawHeaders };
    recorded.push(entry);
    const body = Buffer.concat(await request.toArray());
    entry.body = body.toString("latin1");
    const onward = http.request(target + request.url, { method: request.method, headers: request.headers }, async (answer) => {
      const bytes = Buffer.concat(await answer.toArray());
      Object.assign(entry, { status: answer.statusCode, answerBytes: bytes.length });
      response.writeHead(answer.statusCode, answer.rawHeaders);
      response.end(bytes);
    });
    onward.on("error", () => response.destroy());
    onward.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    take: () => recorded.splice(0),
    dispose: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}
