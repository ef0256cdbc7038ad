# recsys on plain workerd, without Cloudflare:
#
#     workerd serve deploy/workerd/config.capnp
#
# Files of code are named relative to this file, folders relative to where workerd is started, which is the folder that has `deploy`
# and `dist`; `-dsite=DIR`, `-dmodel=DIR` and `-ddata=DIR` name others, `-shttp=HOST:PORT` another address. What can be set
# stands in deploy/README.md.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "router", worker = .router),
    (name = "api", worker = .api),
    (name = "encoder", worker = .encoder),
    (name = "last-seen", worker = .lastSeen),

    # The site with its bundle. A listing of a folder is JSON of another type than a file has: router and static.js let none out.
    (name = "site", disk = (path = "dist/site")),
    # The encoder's model.
    (name = "model", disk = (path = "dist/model")),
    # All that is ever written: Durable Objects, and the highest sequence served.
    (name = "data", disk = (path = "/var/lib/recsys", writable = true)),

    # Redis, Kafka's REST proxy and Milvus stand on private networks.
    (name = "network", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
    # For what asks for nothing but its bindings.
    (name = "nowhere", network = (allow = [])),
  ],
  sockets = [(name = "http", address = "*:8080", http = (), service = "router")],
);

const compatibilityDate :Text = "2026-04-01";  # that of wrangler.toml

const router :Workerd.Worker = (
  compatibilityDate = .compatibilityDate,
  globalOutbound = "nowhere",
  modules = [
    (name = "router.js", esModule = embed "router.js"),
    (name = "static.js", esModule = embed "static.js"),
    (name = "headers.js", esModule = embed "headers.js"),
  ],
  bindings = [(name = "API", service = "api"), (name = "SITE", service = "site")],
);

const api :Workerd.Worker = (
  compatibilityDate = .compatibilityDate,
  globalOutbound = "network",
  cacheApiOutbound = "last-seen",
  modules = [
    (name = "api.js", esModule = embed "api.js"),
    (name = "worker.js", esModule = embed "../../dist/edge-worker/worker.js"),
    (name = "index.js", esModule = embed "../../dist/edge-worker/index.js"),
    (name = "index_bg.wasm", wasm = embed "../../dist/edge-worker/index_bg.wasm"),
    # The hash is that of the crate `worker` in Cargo.lock: it changes with that alone.
    (name = "snippets/worker-64cc4b2d035528c7/inline0.js",
     esModule = embed "../../dist/edge-worker/snippets/worker-64cc4b2d035528c7/inline0.js"),
  ],
  durableObjectStorage = (localDisk = "data"),
  # A key names a folder below `data`. Change one, and what lies there is lost.
  durableObjectNamespaces = [
    (className = "Aggregates", uniqueKey = "recsys-aggregates", enableSql = true),
    (className = "History", uniqueKey = "recsys-history", enableSql = true),
    (className = "Outbox", uniqueKey = "recsys-outbox", enableSql = true),
  ],
  bindings = [
    (name = "ASSETS", service = "site"),
    (name = "ENCODER", service = "encoder"),
    (name = "AGGREGATES", durableObjectNamespace = "Aggregates"),
    (name = "HISTORY", durableObjectNamespace = "History"),
    (name = "OUTBOX", durableObjectNamespace = "Outbox"),

    # Environment variables. One that is not set is bound to null, which api.js takes out.
    (name = "ALLOWED_ORIGINS", fromEnvironment = "ALLOWED_ORIGINS"),
    (name = "DEADLINE_MS", fromEnvironment = "DEADLINE_MS"),
    (name = "MEMORY_MIB", fromEnvironment = "MEMORY_MIB"),
    (name = "BUNDLE_KEYS", fromEnvironment = "BUNDLE_KEYS"),
    (name = "BUNDLE_NAME", fromEnvironment = "BUNDLE_NAME"),
    (name = "AGGREGATES_ENABLED", fromEnvironment = "AGGREGATES_ENABLED"),
    (name = "AGGREGATES_TOKEN", fromEnvironment = "AGGREGATES_TOKEN"),
    (name = "HISTORY_ENABLED", fromEnvironment = "HISTORY_ENABLED"),
    (name = "HISTORY_DAYS", fromEnvironment = "HISTORY_DAYS"),
    (name = "HISTORY_STORE", fromEnvironment = "HISTORY_STORE"),
    (name = "FEATURE_STORE", fromEnvironment = "FEATURE_STORE"),
    (name = "REDIS_URL", fromEnvironment = "REDIS_URL"),
    (name = "REDIS_PREFIX", fromEnvironment = "REDIS_PREFIX"),
    (name = "REDIS_DEADLINE_MS", fromEnvironment = "REDIS_DEADLINE_MS"),
    (name = "EVENT_SINK", fromEnvironment = "EVENT_SINK"),
    (name = "KAFKA_REST_URL", fromEnvironment = "KAFKA_REST_URL"),
    (name = "KAFKA_REST_VERSION", fromEnvironment = "KAFKA_REST_VERSION"),
    (name = "KAFKA_REST_CLUSTER", fromEnvironment = "KAFKA_REST_CLUSTER"),
    (name = "KAFKA_REST_TIMEOUT_MS", fromEnvironment = "KAFKA_REST_TIMEOUT_MS"),
    (name = "KAFKA_TOPIC", fromEnvironment = "KAFKA_TOPIC"),
    (name = "KAFKA_REST_AUTHORIZATION", fromEnvironment = "KAFKA_REST_AUTHORIZATION"),
    (name = "OUTBOX_MAX", fromEnvironment = "OUTBOX_MAX"),
    (name = "OUTBOX_SHARDS", fromEnvironment = "OUTBOX_SHARDS"),
    (name = "CANDIDATES", fromEnvironment = "CANDIDATES"),
    (name = "MILVUS_URL", fromEnvironment = "MILVUS_URL"),
    (name = "MILVUS_API", fromEnvironment = "MILVUS_API"),
    (name = "MILVUS_COLLECTION", fromEnvironment = "MILVUS_COLLECTION"),
    (name = "MILVUS_TOKEN", fromEnvironment = "MILVUS_TOKEN"),
    (name = "MILVUS_DEADLINE_MS", fromEnvironment = "MILVUS_DEADLINE_MS"),
    (name = "METRICS_ENABLED", fromEnvironment = "METRICS_ENABLED"),
    (name = "METRICS_TOKEN", fromEnvironment = "METRICS_TOKEN"),
  ],
);

const encoder :Workerd.Worker = (
  compatibilityDate = .compatibilityDate,
  globalOutbound = "nowhere",
  modules = [
    (name = "worker.js", esModule = embed "../../dist/edge-encoder/worker.js"),
    (name = "index.js", esModule = embed "../../dist/edge-encoder/index.js"),
    (name = "index_bg.wasm", wasm = embed "../../dist/edge-encoder/index_bg.wasm"),
    (name = "snippets/worker-64cc4b2d035528c7/inline0.js",
     esModule = embed "../../dist/edge-encoder/snippets/worker-64cc4b2d035528c7/inline0.js"),
  ],
  bindings = [(name = "ASSETS", service = "model")],
);

const lastSeen :Workerd.Worker = (
  compatibilityDate = .compatibilityDate,
  globalOutbound = "nowhere",
  modules = [(name = "last_seen.js", esModule = embed "last_seen.js")],
  bindings = [(name = "DATA", service = "data")],
);
