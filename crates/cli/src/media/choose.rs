//! Which of a video's frames stand for it: not blank, no two alike, from all scenes, each with the time that it stands for.

use recsys_core::clip::picture::Picture;

/// Width and height of a thumbnail.
const SIDE: usize = 16;
/// Frames whose thumbnails differ by less than this, of 255 and on average, are one.
const ALIKE: f32 = 2.0;

/// A frame that may be chosen.
pub struct Candidate {
    pub picture: Picture,
    thumbnail: [u8; SIDE * SIDE * 3],
    /// It shows nothing: one colour, or almost black.
    blank: bool,
    /// Seconds that it stands for.
    pub weight: f32,
    /// A scene begins within them.
    pub cut: bool,
}

impl Candidate {
    pub fn new(picture: Picture, cut: bool) -> Self {
        let thumbnail = thumbnail(&picture);
        Self {
            blank: is_blank(&thumbnail),
            picture,
            thumbnail,
            weight: 0.0,
            cut,
        }
    }

    /// Mean difference of two thumbnails, 0 to 255.
    fn difference(&self, other: &Self) -> f32 {
        let pairs = self.thumbnail.iter().zip(&other.thumbnail);
        let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        sum as f32 / self.thumbnail.len() as f32
    }

    /// One frame for the time of both: the one that shows something, stands for more, or came first.
    fn join(self, later: Self) -> Self {
        let (weight, cut) = (self.weight + later.weight, self.cut || later.cut);
        let stays = match (self.blank, later.blank) {
            (false, true) => true,
            (true, false) => false,
            _ => self.weight >= later.weight,
        };
        let kept = if stays { self } else { later };
        Self { weight, cut, ..kept }
    }
}

/// Means of the parts of a grid over the picture. Small pictures repeat pixels.
fn thumbnail(picture: &Picture) -> [u8; SIDE * SIDE * 3] {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let part = |i: usize, length: usize| {
        let start = i * length / SIDE;
        start..((i + 1) * length / SIDE).max(start + 1)
    };
    let mut out = [0; SIDE * SIDE * 3];
    let (cells, _) = out.as_chunks_mut::<3>();
    for (i, cell) in cells.iter_mut().enumerate() {
        let columns = part(i % SIDE, width);
        let (mut sums, mut count) = ([0u64; 3], 0);
        for y in part(i / SIDE, height) {
            let row = y * width;
            let pixels = picture
                .rgb
                .get((row + columns.start) * 3..(row + columns.end) * 3);
            for pixel in pixels.unwrap_or_default().as_chunks::<3>().0 {
                sums.iter_mut().zip(pixel).for_each(|(s, v)| *s += u64::from(*v));
                count += 1;
            }
        }
        *cell = sums.map(|sum| (sum / count.max(1)) as u8);
    }
    out
}

/// Whether a thumbnail has hardly any contrast.
fn is_blank(thumbnail: &[u8]) -> bool {
    let n = thumbnail.len() as f32 / 3.0;
    let (pixels, _) = thumbnail.as_chunks::<3>();
    let mut spread = 0.0;
    let mut light = 0.0;
    for channel in 0..3 {
        let values = pixels
            .iter()
            .filter_map(|pixel| pixel.get(channel))
            .map(|v| f32::from(*v));
        let mean = values.clone().sum::<f32>() / n;
        light += mean / 3.0;
        spread += values.map(|v| (v - mean).powi(2)).sum::<f32>() / n / 3.0;
    }
    let deviation = spread.sqrt();
    deviation < 3.0 || (light < 12.0 && deviation < 8.0)
}

/// At most `most` frames that stand for all, in the order of time. Blank ones are dropped with their time where others exist,
/// those that look alike are one however far apart they are, and of the rest the most similar neighbours are joined.
pub fn choose(mut candidates: Vec<Candidate>, most: usize) -> Vec<Candidate> {
    if candidates.iter().any(|c| !c.blank) {
        candidates.retain(|c| !c.blank);
    }
    let mut distinct: Vec<Candidate> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match distinct.iter_mut().find(|c| c.difference(&candidate) < ALIKE) {
            Some(twin) => {
                twin.weight += candidate.weight;
                twin.cut |= candidate.cut;
            }
            None => distinct.push(candidate),
        }
    }
    thin(&mut distinct, most);
    distinct
}

