use super::*;
use crate::bundle::{BundleWriter, Contents, write_segment};
use crate::files::UNFINISHED;
use crate::signing::Signing;
use indicatif::ProgressBar;
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::items::dictionaries::{Counts, Dictionaries};
use recsys_core::items::{ItemRecord, NO_CELL};
use recsys_core::manifest::SearchSettings;
use std::cell::RefCell;

const DIM: usize = 8;

/// A bundle of two videos; another `kind`, other files.
fn bundle(folder: &Path, sequence: u64, kind: usize) {
    let rows = [0, 1];
    let vectors = rows.iter().flat_map(|row| {
        let axis = (*row as usize + kind) % DIM;
        (0..DIM).map(move |i| if i == axis { 1.0 } else { 0.0 })
    });
    let record = |row: &u32| ItemRecord {
        id: ItemId::new(format!("v{row}-{kind}")).unwrap(),
        facts: ItemFacts::unknown(),
        min_age: None,
        cell: NO_CELL,
        card: "{}".to_owned(),
    };
    let writer = BundleWriter::new(folder, &Signing::default()).unwrap();
    let contents = Contents {
        records: &rows.iter().map(record).collect::<Vec<_>>(),
        counts: Counts::default(),
        vectors: &vectors.collect::<Vec<_>>(),
        mean: &[0.0; DIM],
        graph_above: Some(100),
        neighbours: None,
    };
    let segment = write_segment(&writer, &contents, &rows, &[], &ProgressBar::hidden()).unwrap();
    let lists = writer
        .add("dictionaries", "bin", &Dictionaries::default().to_bytes())
        .unwrap();
    let search = SearchSettings {
        ef: 8,
        flat_up_to: 100,
    };
    let created = "2026-01-01T00:00:00Z".to_owned();
    let manifest = Manifest::new(sequence, created, DIM as u32, 2, search, lists, vec![segment]);
    writer.publish(&manifest).unwrap();
}

fn signer() -> Signer {
    Signing::default().signer().unwrap()
}

fn plan(source: &Path, to: &Path, as_new: bool) -> Result<Plan> {
    Plan::new(source, &Folder::new(to)?, &signer(), as_new)
}

