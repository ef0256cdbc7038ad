//! Picture files as 8-bit RGB, as Pillow's `convert("RGB")` gives it, turned as their Exif orientation says.
//!
//! JPEG (grey, YCbCr, CMYK and YCCK, whose inks are stored inverted), PNG, WebP, GIF and portable pixmaps. Of an animation the
//! first frame counts, of 16 bits the high byte, and alpha is dropped. Size and memory are known before a pixel is decoded.

mod jpeg;
mod png;
#[cfg(test)]
mod tests;

use super::preprocess::MAX_SIDE;
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};
use std::fmt;
use std::io::Cursor;
use thiserror::Error;

/// A picture, 8-bit RGB, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// height × width × 3 bytes.
    pub rgb: Vec<u8>,
}

/// What a picture may cost.
#[derive(Clone, Copy, Debug)]
pub struct PictureLimits {
    /// The most pixels.
    pub pixels: u64,
    /// The most bytes of memory while it is decoded, the file's own not counted.
    pub memory: u64,
}

impl PictureLimits {
    /// Where there are gigabytes.
    pub const NATIVE: Self = Self {
        pixels: 64 << 20,
        memory: 1 << 30,
    };
    /// Within an isolate of 128 MB: a JPEG of 12 megapixels fits, lying on its side too.
    pub const EDGE: Self = Self {
        pixels: 24 << 20,
        memory: 80 << 20,
    };
}

/// Why a picture was refused.
#[derive(Debug, Error)]
pub enum PictureError {
    /// Another format, or a variant of one that is not read.
    #[error("expected a JPEG, PNG, WebP or GIF picture, found {0}; save it as one")]
    Format(Other),
    /// It ends too early.
    #[error("the {format} is cut off: expected {expected}, found the end of the file; copy or save it again")]
    Cut {
        /// Which format.
        format: &'static str,
        /// What should have come.
        expected: &'static str,
    },
    /// A side is zero or too long, or there are too many pixels or bytes.
    #[error("picture of {width}×{height}: {needed}, at most {allowed} are allowed; make it smaller first")]
    TooLarge {
        /// Width by its header, in pixels.
        width: u32,
        /// Height by its header, in pixels.
        height: u32,
        /// What it has or needs.
        needed: String,
        /// The limit.
        allowed: u64,
    },
    /// Its bytes are damaged.
    #[error("the {format} is damaged: {message}; copy or save it again")]
    Damaged {
        /// Which format.
        format: &'static str,
        /// What the decoder said.
        message: String,
    },
}

/// What there is instead of a picture that is read.
#[derive(Debug)]
pub struct Other {
    what: String,
    /// What the decoder said of it.
    message: Option<String>,
}

impl Other {
    const fn new(what: String) -> Self {
        Self { what, message: None }
    }
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.message
            .iter()
            .try_for_each(|message| write!(f, ": {message}"))
    }
}

impl PictureError {
    /// The error without the decoder's own words, which may quote the picture's bytes.
    #[must_use]
    pub fn without_bytes(&self) -> String {
        match self {
            Self::Format(Other { what, .. }) => Self::Format(Other::new(what.clone())).to_string(),
            Self::Damaged { format, .. } => format!("the {format} is damaged; copy or save it again"),
            other => other.to_string(),
        }
    }
}

/// The name of a format that is read, or of another one that is known.
fn name(format: ImageFormat) -> (&'static str, bool) {
    match format {
        ImageFormat::Jpeg => ("JPEG", true),
        ImageFormat::Png => ("PNG", true),
        ImageFormat::WebP => ("WebP", true),
        ImageFormat::Gif => ("GIF", true),
        ImageFormat::Pnm => ("portable pixmap", true),
        ImageFormat::Avif => ("AVIF", false),
        ImageFormat::Tiff => ("TIFF", false),
        ImageFormat::Bmp => ("BMP", false),
        ImageFormat::Ico => ("an icon", false),
        _ => ("another format", false),
    }
}

