//! Scenes to pixels.

use tiny_skia::{Pixmap, Transform};

use crate::canvas::Canvas;
use crate::light::{HEIGHT, HORIZON, Light, WIDTH};
use crate::rng::Rng;
use crate::scene::{Scene, Variation};
use crate::thing::{self, Palette};
use crate::vocab::Motion;
use crate::{RenderError, place};

/// Largest side of a frame, in pixels.
pub const MAX_SIDE: u32 = 4096;

/// Draws the frames of one scene: the background once, what moves for each frame.
#[derive(Debug, Clone)]
pub struct Renderer {
    scene: Scene,
    light: Light,
    variation: Variation,
    background: Canvas,
}

impl Renderer {
    /// Prepares `scene` for frames of `width` × `height` pixels.
    ///
    /// # Errors
    /// [`RenderError::Size`] where a side is 0 or above [`MAX_SIDE`].
    pub fn new(scene: &Scene, width: u32, height: u32) -> Result<Self, RenderError> {
        let error = RenderError::Size { width, height };
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(error);
        }
        let pixmap = Pixmap::new(width, height).ok_or(error)?;
        let (width, height) = (width as f32, height as f32);
        let scale = (width / WIDTH).max(height / HEIGHT);
        let (left, top) = ((width - WIDTH * scale) / 2.0, (height - HEIGHT * scale) / 2.0);
        let mut background = Canvas::new(pixmap, Transform::from_row(scale, 0.0, 0.0, scale, left, top));
        let light = Light::of(scene.time);
        light.draw_sky(&mut background, &mut Rng::for_part(scene.seed, 2));
        place::draw(
            scene.place,
            &mut background,
            &light,
            &mut Rng::for_part(scene.seed, 3),
        );
        Ok(Self {
            scene: *scene,
            light,
            variation: Variation::of(scene),
            background,
        })
    }

    /// The frame at moment `t` of the loop, 0 to 1: RGB bytes, row by row.
    #[must_use]
    pub fn frame(&self, t: f32) -> Vec<u8> {
        let t = if t.is_finite() { t.clamp(0.0, 1.0) } else { 0.0 };
        let mut canvas = self.background.clone();
        let pose = self.pose(t);
        let (x, foot) = (pose.x, pose.ground);
        place::shadow(
            &mut canvas,
            x,
            foot,
            pose.scale * 52.0 * pose.shadow,
            0.42 * pose.shadow,
        );
        let colours = Palette::new(self.scene.colour, &self.light, self.variation.shade);
        let frame = canvas.transform;
        let mirror = if self.variation.flip { -1.0 } else { 1.0 };
        canvas.transform = frame
            .pre_translate(x, pose.y)
            .pre_rotate(pose.angle)
            .pre_scale(mirror * pose.scale, pose.scale);
        thing::draw(
            self.scene.thing,
            &mut canvas,
            colours,
            (self.variation.phase + t).fract(),
        );
        canvas.transform = frame;
        self.light.draw_weather(&mut canvas, self.scene.seed, t);
        canvas.into_rgb()
    }

    fn pose(&self, t: f32) -> Pose {
        let v = &self.variation;
        let wave = (t * std::f32::consts::TAU).sin();
        let hop = (t * std::f32::consts::TAU).sin().abs();
        let mut pose = Pose {
            x: WIDTH / 2.0 + v.dx * HEIGHT,
            y: 0.0,
            scale: v.size * HEIGHT / 100.0,
            angle: 0.0,
            ground: 0.0,
            shadow: 1.0,
        };
        let mut lift = 0.0;
        match self.scene.motion {
            Motion::DriftLeft => pose.x += (0.5 - t) * 0.24 * HEIGHT,
            Motion::DriftRight => pose.x += (t - 0.5) * 0.24 * HEIGHT,
            Motion::Bounce => lift = hop * 0.13 * HEIGHT,
            Motion::Swing => pose.angle = 15.0 * wave,
            Motion::Zoom => pose.scale *= 0.84 + 0.34 * t,
            Motion::Still => {}
        }
        let hovers = self.scene.thing.hovers();
        let rest = HORIZON + (0.24 + v.dy) * HEIGHT;
        pose.ground = rest;
        pose.y = if hovers {
            92.0 + v.dy * HEIGHT + wave * 2.0
        } else {
            rest - 46.0 * pose.scale
        };
        pose.y -= lift;
        pose.shadow = if hovers { 0.7 } else { 1.0 } * (1.0 - 0.3 * lift / (0.13 * HEIGHT));
        pose
    }
}

/// Where the thing is at one moment, in the reference frame's units; the angle in degrees.
struct Pose {
    x: f32,
    y: f32,
    scale: f32,
    angle: f32,
    ground: f32,
    shadow: f32,
}

/// One frame of `scene` at moment `t` of its loop (0 to 1): RGB bytes, row by row. For several frames of
/// one scene, [`Renderer`] draws the background only once.
///
/// # Errors
/// [`RenderError::Size`] where a side is 0 or above [`MAX_SIDE`].
pub fn render_frame(scene: &Scene, t: f32, width: u32, height: u32) -> Result<Vec<u8>, RenderError> {
    Ok(Renderer::new(scene, width, height)?.frame(t))
}