/// Joins neighbours until at most `most` are left, first those whose joining loses least: the difference of their pictures
/// times the weight that is lost (Ward 1963, for neighbours in time).
pub fn thin(candidates: &mut Vec<Candidate>, most: usize) {
    // Frames on film may be as still as one picture; then time alone decides.
    const STILL: f32 = 0.5;
    let cost = |a: &Candidate, b: &Candidate| {
        let weight = a.weight * b.weight / (a.weight + b.weight).max(f32::MIN_POSITIVE);
        (a.difference(b) + STILL) * weight
    };
    let mut costs: Vec<f32> = candidates
        .iter()
        .zip(candidates.iter().skip(1))
        .map(|(a, b)| cost(a, b))
        .collect();
    while candidates.len() > most.max(1) {
        let least = costs.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        let Some((at, _)) = least else { return };
        let later = candidates.remove(at + 1);
        let earlier = candidates.remove(at);
        candidates.insert(at, earlier.join(later));
        costs.remove(at);
        for pair in [at.checked_sub(1), Some(at)].into_iter().flatten() {
            if let (Some(slot), Some(a), Some(b)) = (
                costs.get_mut(pair),
                candidates.get(pair),
                candidates.get(pair + 1),
            ) {
                *slot = cost(a, b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of a dark ground with a light square; `at` says where.
    fn frame(at: u32, colour: [u8; 3], weight: f32, cut: bool) -> Candidate {
        let (width, height) = (64, 36);
        let mut rgb = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let inside = (at..at + 16).contains(&x) && (10..26).contains(&y);
                rgb.extend(if inside { [230, 220, 40] } else { colour });
            }
        }
        let picture = Picture { width, height, rgb };
        Candidate {
            weight,
            ..Candidate::new(picture, cut)
        }
    }

    fn plain(colour: [u8; 3], weight: f32) -> Candidate {
        let rgb = colour.repeat(20 * 20);
        Candidate {
            weight,
            ..Candidate::new(
                Picture {
                    width: 20,
                    height: 20,
                    rgb,
                },
                false,
            )
        }
    }

    fn weights(frames: &[Candidate]) -> Vec<f32> {
        frames.iter().map(|f| f.weight).collect()
    }

    const BLUE: [u8; 3] = [20, 30, 120];
    const GREEN: [u8; 3] = [20, 120, 30];

    #[test]
    fn blank_frames_go_where_others_exist() {
        let frames = vec![
            plain([0; 3], 5.0),
            frame(3, BLUE, 1.0, true),
            plain([255; 3], 2.0),
        ];
        let chosen = choose(frames, 8);
        assert_eq!(weights(&chosen), [1.0]);
        // Almost black with a glimmer is blank too; a video of nothing else keeps one of each colour.
        let chosen = choose(
            vec![plain([0; 3], 1.0), plain([9, 0, 0], 1.0), plain([90, 0, 0], 2.0)],
            8,
        );
        assert_eq!(weights(&chosen), [1.0, 1.0, 2.0]);
    }

    #[test]
    fn frames_that_look_alike_are_one_however_far_apart() {
        let shots = (0..8).map(|i| {
            let colour = if i % 2 == 0 { BLUE } else { GREEN };
            frame(3, colour, 1.0 + i as f32, i > 0)
        });
        let chosen = choose(shots.collect(), 8);
        assert_eq!(weights(&chosen), [16.0, 20.0]);
        assert!(chosen.iter().all(|c| c.cut));
    }

    #[test]
    fn every_scene_has_a_frame_and_the_rest_is_spread_evenly() {
        // Ten frames of a moving square, then one frame of another scene.
        let mut frames: Vec<Candidate> = (0..10).map(|i| frame(i * 4, BLUE, 1.0, false)).collect();
        frames.push(frame(0, GREEN, 1.0, true));
        let chosen = choose(frames, 6);
        assert_eq!(weights(&chosen), [2.0, 2.0, 2.0, 2.0, 2.0, 1.0]);
        assert!(chosen[5].cut && chosen[..5].iter().all(|c| !c.cut));
    }

    #[test]
    fn the_smallest_pictures_have_thumbnails() {
        for (width, height) in [(1, 1), (1, 5000), (3, 2)] {
            let rgb = [7, 8, 9].repeat((width * height) as usize);
            let one = Candidate::new(Picture { width, height, rgb }, false);
            assert!(one.thumbnail.as_chunks::<3>().0.iter().all(|p| *p == [7, 8, 9]));
        }
    }
}
