//! Backgrounds, one file a landscape family. Each draws in 320 × 180 units with the ground at the bottom;
//! its marks stand inside the central square (x 70 to 250), where thumbnails and training crops look.

mod nature;
mod rocky;
mod town;

use crate::canvas::{Canvas, Fill, Rgb, ellipse, land};
use crate::light::{HEIGHT, Light, WIDTH};
use crate::rng::Rng;
use crate::vocab::Place;

/// Draws everything behind the thing except the sky.
pub(crate) fn draw(place: Place, canvas: &mut Canvas, light: &Light, rng: &mut Rng) {
    match place {
        Place::Beach => nature::beach(canvas, light, rng),
        Place::Forest => nature::forest(canvas, light, rng),
        Place::City => town::city(canvas, light, rng),
        Place::Mountains => rocky::mountains(canvas, light, rng),
        Place::Desert => rocky::desert(canvas, light, rng),
        Place::Meadow => nature::meadow(canvas, light, rng),
        Place::Funfair => town::funfair(canvas, light, rng),
        Place::Arctic => rocky::arctic(canvas, light, rng),
    }
}

/// A band of rolling land whose skyline is about `y`, waving by `wave`.
fn hill(canvas: &mut Canvas, rng: &mut Rng, y: f32, wave: f32, top: Rgb, bottom: Rgb) {
    let points: Vec<_> = (0..8)
        .map(|step| {
            let x = -20.0 + step as f32 * (WIDTH + 40.0) / 7.0;
            (x, y + rng.between(-wave, wave))
        })
        .collect();
    canvas.fill(
        land(&points, HEIGHT),
        Fill::Vertical(top, bottom, y - wave, HEIGHT),
    );
}

/// A soft shadow on the ground.
pub(crate) fn shadow(canvas: &mut Canvas, x: f32, y: f32, rx: f32, alpha: f32) {
    for (grow, share) in [(1.0, 0.4), (0.8, 0.35), (0.58, 0.35)] {
        let shape = ellipse(x, y, rx * grow, rx * 0.17 * grow);
        canvas.fill(shape, Fill::Alpha(Rgb(20.0, 22.0, 44.0), alpha * share));
    }
}
