// Which requests are for the worker of recommendations, and which for the site's files: `run_worker_first` of wrangler.toml.

import { serve } from "./static.js";

const API = ["/recs", "/healthz", "/metrics"];

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/v1/") || API.includes(pathname)) return env.API.fetch(request);
    return serve(request, env.SITE);
  },
};
