//! One video's vector: its key frames, title and description, each with its share.

use super::InputArgs;
use crate::cache::{Cache, Key, Lookup, state_of};
use crate::media::{self, Facts, Fault, Options};
use crate::model::ModelDir;
use crate::sprites;
use anyhow::{Context, Result, ensure};
use image::{ImageFormat, RgbImage};
use recsys_core::clip::tower::Scratch;
use recsys_core::clip::{ClipError, ImageEncoder, TextEncoder};
use recsys_core::vector::UnitVector;
use serde::{Deserialize, Serialize};
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

/// The kinds of what is kept. Their numbers rise where the same input gives another vector than before.
const TEXT: &str = "text 1";
const FRAMES: &str = "frames 1";
/// Passages of a description that are encoded, each as long as the model's context.
const PASSAGES: usize = 4;

/// What a vector was made of, for the card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MadeOf {
    /// Key frames, or pictures.
    frames: usize,
    /// Those within whose time a scene begins.
    #[serde(skip_serializing_if = "is_zero")]
    cuts: usize,
    /// `name` and `description`, where the model knows a word of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    texts: Vec<&'static str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// A video's vector and what comes with it.
pub struct Encoded {
    /// Unit length.
    pub vector: Vec<f32>,
    pub still: Option<RgbImage>,
    pub made_of: MadeOf,
    /// The container's.
    pub facts: Facts,
    /// Nothing of it had to be encoded.
    pub from_cache: bool,
}

/// The texts of a video.
pub struct Texts<'a> {
    pub name: &'a str,
    pub description: Option<&'a str>,
    /// The container's title and description come first.
    pub container_first: bool,
}

/// What is the same for all videos.
pub struct Encoder {
    text: TextEncoder,
    image: ImageEncoder,
    model: String,
    cache: Cache,
    options: Options,
    /// Shares of title and description.
    shares: [f32; 2],
}

impl Encoder {
    /// Loads the model and opens the cache.
    ///
    /// # Errors
    /// Options that do not fit together, a model that cannot be read, or a cache that cannot be made.
    pub fn new(args: &InputArgs, model: &ModelDir) -> Result<Self> {
        let shares = [args.title_weight, args.description_weight];
        ensure!(
            shares.iter().all(|share| (0.0..=1.0).contains(share)) && shares.iter().sum::<f32>() <= 1.0,
            "--title-weight {} and --description-weight {}: expected 0 to 1, together at most 1",
            args.title_weight,
            args.description_weight
        );
        Ok(Self {
            text: model.text()?,
            image: model.image()?,
            model: model.reference().sha256,
            cache: args.cache()?,
            options: Options {
                frames: args.frames.into(),
                side: model.model().image.size,
                timeout: Duration::from_secs(args.media_timeout.into()),
            },
            shares,
        })
    }

    /// Encodes a video.
    ///
    /// # Errors
    /// Its media cannot be read.
    pub fn encode(&self, path: &Path, texts: &Texts<'_>, scratch: &mut Scratch) -> Result<Encoded> {
        let mut from_cache = true;
        let seen = self.seen(path, scratch, &mut from_cache)?;
        let (mut name, mut description) = (texts.name, texts.description);
        if texts.container_first {
            name = seen.facts.title.as_deref().unwrap_or(name);
            description = seen.facts.description.as_deref().or(description);
        }
        let mut parts = vec![(1.0 - self.shares.iter().sum::<f32>(), seen.vector)];
        let mut known = Vec::new();
        let of_texts = [("name", Some(name), 1), ("description", description, PASSAGES)];
        for ((what, text, passages), share) in of_texts.into_iter().zip(self.shares) {
            let Some(text) = text.filter(|text| share > 0.0 && !text.trim().is_empty()) else {
                continue;
            };
            if let Some(vector) = self.words(text, passages, scratch, &mut from_cache)? {
                parts.push((share, vector));
                known.push(what);
            }
        }
        Ok(Encoded {
            vector: mix(&parts)?,
            still: seen.still,
            made_of: MadeOf {
                frames: seen.frames,
                cuts: seen.cuts,
                texts: known,
            },
            facts: seen.facts,
            from_cache,
        })
    }