fn publish(source: &Path, to: &Path, as_new: bool) -> Result<Plan> {
    let plan = plan(source, to, as_new)?;
    let folder = Folder::new(to)?;
    plan.steps.iter().try_for_each(|step| plan.run(step, &folder))?;
    Ok(plan)
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

struct Three(tempfile::TempDir);

impl Three {
    /// Bundles with sequences 1, 2 and 3 of different content.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=3 {
            bundle(&folder.path().join(number.to_string()), number, number as usize);
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn a_publisher_that_stops_after_any_step_leaves_the_old_bundle_or_the_new_one() {
    let three = Three::new();
    let all = plan(&three.path("3"), &three.path("none"), false).unwrap();
    // Three files, the manifest; and after two bundles before it, of which all have one file in common, the two files of the
    // first.
    assert_eq!(all.steps.len(), 4);
    for stop in 0..=5 {
        let to = three.path(&format!("to-{stop}"));
        publish(&three.path("1"), &to, false).unwrap();
        publish(&three.path("2"), &to, false).unwrap();
        let old = Bundle::open(&to).unwrap();
        let plan = plan(&three.path("3"), &to, false).unwrap();
        assert_eq!(plan.steps.len(), 5, "{:?}", plan.steps);
        let folder = Folder::new(&to).unwrap();
        let replaces = |step: &Step| *step == Step::ReplaceManifest;
        for step in &plan.steps[..stop] {
            plan.run(step, &folder).unwrap();
        }
        // What a killed writer leaves.
        std::fs::write(to.join(format!("{UNFINISHED}x")), b"half").unwrap();
        let seen = Bundle::open(&to).unwrap();
        let expected = if plan.steps[..stop].iter().any(replaces) {
            plan.id.as_str()
        } else {
            old.id()
        };
        assert_eq!(seen.id(), expected, "after {stop} steps");
        // The files that a reader of the old manifest still asks for are there.
        for entry in old.manifest().files() {
            assert!(folder.holds(entry).unwrap(), "after {stop} steps: {}", entry.file);
        }
        // The next publisher completes what this one began, and clears up.
        let again = publish(&three.path("3"), &to, false).unwrap();
        assert_eq!(Bundle::open(&to).unwrap().id(), again.id);
        assert!(!to.join(format!("{UNFINISHED}x")).exists());
    }
}

#[test]
fn what_is_published_already_takes_no_step() {
    let three = Three::new();
    let to = three.path("to");
    publish(&three.path("1"), &to, false).unwrap();
    assert_eq!(publish(&three.path("1"), &to, false).unwrap().steps, []);
    // A file that was lost is added again.
    let shard = Bundle::open(&to).unwrap().manifest().segments[0].shard.clone();
    std::fs::write(to.join(&shard.file), b"cut").unwrap();
    assert_eq!(
        publish(&three.path("1"), &to, false).unwrap().steps,
        [Step::Add(shard)]
    );
}

#[test]
fn an_older_bundle_is_published_as_a_new_one_alone() {
    let three = Three::new();
    let to = three.path("to");
    publish(&three.path("1"), &to, false).unwrap();
    publish(&three.path("3"), &to, false).unwrap();
    for older in ["1", "2"] {
        let error = plan(&three.path(older), &to, false).err().unwrap();
        assert!(format!("{error:#}").contains("--as-new"), "{error:#}");
    }
    assert_eq!(publish(&three.path("1"), &to, true).unwrap().sequence, 4);
    let now = Bundle::open(&to).unwrap();
    assert_eq!((now.manifest().sequence, now.item_id(0)), (4, "v0-1"));
    // Another bundle of the same sequence.
    bundle(&three.path("other"), 4, 5);
    assert!(plan(&three.path("other"), &to, false).is_err());
}

#[test]
fn a_damaged_bundle_is_not_published_and_other_folders_are_not_touched() {
    let three = Three::new();
    let shard = Bundle::open(&three.path("1")).unwrap().manifest().segments[0]
        .shard
        .clone();
    std::fs::write(three.path("1").join(&shard.file), vec![0; shard.bytes as usize]).unwrap();
    assert!(plan(&three.path("1"), &three.path("to"), false).is_err());
    let other = three.path("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("notes.txt"), b"mine").unwrap();
    assert!(plan(&three.path("2"), &other, false).is_err());
    assert_eq!(files(&other), 1);
}

#[test]
fn of_two_publishers_the_second_gives_up() {
    let three = Three::new();
    let to = three.path("to");
    publish(&three.path("1"), &to, false).unwrap();
    let plan = plan(&three.path("2"), &to, false).unwrap();
    publish(&three.path("3"), &to, false).unwrap();
    let folder = Folder::new(&to).unwrap();
    let mut done = plan.steps.iter().map(|step| plan.run(step, &folder));
    let error = done.find_map(Result::err).unwrap();
    assert!(error.to_string().contains("somebody else"), "{error}");
    assert_eq!(Bundle::open(&to).unwrap().manifest().sequence, 3);
}

/// Version 1 had no envelope, and its sequence counts all the same.
#[test]
fn a_bundle_of_an_older_version_is_replaced_by_a_higher_sequence() {
    let three = Three::new();
    let to = three.path("to");
    publish(&three.path("2"), &to, false).unwrap();
    let path = to.join(manifest::FILE_NAME);
    let file = std::fs::read(&path).unwrap();
    std::fs::write(&path, Envelope::parse(&file).unwrap().manifest_bytes()).unwrap();
    let before = files(&to);
    assert!(plan(&three.path("1"), &to, false).is_err());
    assert_eq!(publish(&three.path("3"), &to, false).unwrap().sequence, 3);
    // Nothing that its readers ask for was removed.
    assert_eq!(files(&to), before + 2);
    std::fs::write(&path, b"no manifest").unwrap();
    assert!(plan(&three.path("3"), &to, true).is_err());
}

/// A destination that lists nothing, as R2 through wrangler.
struct Unlisted<'a>(&'a Folder, RefCell<Vec<String>>);

impl Destination for Unlisted<'_> {
    fn name(&self) -> String {
        self.0.name()
    }
    fn manifest(&self) -> Result<Option<Vec<u8>>> {
        self.0.manifest()
    }
    fn holds(&self, _: &FileEntry) -> Result<bool> {
        Ok(true)
    }
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.1.borrow_mut().push(name.to_owned());
        self.0.put(name, bytes)
    }
    fn remove(&self, name: &str) -> Result<()> {
        self.0.remove(name)
    }
    fn names(&self) -> Result<Option<Vec<String>>> {
        Ok(None)
    }
}

#[test]
fn files_come_before_the_manifest_and_those_of_the_published_one_are_not_sent_again() {
    let three = Three::new();
    let to = three.path("to");
    let folder = Folder::new(&to).unwrap();
    let unlisted = Unlisted(&folder, RefCell::default());
    for (source, as_new, sent) in [("1", false, 4), ("2", false, 3), ("2", true, 1)] {
        let plan = Plan::new(&three.path(source), &unlisted, &signer(), as_new).unwrap();
        for step in &plan.steps {
            plan.run(step, &unlisted).unwrap();
        }
        let names = unlisted.1.take();
        assert_eq!(names.len(), sent, "{names:?}");
        assert_eq!(names.last().unwrap(), manifest::FILE_NAME);
    }
}
