//! `cargo xtask servers`: real servers to test against, from the registries that offer them.

use crate::run::{exec, step};
use crate::setup;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where those go that are in no package of Debian's.
const FOLDER: &str = ".servers";
/// The last version that PyPI has as a server of its own.
const MILVUS: &str = "milvus==2.3.5";

/// A server that tests need.
struct Server {
    name: &'static str,
    /// Its tests in `e2e/`.
    tests: &'static [&'static str],
    /// Where it is, where it is there.
    find: fn() -> Option<PathBuf>,
    install: fn() -> Result<()>,
}

const ALL: [Server; 2] = [
    Server {
        name: "redis-server",
        tests: &["redis.test.mjs", "faults.test.mjs"],
        find: || {
            setup::on_path(&["redis-cli", "valkey-cli"])?;
            setup::on_path(&["redis-server", "valkey-server"])
        },
        install: || setup::install(&["redis-server"]),
    },
    Server {
        name: "Milvus",
        tests: &["milvus.test.mjs", "faults.test.mjs"],
        find: || {
            let python = milvus().join("bin/python");
            milvus().join("installed").is_file().then_some(python)
        },
        install: install_milvus,
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
                server.tests.join(" and ")
            )
        })
        .collect()
}

fn milvus() -> PathBuf {
    Path::new(FOLDER).join("milvus-venv")
}

fn install_milvus() -> Result<()> {
    let python = setup::on_path(&["python3"]).context("python3 is needed")?;
    std::fs::create_dir_all(FOLDER)?;
    exec(Command::new(python).args(["-m", "venv", "--clear"]).arg(milvus()))?;
    let pip = || {
        let mut command = Command::new(milvus().join("bin/python"));
        command.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            MILVUS,
        ]);
        command
    };
    // A registry may fail once.
    exec(&mut pip()).or_else(|_| exec(&mut pip()))?;
    // An installation that was cut off is none.
    std::fs::write(milvus().join("installed"), MILVUS)?;
    Ok(())
}
