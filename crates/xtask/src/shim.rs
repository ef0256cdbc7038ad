//! The JavaScript entry of a worker around wasm-bindgen's output.
//!
//! It does what worker-build 0.8.7 does for a `fetch` and a `queue` handler and for a Durable Object: classes whose methods call the
//! export with `env` and `ctx`, and a fresh instance of the module after a trap.

use anyhow::{Context, Result, ensure};
use std::path::Path;

const ENTRY: &str = r#"// Made by `cargo xtask build`.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as wasm from "./index.js";

const state = wasm.__worker_init_state();

function noteTrap(error) {
  if (error instanceof WebAssembly.RuntimeError) {
    console.error("wasm trap:", error);
    state.criticalError = true;
  }
}

// A trap outside the handler's own promise still means a fresh instance for the next request.
addEventListener("error", (event) => noteTrap(event.error));

function freshAfterTrap() {
  if (!state.criticalError) return;
  wasm.__wbg_reset_state();
  state.criticalError = false;
  state.instanceId += 1;
}

export default class extends WorkerEntrypoint {
  async fetch(request) {
    freshAfterTrap();
    try {
      return await wasm.fetch.call(this, request, this.env, this.ctx);
    } catch (error) {
      noteTrap(error);
      throw error;
    }
  }
QUEUE}
"#;

/// What the class has beside, where the module takes messages out of a queue.
const QUEUE: &str = r#"
  async queue(batch) {
    freshAfterTrap();
    try {
      return await wasm.queue.call(this, batch, this.env, this.ctx);
    } catch (error) {
      noteTrap(error);
      throw error;
    }
  }
"#;

/// A Durable Object; `NAME` is its class. Its half in Rust is made anew where the module was.
const OBJECT: &str = r#"
export class NAME extends DurableObject {
  #inner;
  #instance;

  async #call(method, ...args) {
    freshAfterTrap();
    if (this.#instance !== state.instanceId) {
      this.#inner = new wasm.NAME(this.ctx, this.env);
      this.#instance = state.instanceId;
    }
    try {
      return await this.#inner[method](...args);
    } catch (error) {
      noteTrap(error);
      throw error;
    }
  }

  fetch(request) {
    return this.#call("fetch", request);
  }
ALARM}
"#;

/// What an object has beside, where its half in Rust does: the runtime asks the class whether there is one.
const ALARM: &str = r#"
  alarm() {
    return this.#call("alarm");
  }
"#;

/// Writes `worker.js` beside wasm-bindgen's `index.js`, with the Durable Objects of these classes, and turns the source-phase import of the module into a plain
/// one, which is what workerd gives a compiled module for.
pub(crate) fn write(folder: &Path, objects: &[&str]) -> Result<()> {
    let index = folder.join("index.js");
    let text = std::fs::read_to_string(&index).with_context(|| index.display().to_string())?;
    let plain = text.replace("import source ", "import ");
    for export in ["__worker_init_state", "__wbg_reset_state", "fetch"] {
        ensure!(
            plain.contains(export),
            "{}: expected an export {export}; the pinned versions have drifted",
            index.display()
        );
    }
    let queue = match plain.contains("export function queue(") {
        true => QUEUE,
        false => "",
    };
    let mut entry = ENTRY.replace("QUEUE", queue);
    for name in objects {
        let (_, class) = plain
            .split_once(&format!("export class {name} "))
            .with_context(|| {
                format!(
                    "{}: expected a class {name}, as crates/xtask/src/wasm.rs names it",
                    index.display()
                )
            })?;
        let (class, _) = class.split_once("\n}").unwrap_or((class, ""));
        let alarm = if class.contains("\n    alarm()") {
            ALARM
        } else {
            ""
        };
        entry.push_str(&OBJECT.replace("NAME", name).replace("ALARM", alarm));
    }
    std::fs::write(&index, plain)?;
    std::fs::write(folder.join("worker.js"), entry)?;
    Ok(())
}