/// The format of a picture's bytes by how they start, where it is one that is read here.
fn format_of(bytes: &[u8]) -> Result<ImageFormat, PictureError> {
    let format = image::guess_format(bytes)
        .map_err(|_| PictureError::Format(Other::new(format!("{} bytes of something else", bytes.len()))))?;
    match name(format) {
        (_, true) => Ok(format),
        (other, false) => Err(PictureError::Format(Other::new(other.to_owned()))),
    }
}

/// Whether bytes start as a picture that [`Picture::decode`] reads; the first 16 are enough.
#[must_use]
pub fn is_picture(start: &[u8]) -> bool {
    format_of(start).is_ok()
}

impl Picture {
    /// Decodes a picture file.
    ///
    /// # Errors
    /// No format that is read, too large for `limits`, cut off, or damaged.
    pub fn decode(bytes: &[u8], limits: &PictureLimits) -> Result<Self, PictureError> {
        let format = format_of(bytes)?;
        let working = match format {
            ImageFormat::Jpeg => jpeg::survey(bytes)?,
            ImageFormat::Png => png::survey(bytes).map(|()| 0)?,
            // A frame and the canvas that it lies on.
            ImageFormat::WebP => whole_riff(bytes).map(|()| 8)?,
            ImageFormat::Gif => 8,
            _ => 0,
        };
        let refused = |error: ImageError| match error {
            ImageError::Unsupported(error) => PictureError::Format(Other {
                what: format!("a {} of a kind that is not", name(format).0),
                message: Some(error.to_string()),
            }),
            error => PictureError::Damaged {
                format: name(format).0,
                message: error.to_string(),
            },
        };
        let reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut decoder = reader.into_decoder().map_err(refused)?;
        let (width, height) = decoder.dimensions();
        // A damaged orientation is none, as in browsers.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let color = decoder.color_type();
        let cost = Cost {
            pixels: u64::from(width).saturating_mul(height.into()),
            decoded: u64::from(color.bytes_per_pixel()),
            working,
            converted: if color == ColorType::Rgb8 { 0 } else { 3 },
            turned: if swaps(orientation) { 3 } else { 0 },
        };
        cost.check(width, height, limits)?;
        let mut allowed = image::Limits::default();
        allowed.max_alloc = Some(limits.memory);
        decoder.set_limits(allowed).map_err(refused)?;
        let length = usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX);
        let mut decoded = vec![0; length];
        decoder.read_image(&mut decoded).map_err(refused)?;
        let rgb = to_rgb(decoded, color)
            .ok_or_else(|| PictureError::Format(Other::new(format!("a {} of floats", name(format).0))))?;
        Ok(Self { width, height, rgb }.turned(orientation))
    }

    /// The picture as its orientation says that it is looked at.
    fn turned(mut self, orientation: Orientation) -> Self {
        use Orientation as O;
        let width = self.width as usize;
        if width == 0 {
            return self;
        }
        match orientation {
            O::FlipVertical | O::Rotate180 => self.flip_rows(),
            _ => {}
        }
        match orientation {
            O::FlipHorizontal | O::Rotate180 => {
                self.rgb
                    .as_chunks_mut::<3>()
                    .0
                    .chunks_exact_mut(width)
                    .for_each(<[_]>::reverse);
            }
            O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH => {
                let from_the_right = matches!(orientation, O::Rotate270 | O::Rotate270FlipH);
                let from_below = matches!(orientation, O::Rotate90 | O::Rotate270FlipH);
                self = self.transposed(from_the_right, from_below);
            }
            _ => {}
        }
        self
    }

    fn flip_rows(&mut self) {
        let stride = self.width as usize * 3;
        let half = self.height as usize / 2 * stride;
        let (top, rest) = self.rgb.split_at_mut(half);
        let rows = top.chunks_exact_mut(stride).zip(rest.rchunks_exact_mut(stride));
        rows.for_each(|(a, b)| a.swap_with_slice(b));
    }

    /// Columns become rows: the last column first, and each from its lower end, where that is asked for.
    fn transposed(&self, from_the_right: bool, from_below: bool) -> Self {
        let width = self.width as usize;
        let (pixels, _) = self.rgb.as_chunks::<3>();
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for i in 0..width {
            let x = if from_the_right { width - 1 - i } else { i };
            let column = pixels.iter().skip(x).step_by(width);
            match from_below {
                true => rgb.extend(column.rev().flatten()),
                false => rgb.extend(column.flatten()),
            }
        }
        Self {
            width: self.height,
            height: self.width,
            rgb,
        }
    }
}

