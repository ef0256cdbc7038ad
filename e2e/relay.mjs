// A TCP relay in front of a server, which can be taken away while the server itself stays as it is.

import net from "node:net";

/** Starts one on a free port of loopback; `down` breaks every connection and refuses new ones, `up` takes them again. */
export async function startRelay(port) {
  const open = new Set();
  const serve = (socket) => {
    const upstream = net.connect({ port, host: "127.0.0.1" });
    for (const end of [socket, upstream]) {
      // It must not wait for more to send on.
      end.setNoDelay(true);
      open.add(end);
      end.on("close", () => open.delete(end)).on("error", () => {});
    }
    socket.pipe(upstream).pipe(socket);
    socket.on("close", () => upstream.destroy());
    upstream.on("close", () => socket.destroy());
  };
  let server;
  let own = 0;
  const up = () =>
    new Promise((resolve, reject) => {
      server = net.createServer(serve).on("error", reject);
      server.listen(own, "127.0.0.1", () => {
        own = server.address().port;
        resolve();
      });
    });
  const down = () =>
    new Promise((resolve) => {
      server.close(resolve);
      for (const socket of open) socket.destroy();
    });
  await up();
  return { port: own, up, down };
}
