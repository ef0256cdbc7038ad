//! A folder of videos as a catalogue: what their names and containers say of them.

use crate::media::{Facts, VIDEO_ENDINGS};
use anyhow::{Context, Result, ensure};
use recsys_core::catalogue::{ItemId, Video};
use recsys_core::manifest::sha256_hex;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A video, and where its media are.
pub struct Medium {
    pub video: Video,
    /// Why there is none, otherwise.
    pub path: Result<PathBuf>,
    /// A catalogue says what is known of it; else its container does.
    pub described: bool,
}

/// The videos below a folder, in the order of their paths. Hidden files and folders do not count, nor do links to folders.
///
/// # Errors
/// A folder cannot be read, there is no video, or two would have one id.
pub fn scan(folder: &Path) -> Result<Vec<Medium>> {
    let mut files = Vec::new();
    let mut others = 0;
    walk(folder, &mut |file| match is_video(&file) {
        true => files.push(file),
        false => others += 1,
    })?;
    files.sort();
    ensure!(
        !files.is_empty(),
        "{}: expected videos ({}), found none",
        folder.display(),
        VIDEO_ENDINGS.join(", ")
    );
    if others > 0 {
        eprintln!("{}: {others} other file(s) passed over", folder.display());
    }
    let mut media = Vec::with_capacity(files.len());
    let mut ids = std::collections::HashSet::new();
    for path in files {
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        let id = id_of(relative)?;
        ensure!(
            ids.insert(id.clone()),
            "{}: two files would have the id {:?}; rename one",
            path.display(),
            id.as_str()
        );
        let line = serde_json::json!({
            "id": id.as_str(),
            "name": title_of(relative),
            "contentUrl": url_of(relative),
        });
        media.push(Medium {
            video: Video::parse(line.to_string().as_bytes()).with_context(|| path.display().to_string())?,
            path: Ok(path),
            described: false,
        });
    }
    Ok(media)
}

/// Fills in what a container says of a video.
pub fn describe(video: &mut Video, facts: &Facts) {
    if let Some(title) = &facts.title {
        video.name.clone_from(title);
    }
    video.description = video.description.take().or_else(|| facts.description.clone());
    video.duration = facts.seconds.map(|seconds| format!("PT{seconds:.3}S"));
    video.upload_date = facts.created.clone().filter(|created| is_date(created));
}

/// A time that a camera's clock can have had: containers that know none have the start of their epoch.
fn is_date(text: &str) -> bool {
    let time = text.parse::<jiff::Timestamp>();
    time.is_ok_and(|time| time.as_second() > 86_400)
}

fn walk(folder: &Path, found: &mut impl FnMut(PathBuf)) -> Result<()> {
    let at = || format!("{}: cannot read the folder", folder.display());
    for entry in std::fs::read_dir(folder).with_context(at)? {
        let entry = entry.with_context(at)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().with_context(at)?.is_dir() {
            walk(&path, found)?;
        } else if path.is_file() {
            found(path);
        }
    }
    Ok(())
}

fn is_video(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    VIDEO_ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
}

/// A path with `escaped` bytes, and those that are no UTF-8, as `%` and two digits.
fn escaped(path: &Path, escape: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if escape(c) {
                let mut bytes = [0; 4];
                hex(c.encode_utf8(&mut bytes).as_bytes(), &mut out);
            } else {
                out.push(c);
            }
        }
        hex(chunk.invalid(), &mut out);
    }
    out
}

fn hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(out, "%{byte:02X}");
    }
}

/// The path as an id. Control characters, `%` and what is no UTF-8 are escaped as in URLs; one that is too long keeps its start,
/// and a hash of all of it.
fn id_of(relative: &Path) -> Result<ItemId> {
    let mut id = escaped(relative, |c| c.is_control() || c == '%');
    if id.len() > ItemId::MAX_BYTES {
        let mark = sha256_hex(id.as_bytes());
        let mark = mark.get(..16).unwrap_or_default();
        let end = (0..ItemId::MAX_BYTES - 17)
            .rev()
            .find(|&end| id.is_char_boundary(end));
        id.truncate(end.unwrap_or(0));
        id.push('~');
        id.push_str(mark);
    }
    ItemId::new(id).with_context(|| relative.display().to_string())
}

/// The path as a URL relative to the folder.
fn url_of(relative: &Path) -> String {
    escaped(relative, |c| {
        !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.' | '_' | '~'))
    })
}

/// The file's name as words.
fn title_of(relative: &Path) -> String {
    let stem = relative.file_stem().unwrap_or_default().to_string_lossy();
    let words: String = stem
        .chars()
        .map(|c| if c == '_' || c.is_control() { ' ' } else { c })
        .collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn names_become_ids_urls_and_titles() {
        let all = |bytes: &[u8]| {
            let path = Path::new(OsStr::from_bytes(bytes));
            (
                id_of(path).unwrap().as_str().to_owned(),
                url_of(path),
                title_of(path),
            )
        };
        assert_eq!(
            all("sea/Rød_ræv #1.mp4".as_bytes()),
            (
                "sea/Rød_ræv #1.mp4".to_owned(),
                "sea/R%C3%B8d_r%C3%A6v%20%231.mp4".to_owned(),
                "Rød ræv #1".to_owned()
            )
        );
        assert_eq!(all(b"100%\n.mp4").0, "100%25%0A.mp4");
        assert_eq!(all(b"a\xff.mp4").0, "a%FF.mp4");
        assert_ne!(all(b"a%FF.mp4").0, all(b"a\xff.mp4").0);
        let long = |end: &str| all(format!("{}{end}", "ü".repeat(200)).as_bytes()).0;
        assert!(long("a.mp4").len() <= ItemId::MAX_BYTES && long("a.mp4") != long("b.mp4"));
    }

    #[test]
    fn clocks_that_were_never_set_give_no_date() {
        for (text, date) in [
            ("2024-05-01T10:00:00.000000Z", true),
            ("1970-01-01T00:00:00.000000Z", false),
            ("1904-01-01T00:00:00.000000Z", false),
            ("yesterday", false),
        ] {
            assert_eq!(is_date(text), date, "{text}");
        }
    }
}
