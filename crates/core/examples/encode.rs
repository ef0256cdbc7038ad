//! Our side of `cargo xtask bench encode`, natively and under WASI: `encode FOLDER`.
//!
//! FOLDER has `model/text.tower` and `model/image.tower`, and what is encoded: `tokens.f32`, the rows of 16 tokens, and `pixels.f32`,
//! a normalised picture. A line `vector TOWER` on standard input, where TOWER is `text` or `image`, is answered with the vector
//! as a JSON array, `time TOWER N` with the milliseconds of one of N encodings. `encode FOLDER
//! TOWER` encodes once and ends.

mod lines;

use lines::{answer, request};
use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::tower::{Scratch, Tower};
use std::error::Error;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A tower with its input.
struct Ready {
    tower: Tower,
    input: Vec<f32>,
}

impl Ready {
    fn open(folder: &Path, name: &str) -> Result<Self, Box<dyn Error>> {
        let input = match name {
            "text" => "tokens.f32",
            "image" => "pixels.f32",
            _ => return Err(format!("expected `text` or `image`, found `{name}`").into()),
        };
        let tower = Tower::open(read(&folder.join("model").join(name).with_extension("tower"))?)?;
        let input = std::fs::read(folder.join(input))?;
        let input = input
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes));
        Ok(Self {
            tower,
            input: input.collect(),
        })
    }

    fn encode(&self, scratch: &mut Scratch) -> Option<Vec<f32>> {
        self.tower
            .encode_tokens(&self.input, scratch)
            .or_else(|| self.tower.encode_planes(&self.input, scratch))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("usage: encode FOLDER [TOWER]")?);
    let mut scratch = Scratch::default();
    if let Some(name) = args.next() {
        let vector = Ready::open(&folder, &name)?.encode(&mut scratch);
        return vector.map(|_| ()).ok_or_else(|| "no vector".into());
    }
    let (text, image) = (Ready::open(&folder, "text")?, Ready::open(&folder, "image")?);
    let tower = |name: &str| if name == "text" { &text } else { &image };
    while let Some(line) = request()? {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["vector", name] => {
                let vector = tower(name)
                    .encode(&mut scratch)
                    .ok_or("the input does not fit the tower")?;
                answer(&format!("{vector:?}"))?;
            }
            ["time", name, times] => {
                let times: usize = times.parse()?;
                let start = Instant::now();
                for _ in 0..times {
                    black_box(tower(name).encode(&mut scratch));
                }
                answer(&(start.elapsed().as_secs_f64() * 1e3 / times as f64).to_string())?;
            }
            _ => return Err(format!("expected `vector` or `time`, found `{line}`").into()),
        }
    }
    Ok(())
}

/// As a worker does: straight into memory of the file's size.
fn read(path: &Path) -> Result<AlignedBytes, Box<dyn Error>> {
    let mut file = std::fs::File::open(path)?;
    let mut bytes = AlignedBytes::zeroed(usize::try_from(file.metadata()?.len())?);
    file.read_exact(bytes.as_mut_slice())?;
    Ok(bytes)
}
