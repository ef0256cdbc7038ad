//! A Python with LightGBM: the user's own, or an environment that this command sets up once.

use anyhow::{Context, Result, bail};
use recsys_core::manifest::sha256_hex;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = include_str!("../../../../models/ranker/requirements.txt");
/// Written last: without it, setting up was cut off.
const READY: &str = "recsys-ready";

/// A Python interpreter that can import LightGBM.
pub struct Python(PathBuf);

impl Python {
    /// The given interpreter, or the managed environment, made now if need be.
    ///
    /// # Errors
    /// There is no Python, or LightGBM cannot be imported or installed.
    pub fn find(given: Option<&Path>) -> Result<Self> {
        if let Some(path) = given {
            let python = Self(path.to_owned());
            python.check("install them there with `pip install lightgbm numpy`, or leave --python out")?;
            return Ok(python);
        }
        let version = sha256_hex(REQUIREMENTS.as_bytes());
        let folder = crate::files::cache_folder("--python")?
            .join(format!("ranker-python-{}", version.get(..12).unwrap_or(&version)));
        let python = Self(interpreter_of(&folder));
        if !folder.join(READY).is_file() {
            set_up(&folder, &python)?;
        }
        Ok(python)
    }

    /// Runs a script with one argument; `line` sees each line of its standard output as it comes.
    ///
    /// # Errors
    /// It cannot be started or fails; the error holds the end of what it wrote.
    pub fn run(&self, script: &str, argument: &Path, line: impl FnMut(&str)) -> Result<()> {
        let mut command = Command::new(&self.0);
        command.arg("-u").arg("-c").arg(script).arg(argument);
        stream(&mut command, "run the training script", line)
    }

    fn check(&self, remedy: &str) -> Result<()> {
        let mut command = Command::new(&self.0);
        command.args(["-c", "import lightgbm, numpy"]);
        output(&mut command, "import lightgbm and numpy").with_context(|| {
            format!("{} cannot import LightGBM and NumPy; {remedy}. If libgomp is missing: apt-get install libgomp1 \
                     (Debian, Ubuntu) or brew install libomp (macOS)", self.0.display())
        })
    }
}

/// Makes the environment; removes what an earlier attempt left.
fn set_up(folder: &Path, python: &Python) -> Result<()> {
    let at = || folder.display().to_string();
    eprintln!("setting up Python with LightGBM in {} (once)", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(at)?;
    }
    std::fs::create_dir_all(folder).with_context(at)?;
    let base = if cfg!(windows) { "python" } else { "python3" };
    let mut venv = Command::new(base);
    venv.args(["-m", "venv"]).arg(folder);
    output(&mut venv, "make a virtual environment").context(
        "training needs Python 3.11 or later with venv (Debian, Ubuntu: apt-get install python3-venv); or pass \
         --python with an interpreter that has LightGBM",
    )?;
    let requirements = folder.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS).with_context(at)?;
    let mut pip = Command::new(&python.0);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ])
    .arg(&requirements);
    output(&mut pip, "install LightGBM").context(
        "cannot install LightGBM with pip; check the connection to PyPI, or pass --python with an interpreter that \
         has it",
    )?;
    python.check("remove the folder and try again")?;
    std::fs::write(folder.join(READY), "").with_context(at)
}

fn interpreter_of(folder: &Path) -> PathBuf {
    if cfg!(windows) {
        folder.join("Scripts").join("python.exe")
    } else {
        folder.join("bin").join("python")
    }
}

/// Runs a command to its end.
fn output(command: &mut Command, purpose: &str) -> Result<()> {
    stream(command, purpose, |_| {})
}

/// Runs a command to its end; `line` sees each line of its standard output as it comes.
fn stream(command: &mut Command, purpose: &str, mut line: impl FnMut(&str)) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    // Into a file: a second pipe, unread while the first is, could fill and stop the command.
    let mut errors = tempfile::tempfile().context("cannot make a temporary file")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors.try_clone().context("cannot use a temporary file")?)
        .spawn()
        .with_context(|| format!("{program}: cannot start it to {purpose}; is Python installed?"))?;
    if let Some(out) = child.stdout.take() {
        for text in BufReader::new(out).lines() {
            line(&text.with_context(|| format!("{program}: {purpose}: its output"))?);
        }
    }
    let status = child.wait().with_context(|| program.clone())?;
    if status.success() {
        return Ok(());
    }
    let mut text = Vec::new();
    errors.rewind().context("a temporary file")?;
    errors.read_to_end(&mut text).context("a temporary file")?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
    bail!("{program}: {purpose}: {status}\n{}", last.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_python_is_named() {
        let error = format!(
            "{:#}",
            Python::find(Some(Path::new("/nowhere/python")))
                .map(drop)
                .unwrap_err()
        );
        assert!(
            error.contains("/nowhere/python") && error.contains("pip install lightgbm"),
            "{error}"
        );
    }

    #[test]
    fn a_failing_script_shows_its_last_words() {
        let error = output(
            Command::new("sh").args(["-c", "echo out; echo cause >&2; exit 3"]),
            "try",
        )
        .unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("cause") && text.contains('3') && text.contains("try"),
            "{text}"
        );
    }
}
