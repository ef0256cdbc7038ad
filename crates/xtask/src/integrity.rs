//! Subresource integrity: the hashes of built files, written into the built files that load them, never into sources.

use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256, Sha384};
use std::collections::BTreeMap;
use std::path::Path;

/// Hashes by file name, as `integrity` attributes have them.
pub(crate) type Hashes = BTreeMap<String, String>;

/// What stands in `www/index.html` for the import map, and in `www/_headers` for its hash.
const PLACE: &str = "{import map}";

/// The hashes of these files of a folder.
pub(crate) fn of(folder: &Path, names: &[&str]) -> Result<Hashes> {
    names
        .iter()
        .map(|name| Ok(((*name).to_owned(), hash(&folder.join(name))?)))
        .collect()
}

/// Writes `integrity.json`: what `index.js` loads, and itself.
pub(crate) fn list(pkg: &Path, mut hashes: Hashes) -> Result<()> {
    hashes.append(&mut of(pkg, &["index.js"])?);
    let text = serde_json::to_string_pretty(&hashes)?;
    std::fs::write(pkg.join("integrity.json"), text + "\n").context("integrity.json")
}

/// Writes the import map of a site's page, which has the hash of every script that the page runs, and the map's own hash into
/// the site's Content-Security-Policy: a map is an inline script.
pub(crate) fn page(site: &Path) -> Result<()> {
    let mut scripts = Hashes::new();
    for folder in ["js", "pkg"] {
        let found = std::fs::read_dir(site.join(folder)).with_context(|| folder.to_owned())?;
        for entry in found {
            let path = entry?.path();
            if path.extension().is_some_and(|kind| kind == "js") {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                scripts.insert(format!("./{folder}/{name}"), hash(&path)?);
            }
        }
    }
    let map = serde_json::json!({ "integrity": scripts }).to_string();
    let allowed = format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(&map)));
    fill(&site.join("index.html"), &map)?;
    fill(&site.join("_headers"), &allowed)
}

fn hash(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    Ok(format!(
        "sha384-{}",
        BASE64_STANDARD.encode(Sha384::digest(bytes))
    ))
}

/// Replaces the one [`PLACE`] of a file, which may be a hard link to a source.
fn fill(file: &Path, with: &str) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let found = text.matches(PLACE).count();
    if found != 1 {
        bail!(
            "{}: expected `{PLACE}` once, found it {found} times; see crates/xtask/src/integrity.rs",
            file.display()
        );
    }
    std::fs::remove_file(file)?;
    std::fs::write(file, text.replace(PLACE, with)).with_context(|| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::{BASE64_STANDARD, Digest, Engine, Sha256, fill, hash, page};
    use std::path::PathBuf;

    /// The example of <https://www.w3.org/TR/SRI/>.
    const SCRIPT: &str = "alert('Hello, world.');";
    const HASH: &str = "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO";

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("recsys-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_page_gets_the_hash_of_every_script_and_the_policy_that_of_the_map() {
        let site = Folder::new("page");
        site.write("js/main.js", SCRIPT);
        site.write("pkg/index.js", SCRIPT);
        site.write("pkg/recsys.wasm", "no script");
        let html = site.write("index.html", "<script type=\"importmap\">{import map}</script>");
        let headers = site.write("_headers", "script-src 'self' {import map}");
        page(&site.0).unwrap();
        let map = format!("{{\"integrity\":{{\"./js/main.js\":\"{HASH}\",\"./pkg/index.js\":\"{HASH}\"}}}}");
        let text = std::fs::read_to_string(html).unwrap();
        assert_eq!(text, format!("<script type=\"importmap\">{map}</script>"));
        let own = BASE64_STANDARD.encode(Sha256::digest(map));
        let text = std::fs::read_to_string(headers).unwrap();
        assert_eq!(text, format!("script-src 'self' 'sha256-{own}'"));
    }

    #[test]
    fn a_source_behind_a_hard_link_stays_as_it_is() {
        let folder = Folder::new("fill");
        let source = folder.write("source", "a {import map} b");
        let built = folder.0.join("built");
        std::fs::hard_link(&source, &built).unwrap();
        fill(&built, "{}").unwrap();
        assert_eq!(std::fs::read_to_string(&built).unwrap(), "a {} b");
        assert_eq!(std::fs::read_to_string(&source).unwrap(), "a {import map} b");
        let again = fill(&built, "{}").unwrap_err().to_string();
        assert!(again.contains("found it 0 times"), "{again}");
        assert_eq!(hash(&folder.write("script", SCRIPT)).unwrap(), HASH);
    }
}
