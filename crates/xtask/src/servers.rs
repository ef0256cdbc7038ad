//! `cargo xtask servers`: real servers to test against, from the registries that offer them.

use crate::run::{exec, step};
use crate::setup;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

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

fn folder_of(package: Package) -> PathBuf {
    Path::new(FOLDER).join(package.folder)
}

fn python(package: Package) -> PathBuf {
    folder_of(package).join("bin/python")
}

/// Its Python, where this version was installed to the end.
fn installed(package: Package) -> Option<PathBuf> {
    let done = std::fs::read_to_string(folder_of(package).join("installed")).ok()?;
    (done == package.version).then(|| python(package))
}

fn install(package: Package) -> Result<()> {
    let system = setup::on_path(&["python3"]).context("python3 is needed")?;
    std::fs::create_dir_all(FOLDER)?;
    exec(
        Command::new(system)
            .args(["-m", "venv", "--clear"])
            .arg(folder_of(package)),
    )?;
    let pip = || {
        let mut command = Command::new(python(package));
        command.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            package.version,
        ]);
        command
    };
    // A registry may fail once.
    exec(&mut pip()).or_else(|_| exec(&mut pip()))?;
    std::fs::write(folder_of(package).join("installed"), package.version)?;
    Ok(())
}
