//! An R2 bucket, through the site's own wrangler: its login, its account, its version.

use super::Destination;
use anyhow::{Context, Result, bail, ensure};
use recsys_core::manifest::{self, FileEntry};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// What wrangler says of an object that is not there.
const NO_OBJECT: &str = "The specified key does not exist";

/// Which R2.
#[derive(Clone, Debug)]
pub enum Place {
    /// Cloudflare's.
    Remote,
    /// The one that `wrangler dev` keeps in this folder.
    Local(PathBuf),
}

/// A bucket, or what is under a prefix in it.
pub struct R2 {
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
    wrangler: Vec<String>,
    place: Place,
    files: TempDir,
}

impl R2 {
    /// `BUCKET[/PREFIX]`, and the command that runs wrangler, its words separated by spaces.
    ///
    /// # Errors
    /// No bucket's name, or no command.
    pub fn new(path: &str, wrangler: &str, place: Place) -> Result<Self> {
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            !bucket.is_empty() && bucket.chars().all(plain),
            "--to: expected r2://BUCKET or r2://BUCKET/PREFIX, found r2://{path}"
        );
        let prefix = prefix.trim_end_matches('/');
        let wrangler: Vec<String> = wrangler.split_whitespace().map(str::to_owned).collect();
        ensure!(
            !wrangler.is_empty(),
            "--wrangler: expected a command, such as \"npx wrangler\""
        );
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("{prefix}/")
            },
            wrangler,
            place,
            files: tempfile::tempdir().context("cannot make a folder for temporary files")?,
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{}{name}", self.bucket, self.prefix)
    }

    fn object(&self, action: &str, name: &str, file: Option<&Path>) -> Result<Output> {
        let mut words = self.wrangler.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command
            .args(words)
            .args(["r2", "object", action, &self.key(name)]);
        if let Some(file) = file {
            command.arg("--file").arg(file);
        }
        match &self.place {
            Place::Remote => command.arg("--remote"),
            Place::Local(folder) => command.arg("--local").arg("--persist-to").arg(folder),
        };
        let output = command.stdin(std::process::Stdio::null()).output();
        output.with_context(|| {
            format!(
                "{}: cannot run it; install wrangler, or say with --wrangler how it is run",
                self.wrangler.join(" ")
            )
        })
    }

    fn done(&self, action: &str, name: &str, file: Option<&Path>) -> Result<()> {
        let output = self.object(action, name, file)?;
        if !output.status.success() {
            bail!(
                "r2://{}: wrangler r2 object {action}: {}",
                self.key(name),
                said(&output)
            );
        }
        Ok(())
    }
}

/// What a failed wrangler said, without its banner.
fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    let lines: Vec<&str> = lines
        .filter(|line| line.contains(|c: char| c.is_ascii_alphabetic()))
        .collect();
    format!("{}: {}", output.status, lines.join("; "))
}

impl Destination for R2 {
    fn name(&self) -> String {
        format!("r2://{}", self.key("")).trim_end_matches('/').to_owned()
    }

    fn manifest(&self) -> Result<Option<Vec<u8>>> {
        let file = self.files.path().join("got");
        let output = self.object("get", manifest::FILE_NAME, Some(&file))?;
        if output.status.success() {
            let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
            return Ok(Some(bytes));
        }
        let said = said(&output);
        ensure!(
            said.contains(NO_OBJECT),
            "r2://{}: wrangler r2 object get: {said}",
            self.key(manifest::FILE_NAME)
        );
        Ok(None)
    }

    /// The manifest names only what was put before it.
    fn holds(&self, _: &FileEntry) -> Result<bool> {
        Ok(true)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let file = self.files.path().join("put");
        std::fs::write(&file, bytes).with_context(|| file.display().to_string())?;
        self.done("put", name, Some(&file))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.done("delete", name, None)
    }

    /// wrangler lists no objects.
    fn names(&self) -> Result<Option<Vec<String>>> {
        Ok(None)
    }
}
