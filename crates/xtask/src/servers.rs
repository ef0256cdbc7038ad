//! `cargo xtask servers`: real servers to test against, from the registries that offer them.

use crate::run::step;
use crate::{python, setup};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Where those go that are in no package of Debian's.
const FOLDER: &str = ".servers";
/// A package of PyPI's, in a virtual environment of its own.
#[derive(Clone, Copy)]
struct Package {
    folder: &'static str,
    version: &'static str,
}

/// The last version that PyPI has as a server of its own.
const MILVUS: Package = Package {
    folder: "milvus-venv",
    version: "milvus==2.3.5",
};
/// Has the schemas of Kubernetes, and refuses fields that they do not know.
const VALIDATOR: Package = Package {
    folder: "kubernetes-venv",
    version: "kubernetes-validate==1.37.0",
};

/// A server that tests need.
struct Server {
    name: &'static str,
    /// Its tests in `e2e/`.
    tests: &'static [&'static str],
    /// Where it is, where it is there.
    find: fn() -> Option<PathBuf>,
    install: fn() -> Result<()>,
}

const ALL: [Server; 3] = [
    Server {
        name: "redis-server",
        tests: &[
            "engines/redis.test.mjs",
            "engines/engine_faults.test.mjs",
            "engines/engine_page.test.mjs",
        ],
        find: || {
            setup::on_path(&["redis-cli", "valkey-cli"])?;
            setup::on_path(&["redis-server", "valkey-server"])
        },
        install: || setup::install(&["redis-server"]),
    },
    Server {
        name: "Milvus",
        tests: &[
            "engines/milvus.test.mjs",
            "engines/engine_faults.test.mjs",
            "engines/engine_page.test.mjs",
        ],
        find: || installed(MILVUS),
        install: || install(MILVUS),
    },
    Server {
        name: "kubernetes-validate",
        tests: &["deploy.test.mjs"],
        find: || installed(VALIDATOR),
        install: || install(VALIDATOR),
    },
];

/// Installs the servers that are missing.
pub(crate) fn run() -> Result<()> {
    for server in &ALL {
        if (server.find)().is_none() {
            step(&format!("installing {}", server.name), server.install)
                .with_context(|| format!("{} cannot be installed here", server.name))?;
        }
        let found = (server.find)().with_context(|| format!("{} is not where it should be", server.name))?;
        println!("{}: {}", server.name, found.display());
    }
    Ok(())
}

/// The folder of servers, for tests.
pub(crate) fn folder() -> Result<PathBuf> {
    Ok(std::env::current_dir()?.join(FOLDER))
}

/// What was skipped for want of a server, a line each.
pub(crate) fn skipped() -> Vec<String> {
    let missing = ALL.iter().filter(|server| (server.find)().is_none());
    missing
        .map(|server| {
            format!(
                "skipped, because {} is not installed (`cargo xtask servers` installs it): what needs it in {}",
                server.name,
                server.tests.join(", ")
            )
        })
        .collect()
}

/// Its Python, where this version was installed to the end.
fn installed(package: Package) -> Option<PathBuf> {
    python::made(Path::new(FOLDER), package.folder, &[package.version])
}

fn install(package: Package) -> Result<()> {
    python::environment(Path::new(FOLDER), package.folder, &[package.version]).map(drop)
}