/// Refuses a WebP that is shorter than its header says: its orientation may be at the end.
fn whole_riff(bytes: &[u8]) -> Result<(), PictureError> {
    let length = bytes.get(4..8).and_then(|field| field.try_into().ok());
    let length = length.map_or(u64::MAX, |field| u64::from(u32::from_le_bytes(field)) + 8);
    if length > bytes.len() as u64 {
        return Err(PictureError::Cut {
            format: "WebP",
            expected: "as many bytes as its header says",
        });
    }
    Ok(())
}

/// Bytes a pixel of all that is held at once.
struct Cost {
    pixels: u64,
    /// As the decoder writes it.
    decoded: u64,
    /// The decoder's own.
    working: u64,
    /// RGB beside it.
    converted: u64,
    /// RGB on its side beside it; by then what was decoded is gone where it was converted.
    turned: u64,
}

impl Cost {
    fn check(&self, width: u32, height: u32, limits: &PictureLimits) -> Result<(), PictureError> {
        let too_large = |needed: String, allowed: u64| PictureError::TooLarge {
            width,
            height,
            needed,
            allowed,
        };
        if width == 0 || height == 0 || width.max(height) > MAX_SIDE {
            return Err(too_large(
                "its sides must have 1 pixel or more".to_owned(),
                MAX_SIDE.into(),
            ));
        }
        if self.pixels > limits.pixels {
            return Err(too_large(format!("{} pixels", self.pixels), limits.pixels));
        }
        let at_once = [
            self.decoded + self.working,
            self.decoded + self.converted,
            3 + self.turned,
        ];
        let needed = self.pixels * at_once.into_iter().max().unwrap_or_default();
        if needed > limits.memory {
            return Err(too_large(
                format!("{needed} bytes of memory to decode it"),
                limits.memory,
            ));
        }
        Ok(())
    }
}

/// Whether width and height change places.
fn swaps(orientation: Orientation) -> bool {
    use Orientation as O;
    matches!(
        orientation,
        O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH
    )
}

/// Decoded pixels as RGB; `None` where they are floats. Values of 16 bits are in the machine's byte order.
fn to_rgb(decoded: Vec<u8>, color: ColorType) -> Option<Vec<u8>> {
    /// Where the high byte of a value stands.
    const HIGH: usize = if cfg!(target_endian = "little") { 1 } else { 0 };
    let (bytes, high) = (usize::from(color.bytes_per_pixel()), HIGH);
    let channels = match color {
        ColorType::Rgb8 => return Some(decoded),
        ColorType::Rgba8 => [0, 1, 2],
        ColorType::L8 | ColorType::La8 => [0; 3],
        ColorType::L16 | ColorType::La16 => [high; 3],
        ColorType::Rgb16 | ColorType::Rgba16 => [high, 2 + high, 4 + high],
        _ => return None,
    };
    let mut rgb = Vec::with_capacity(decoded.len() / bytes * 3);
    for pixel in decoded.chunks_exact(bytes) {
        rgb.extend(channels.map(|c| pixel.get(c).copied().unwrap_or_default()));
    }
    Some(rgb)
}
