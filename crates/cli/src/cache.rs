//! What was encoded before, kept between runs: a folder of files named by a hash of all that their content depends on.
//!
//! A file is a SHA-256 and then the bytes that it is of. One that is damaged, or that somebody else wrote, is told and made
//! again. Nothing is lost with the folder but time.

use anyhow::{Context, Result};
use recsys_core::manifest::{FileDigest, sha256_hex};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime};

/// Where files are while they are written.
const UNFINISHED: &str = "unfinished";

/// An open cache; without a folder, one that is always empty.
pub struct Cache {
    folder: Option<PathBuf>,
    told: Once,
}

/// All that a file's content depends on, part by part.
pub struct Key(FileDigest);

impl Key {
    /// Of one kind of files, as this version of the command makes them.
    pub fn of(kind: &str) -> Self {
        Self(FileDigest::default())
            .with(env!("CARGO_PKG_VERSION"))
            .with(kind)
    }

    /// With one more part.
    #[must_use]
    pub fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.add(&(part.len() as u64).to_le_bytes());
        self.0.add(part);
        self
    }
}

impl Cache {
    /// A cache that keeps nothing.
    pub const fn none() -> Self {
        Self {
            folder: None,
            told: Once::new(),
        }
    }

    /// Whether it keeps nothing.
    pub const fn is_none(&self) -> bool {
        self.folder.is_none()
    }

    /// Opens a folder, which is made.
    ///
    /// # Errors
    /// It cannot be made or written.
    pub fn open(folder: &Path) -> Result<Self> {
        let unfinished = folder.join(UNFINISHED);
        fs::create_dir_all(&unfinished).with_context(|| {
            format!(
                "{}: cannot make the cache's folder; choose one with --cache DIR, or do without with --no-cache",
                folder.display()
            )
        })?;
        sweep(&unfinished);
        Ok(Self {
            folder: Some(folder.to_owned()),
            told: Once::new(),
        })
    }

    /// What is kept under a key, as `parse` reads it.
    pub fn get<T>(&self, key: Key, parse: impl FnOnce(&[u8]) -> Option<T>) -> Lookup<T> {
        let Some(folder) = &self.folder else {
            return Lookup::Missing(Place(None));
        };
        let name = key.0.sha256();
        let (start, rest) = name.split_at(2);
        let path = folder.join(start).join(rest);
        let place = Place(Some(path.clone()));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Lookup::Missing(place),
            Err(error) => {
                eprintln!(
                    "warning: {}: cannot read it ({error}); made again",
                    path.display()
                );
                return Lookup::Missing(place);
            }
        };
        let content = bytes
            .split_at_checked(32)
            .filter(|(hash, content)| Sha256::digest(content)[..] == **hash)
            .and_then(|(_, content)| parse(content));
        match content {
            Some(content) => Lookup::Found(content),
            None => {
                eprintln!(
                    "warning: {}: damaged, or no file of recsys; made again",
                    path.display()
                );
                Lookup::Missing(place)
            }
        }
    }

    /// Keeps bytes where they were missing. A failure is told once: the work goes on without.
    pub fn put(&self, place: Place, bytes: &[u8]) {
        let (Some(folder), Place(Some(path))) = (&self.folder, place) else {
            return;
        };
        let put = || -> Result<()> {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            // Not waited for until it is on the disk: what a power cut leaves is found damaged, and made again.
            let mut file = tempfile::NamedTempFile::new_in(folder.join(UNFINISHED))?;
            file.write_all(&Sha256::digest(bytes))?;
            file.write_all(bytes)?;
            file.persist(&path)?;
            Ok(())
        };
        if let Err(error) = put() {
            self.told.call_once(|| {
                eprintln!(
                    "warning: {}: the cache cannot be written: {error:#}",
                    path.display()
                );
            });
        }
    }
}

/// What comes of looking.
pub enum Lookup<T> {
    Found(T),
    /// And where to keep it once it is made.
    Missing(Place),
}

/// Where something is kept.
pub struct Place(Option<PathBuf>);

/// Takes away what interrupted runs have left; what is younger than a day may be another run's.
fn sweep(unfinished: &Path) {
    let old = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|data| data.modified()).ok()?;
        SystemTime::now().duration_since(modified).ok()
    };
    for entry in fs::read_dir(unfinished).into_iter().flatten().flatten() {
        if old(&entry).is_some_and(|age| age > Duration::from_secs(86_400)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What tells two states of a file apart without reading it, where its content was as it is now for some time: a write within
/// the clock's grain would not be seen.
pub fn state_of(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let data = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let settled = |seconds: i64| i64::try_from(now.as_secs()).is_ok_and(|now| seconds < now - 2);
    (settled(data.mtime()) && settled(data.ctime())).then(|| {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let state = format!(
            "{} {} {} {}.{} {}.{}",
            data.dev(),
            data.ino(),
            data.size(),
            data.mtime(),
            data.mtime_nsec(),
            data.ctime(),
            data.ctime_nsec()
        );
        sha256_hex(&[path.as_os_str().as_encoded_bytes(), b"\0", state.as_bytes()].concat())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }

    fn keep(cache: &Cache, key: fn() -> Key, bytes: &[u8]) -> PathBuf {
        match cache.get(key(), text) {
            Lookup::Missing(Place(Some(path))) => {
                cache.put(Place(Some(path.clone())), bytes);
                path
            }
            _ => panic!("it should be missing"),
        }
    }

    #[test]
    fn what_was_kept_is_found_and_damage_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let key = || Key::of("test").with("a").with("bc");
        let path = keep(&cache, key, b"content");
        assert!(matches!(cache.get(key(), text), Lookup::Found(found) if found == "content"));
        let other = Key::of("test").with("ab").with("c");
        assert!(matches!(cache.get(other, text), Lookup::Missing(_)));
        let whole = fs::read(&path).unwrap();
        for damaged in [
            &whole[..whole.len() - 1],
            &b""[..],
            b"somebody else's file, longer than a hash",
        ] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(cache.get(key(), text), Lookup::Missing(_)));
        }
        fs::write(&path, &whole).unwrap();
        assert!(matches!(cache.get(key(), |_| None::<()>), Lookup::Missing(_)));
        assert_eq!(fs::read_dir(folder.path().join(UNFINISHED)).unwrap().count(), 0);
    }

    #[test]
    fn without_a_folder_nothing_is_kept() {
        let cache = Cache::none();
        cache.put(Place(None), b"x");
        assert!(matches!(cache.get(Key::of("k"), text), Lookup::Missing(_)));
    }

    #[test]
    fn a_file_that_was_just_written_has_no_state_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"x").unwrap();
        assert_eq!(state_of(&path), None);
        assert_eq!(state_of(folder.path()), None);
    }
}