    /// A text's vector; `None` where the model knows no word of it. The first `passages` contexts of it count.
    fn words(
        &self,
        text: &str,
        passages: usize,
        scratch: &mut Scratch,
        from_cache: &mut bool,
    ) -> Result<Option<Vec<f32>>> {
        let key = Key::of(TEXT).with(&self.model).with([passages as u8]).with(text);
        let place = match self.cache.get(key, floats) {
            Lookup::Found(vector) => return Ok(Some(vector).filter(|vector| !vector.is_empty())),
            Lookup::Missing(place) => place,
        };
        *from_cache = false;
        let encoded = match passages {
            1 => self.text.encode(text, scratch),
            _ => self.text.encode_long(text, passages, scratch),
        };
        let vector = match encoded {
            Ok(vector) => vector,
            // A text in words that the model does not know says nothing; the frames do.
            Err(ClipError::NoKnownWord(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        self.cache.put(place, &bytes_of(&vector));
        Ok(Some(vector).filter(|vector| !vector.is_empty()))
    }

    /// What is seen in a medium, out of the cache where it is there.
    fn seen(&self, path: &Path, scratch: &mut Scratch, from_cache: &mut bool) -> Result<Seen> {
        if self.cache.is_none() {
            *from_cache = false;
            return self.look(path, scratch);
        }
        let content = self.content(path)?;
        let key = Key::of(FRAMES)
            .with(&self.model)
            .with((self.options.frames as u64).to_le_bytes())
            .with(content);
        let place = match self.cache.get(key, Seen::parse) {
            Lookup::Found(seen) => return Ok(seen),
            Lookup::Missing(place) => place,
        };
        *from_cache = false;
        let seen = self.look(path, scratch)?;
        if !seen.facts.fault.as_ref().is_some_and(|fault| fault.passing) {
            self.cache.put(place, &seen.to_bytes()?);
        }
        Ok(seen)
    }

    /// The hash of a medium's content, which is read anew only where its state has changed.
    fn content(&self, path: &Path) -> Result<String> {
        // A pipe, say, would be read for ever.
        media::check(path)?;
        let hash = || media::content_hash(path);
        let Some(state) = state_of(path) else {
            return hash();
        };
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .ok()
                .filter(|hash| hash.len() == 64)
        };
        match self.cache.get(Key::of("state").with(state), text) {
            Lookup::Found(content) => Ok(content),
            Lookup::Missing(place) => {
                let content = hash()?;
                self.cache.put(place, content.as_bytes());
                Ok(content)
            }
        }
    }

    fn look(&self, path: &Path, scratch: &mut Scratch) -> Result<Seen> {
        let (mut sum, mut seen) = (Vec::new(), Seen::default());
        seen.facts = media::key_frames(path, &self.options, &mut |frame| {
            let picture = &frame.picture;
            let encoded = self
                .image
                .encode(&picture.rgb, picture.width, picture.height, scratch);
            let vector = encoded.with_context(|| path.display().to_string())?;
            sum.resize(vector.len(), 0f64);
            sum.iter_mut()
                .zip(vector)
                .for_each(|(sum, v)| *sum += f64::from(v) * f64::from(frame.weight));
            seen.frames += 1;
            seen.cuts += usize::from(frame.cut);
            if frame.still {
                seen.still = sprites::still(picture);
            }
            Ok(())
        })?;
        let greatest = sum
            .iter()
            .fold(f64::MIN_POSITIVE, |greatest, x| x.abs().max(greatest));
        let sum = sum.iter().map(|x| (x / greatest) as f32).collect();
        let mean =
            UnitVector::new(sum).with_context(|| format!("{}: its frames cancel out", path.display()))?;
        seen.vector = mean.into_vec();
        Ok(seen)
    }
}

/// The direction of the sum of parts with their shares. A share that is missing falls to the others.
fn mix(parts: &[(f32, Vec<f32>)]) -> Result<Vec<f32>> {
    let dim = parts.first().map_or(0, |(_, vector)| vector.len());
    let total: f32 = parts.iter().map(|(share, _)| share).sum();
    let mut sum = vec![0f32; dim];
    for (share, vector) in parts {
        // Where nothing but texts should count and none is known, the frames have to do.
        let share = if total > 0.0 { share / total } else { 1.0 };
        sum.iter_mut().zip(vector).for_each(|(sum, v)| *sum += v * share);
    }
    let mixed = UnitVector::new(sum).context("its frames and texts cancel out")?;
    Ok(mixed.into_vec())
}

/// What was seen in a medium.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// The weighted mean of its frames, unit length.
    vector: Vec<f32>,
    frames: usize,
    cuts: usize,
    still: Option<RgbImage>,
    facts: Facts,
}

/// [`Seen`] in the cache: u32 length of this as JSON, this, then f32 × dim, then the still as PNG.
#[derive(Serialize, Deserialize)]
struct Head {
    dim: usize,
    frames: usize,
    cuts: usize,
    seconds: Option<f64>,
    title: Option<String>,
    description: Option<String>,
    created: Option<String>,
    fault: Option<String>,
}

impl Seen {
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let facts = &self.facts;
        let head = serde_json::to_vec(&Head {
            dim: self.vector.len(),
            frames: self.frames,
            cuts: self.cuts,
            seconds: facts.seconds,
            title: facts.title.clone(),
            description: facts.description.clone(),
            created: facts.created.clone(),
            fault: facts.fault.as_ref().map(|fault| fault.what.clone()),
        })?;
        let mut bytes = u32::try_from(head.len())?.to_le_bytes().to_vec();
        bytes.extend(head);
        bytes.extend(bytes_of(&self.vector));
        if let Some(still) = &self.still {
            let mut png = Cursor::new(Vec::new());
            still.write_to(&mut png, ImageFormat::Png)?;
            bytes.extend(png.into_inner());
        }
        Ok(bytes)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (head, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        let (vector, png) = rest.split_at_checked(head.dim.checked_mul(4)?)?;
        let vector = floats(vector)?;
        let still = match png {
            [] => None,
            png => Some(
                image::load_from_memory_with_format(png, ImageFormat::Png)
                    .ok()?
                    .into_rgb8(),
            ),
        };
        (!vector.is_empty()).then_some(Self {
            vector,
            frames: head.frames,
            cuts: head.cuts,
            still,
            facts: Facts {
                seconds: head.seconds,
                title: head.title,
                description: head.description,
                created: head.created,
                fault: head.fault.map(|what| Fault { what, passing: false }),
            },
        })
    }
}

fn bytes_of(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Finite numbers.
fn floats(bytes: &[u8]) -> Option<Vec<f32>> {
    let (chunks, []) = bytes.as_chunks::<4>() else {
        return None;
    };
    let floats: Vec<f32> = chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
    floats.iter().all(|v| v.is_finite()).then_some(floats)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(list: &[(f32, [f32; 2])]) -> Vec<(f32, Vec<f32>)> {
        list.iter().map(|(share, v)| (*share, v.to_vec())).collect()
    }

    #[test]
    fn a_missing_text_passes_its_share_to_the_rest() {
        let direction = |x: f32, y: f32| {
            let length = x.hypot(y);
            [x / length, y / length]
        };
        let close = |found: Vec<f32>, expected: [f32; 2]| {
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6),
                "{found:?} {expected:?}"
            );
        };
        let mixed = mix(&parts(&[(0.6, [1.0, 0.0]), (0.3, [0.0, 1.0])])).unwrap();
        close(mixed, direction(2.0, 1.0));
        close(mix(&parts(&[(0.6, [0.0, 1.0])])).unwrap(), [0.0, 1.0]);
        // All for texts, and none that says anything: the frames.
        close(mix(&parts(&[(0.0, [0.0, 1.0])])).unwrap(), [0.0, 1.0]);
        close(
            mix(&parts(&[(0.0, [0.0, 1.0]), (1.0, [1.0, 0.0])])).unwrap(),
            [1.0, 0.0],
        );
        assert!(mix(&parts(&[(0.5, [0.0, 1.0]), (0.5, [0.0, -1.0])])).is_err());
    }

    #[test]
    fn what_was_seen_reads_back_the_same_and_other_bytes_do_not() {
        let seen = Seen {
            vector: vec![0.6, -0.8],
            frames: 3,
            cuts: 1,
            still: Some(RgbImage::from_fn(5, 4, |x, y| {
                image::Rgb([x as u8 * 50, y as u8 * 60, 7])
            })),
            facts: Facts {
                seconds: Some(2.5),
                title: Some("ü".to_owned()),
                description: None,
                created: None,
                fault: Some(Fault {
                    what: "cut".to_owned(),
                    passing: false,
                }),
            },
        };
        let bytes = seen.to_bytes().unwrap();
        assert_eq!(Seen::parse(&bytes), Some(seen));
        // A PNG is whole without its last chunk, of twelve bytes.
        for cut in 0..bytes.len() - 16 {
            // Without a still it is whole; such a file is not written, and its hash would not be this one's.
            let read = Seen::parse(&bytes[..cut]);
            assert!(read.is_none_or(|seen| seen.still.is_none()), "{cut}");
        }
        let mut huge = bytes;
        huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Seen::parse(&huge), None);
    }
}
