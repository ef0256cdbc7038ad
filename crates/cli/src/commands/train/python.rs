//! A Python with LightGBM: the user's own, or an environment that this command sets up once.

use anyhow::{Context, Result, bail, ensure};
use recsys_core::manifest::sha256_hex;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = include_str!("../../../../../models/ranker/requirements.txt");
/// Written last: without it, setting up was cut off.
const READY: &str = "recsys-ready";

/// A Python interpreter that can import LightGBM.
pub(super) struct Python(PathBuf);

impl Python {
    /// The given interpreter, or the managed environment, made now if need be.
    ///
    /// # Errors
    /// There is no Python, or LightGBM cannot be imported or installed.
    pub(super) fn find(given: Option<&Path>) -> Result<Self> {
        if let Some(path) = given {
            let python = Self(path.to_owned());
            python.check("install them there with `pip install lightgbm numpy`, or leave --python out")?;
            return Ok(python);
        }
        let version = sha256_hex(REQUIREMENTS.as_bytes());
        let folder = cache_folder()?.join(format!("ranker-python-{}", version.get(..12).unwrap_or(&version)));
        let python = Self(interpreter_of(&folder));
        if !folder.join(READY).is_file() {
            set_up(&folder, &python)?;
        }
        Ok(python)
    }

    /// Runs a script with one argument and returns its standard output.
    ///
    /// # Errors
    /// It cannot be started or fails; the error holds the end of what it wrote.
    pub(super) fn run(&self, script: &str, argument: &Path) -> Result<String> {
        let mut command = Command::new(&self.0);
        command.arg("-c").arg(script).arg(argument);
        output(&mut command, "run the training script")
    }

    fn check(&self, remedy: &str) -> Result<()> {
        let mut command = Command::new(&self.0);
        command.args(["-c", "import lightgbm, numpy"]);
        output(&mut command, "import lightgbm and numpy").map(drop).with_context(|| {
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

/// The user's cache folder for this program.
fn cache_folder() -> Result<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = || {
        let home = variable("HOME")?;
        Some(if cfg!(target_os = "macos") {
            home.join("Library/Caches")
        } else {
            home.join(".cache")
        })
    };
    let base = variable("XDG_CACHE_HOME")
        .or_else(|| variable("LOCALAPPDATA"))
        .or_else(home);
    match base {
        Some(base) => Ok(base.join("recsys")),
        None => bail!("cannot tell the user's cache folder; set XDG_CACHE_HOME or HOME, or pass --python"),
    }
}

/// Runs a command to its end; standard output on success.
fn output(command: &mut Command, purpose: &str) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{program}: cannot start it to {purpose}; is Python installed?"))?;
    let errors = String::from_utf8_lossy(&done.stderr);
    let last: Vec<&str> = errors.lines().rev().take(12).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    ensure!(
        done.status.success(),
        "{program}: {purpose}: {}\n{}",
        done.status,
        last.join("\n")
    );
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
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
