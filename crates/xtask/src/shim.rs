//! The JavaScript entry of a worker around wasm-bindgen's output.
//!
//! It does what worker-build 0.8.7 does for a `fetch` handler: a class whose `fetch` calls the export with `env` and
//! `ctx`, and a fresh instance of the module after a trap.

use anyhow::{Context, Result, ensure};
use std::path::Path;

const ENTRY: &str = r#"// Made by `cargo xtask build`.
import { WorkerEntrypoint } from "cloudflare:workers";
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

export default class extends WorkerEntrypoint {
  async fetch(request) {
    if (state.criticalError) {
      wasm.__wbg_reset_state();
      state.criticalError = false;
      state.instanceId += 1;
    }
    try {
      return await wasm.fetch.call(this, request, this.env, this.ctx);
    } catch (error) {
      noteTrap(error);
      throw error;
    }
  }
}
"#;

/// Writes `worker.js` beside wasm-bindgen's `index.js`, and turns the source-phase import of the module into a plain
/// one, which is what workerd gives a compiled module for.
pub(crate) fn write(folder: &Path) -> Result<()> {
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
    std::fs::write(&index, plain)?;
    std::fs::write(folder.join("worker.js"), ENTRY)?;
    Ok(())
}
