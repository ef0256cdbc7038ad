// The worker of recommendations, with the variables that are set.
//
// workerd binds an environment variable that is not set to null, for which the worker has no meaning: on Cloudflare such
// a variable is not there.

import Worker, * as objects from "./worker.js";

const set = (env) => Object.fromEntries(Object.entries(env).filter(([, value]) => value !== null));

const withSet = (Class) =>
  class extends Class {
    constructor(ctx, env) {
      super(ctx, set(env));
    }
  };

export default class extends withSet(Worker) {}
export class Aggregates extends withSet(objects.Aggregates) {}
export class History extends withSet(objects.History) {}
export class Outbox extends withSet(objects.Outbox) {}
