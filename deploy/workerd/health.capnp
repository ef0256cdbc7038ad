# Whether the server on this machine is ready, for images that have no shell and no curl: `workerd test health.capnp` ends with 0
# where it is. `-eserver=HOST:PORT` names another address.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "health", worker = (
      compatibilityDate = "2026-04-01",
      modules = [(name = "health.js", esModule = embed "health.js")],
      bindings = [(name = "SERVER", service = "server")],
    )),
    (name = "server", external = (address = "127.0.0.1:8080", http = ())),
  ],
);
