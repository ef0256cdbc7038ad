//! Times of day and weathers: sky, the tint of everything under it, and what falls from it.

use tiny_skia::PathBuilder;

use crate::canvas::{Canvas, Fill, Rgb, circle, curve, ellipse, rect};
use crate::rng::Rng;
use crate::vocab::Time;

/// Reference frame: every background is drawn in 320 × 180 units and scaled.
pub(crate) const WIDTH: f32 = 320.0;
pub(crate) const HEIGHT: f32 = 180.0;
/// Where the ground meets the sky.
pub(crate) const HORIZON: f32 = 112.0;

/// How a time of day or weather colours what stands under it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Light {
    pub(crate) time: Time,
    multiply: [f32; 3],
    grey: f32,
    air: Rgb,
    /// Share of `air` mixed in at depth 0 (near) and 1 (far).
    haze: (f32, f32),
    /// Share of fresh snow on the ground.
    snow: f32,
}

impl Light {
    pub(crate) fn of(time: Time) -> Self {
        let plain = Self {
            time,
            multiply: [1.0; 3],
            grey: 0.0,
            air: Rgb(196.0, 226.0, 246.0),
            haze: (0.0, 0.22),
            snow: 0.0,
        };
        match time {
            Time::Sunny => plain,
            Time::Sunset => Self {
                multiply: [0.96, 0.70, 0.66],
                air: Rgb(240.0, 128.0, 96.0),
                haze: (0.04, 0.34),
                ..plain
            },
            Time::Night => Self {
                multiply: [0.40, 0.46, 0.70],
                air: Rgb(34.0, 44.0, 98.0),
                haze: (0.02, 0.36),
                ..plain
            },
            Time::Rain => Self {
                multiply: [0.66, 0.72, 0.80],
                grey: 0.38,
                air: Rgb(112.0, 126.0, 144.0),
                haze: (0.03, 0.34),
                ..plain
            },
            Time::Snowfall => Self {
                multiply: [0.93, 0.95, 1.0],
                grey: 0.28,
                air: Rgb(206.0, 216.0, 230.0),
                haze: (0.05, 0.34),
                snow: 0.74,
                ..plain
            },
            Time::Fog => Self {
                multiply: [0.90, 0.92, 0.92],
                grey: 0.50,
                air: Rgb(216.0, 221.0, 220.0),
                haze: (0.20, 0.66),
                ..plain
            },
        }
    }

    /// The colour of something upright at `depth`, 0 (near) to 1 (far).
    pub(crate) fn on(&self, colour: Rgb, depth: f32) -> Rgb {
        let haze = self.haze.0 + (self.haze.1 - self.haze.0) * depth;
        colour.greyed(self.grey).times(self.multiply).mix(self.air, haze)
    }

    /// The colour of ground that faces the sky: as [`Self::on`], with fresh snow on it where it snows.
    pub(crate) fn ground(&self, colour: Rgb, depth: f32) -> Rgb {
        self.on(colour.mix(Rgb(246.0, 249.0, 255.0), self.snow), depth)
    }

    /// The colour of the thing itself: nearly unchanged, so that its hue stays plain in any light.
    pub(crate) fn on_thing(&self, colour: Rgb) -> Rgb {
        let soft = self.multiply.map(|m| 1.0 - (1.0 - m) * 0.07);
        colour.times(soft)
    }

    /// The colour of lamps and windows: lit after dark.
    pub(crate) fn lamp(&self, day: Rgb, lit: Rgb, depth: f32) -> Rgb {
        if matches!(self.time, Time::Night | Time::Sunset) {
            lit
        } else {
            self.on(day, depth)
        }
    }

    fn sky(&self) -> (Rgb, Rgb) {
        match self.time {
            Time::Sunny => (Rgb(62.0, 150.0, 238.0), Rgb(196.0, 232.0, 252.0)),
            Time::Sunset => (Rgb(108.0, 62.0, 138.0), Rgb(255.0, 156.0, 82.0)),
            Time::Night => (Rgb(10.0, 14.0, 46.0), Rgb(46.0, 62.0, 128.0)),
            Time::Rain => (Rgb(76.0, 88.0, 108.0), Rgb(138.0, 150.0, 164.0)),
            Time::Snowfall => (Rgb(168.0, 182.0, 206.0), Rgb(222.0, 229.0, 239.0)),
            Time::Fog => (Rgb(186.0, 194.0, 198.0), Rgb(228.0, 231.0, 229.0)),
        }
    }

    /// Sky, sun, moon, stars and clouds.
    pub(crate) fn draw_sky(&self, canvas: &mut Canvas, rng: &mut Rng) {
        let (top, bottom) = self.sky();
        canvas.fill(
            rect(0.0, 0.0, WIDTH, HEIGHT),
            Fill::Vertical(top, bottom, 0.0, HORIZON),
        );
        let sun = (rng.between(120.0, 200.0), rng.between(24.0, 34.0));
        match self.time {
            Time::Sunny => {
                sun_disc(
                    canvas,
                    sun,
                    15.0,
                    Rgb(255.0, 226.0, 92.0),
                    Rgb(255.0, 246.0, 190.0),
                );
                clouds(canvas, rng, 6, Rgb::WHITE, 0.92, Some(sun.0));
            }
            Time::Sunset => {
                let low = (sun.0, 84.0);
                canvas.fill(
                    rect(0.0, 0.0, WIDTH, HEIGHT),
                    Fill::Glow(Rgb(255.0, 210.0, 110.0), 0.85, low, 130.0),
                );
                canvas.fill(circle(low.0, low.1, 27.0), Rgb(255.0, 236.0, 150.0));
                streaks(canvas, rng, Rgb(255.0, 178.0, 130.0), 0.65);
            }
            Time::Night => {
                stars(canvas, rng);
                sun_disc(
                    canvas,
                    sun,
                    13.0,
                    Rgb(250.0, 246.0, 214.0),
                    Rgb(170.0, 190.0, 255.0),
                );
                canvas.fill(circle(sun.0 + 6.0, sun.1 - 4.0, 11.0), top.mix(bottom, 0.22));
            }
            Time::Rain => clouds(canvas, rng, 11, Rgb(84.0, 94.0, 112.0), 0.95, None),
            Time::Snowfall => clouds(canvas, rng, 7, Rgb(240.0, 244.0, 250.0), 0.8, None),
            Time::Fog => fog_banks(canvas, rng, 20.0, 100.0, 0.5),
        }
    }

    /// What lies between the thing and the viewer. `t` is the moment, 0 to 1, and loops.
    pub(crate) fn draw_weather(&self, canvas: &mut Canvas, seed: u64, t: f32) {
        let mut rng = Rng::for_part(seed, 7);
        match self.time {
            Time::Rain => rain(canvas, &mut rng, t),
            Time::Snowfall => snow(canvas, &mut rng, t),
            Time::Fog => fog_front(canvas, &mut rng, t),
            Time::Sunny | Time::Sunset | Time::Night => {}
        }
    }
}

fn sun_disc(canvas: &mut Canvas, at: (f32, f32), radius: f32, disc: Rgb, glow: Rgb) {
    canvas.fill(
        circle(at.0, at.1, radius * 3.4),
        Fill::Glow(glow, 0.75, at, radius * 3.4),
    );
    canvas.fill(circle(at.0, at.1, radius), disc);
}

/// A row of clouds; none stands within 36 units of `clear`.
fn clouds(canvas: &mut Canvas, rng: &mut Rng, count: usize, colour: Rgb, alpha: f32, clear: Option<f32>) {
    for index in 0..count {
        let x = (index as f32 + rng.between(0.1, 0.9)) * WIDTH / count as f32;
        let y = rng.between(8.0, 46.0);
        let scale = rng.between(0.7, 1.25);
        if clear.is_some_and(|clear| (clear - x).abs() < 36.0) {
            continue;
        }
        let shadow = colour.scaled(0.93);
        for (dx, dy, r, tone) in [
            (-15.0, 3.0, 9.0, shadow),
            (15.0, 3.0, 8.0, shadow),
            (-6.0, -2.0, 11.0, colour),
            (8.0, -1.0, 10.0, colour),
            (0.0, 4.0, 10.0, colour),
        ] {
            let puff = ellipse(x + dx * scale, y + dy * scale, r * 1.25 * scale, r * 0.8 * scale);
            canvas.fill(puff, Fill::Alpha(tone, alpha));
        }
    }
}

fn streaks(canvas: &mut Canvas, rng: &mut Rng, colour: Rgb, alpha: f32) {
    for _ in 0..6 {
        let (x, y) = (rng.between(0.0, WIDTH), rng.between(14.0, 62.0));
        canvas.fill(
            ellipse(x, y, rng.between(30.0, 60.0), rng.between(1.6, 3.4)),
            Fill::Alpha(colour, alpha),
        );
    }
}

fn stars(canvas: &mut Canvas, rng: &mut Rng) {
    for _ in 0..70 {
        let (x, y) = (rng.between(0.0, WIDTH), rng.between(2.0, 104.0));
        let radius = if rng.chance(0.2) { 1.5 } else { 0.8 };
        canvas.fill(
            circle(x, y, radius),
            Fill::Alpha(Rgb(255.0, 252.0, 230.0), rng.between(0.55, 1.0)),
        );
    }
}

fn fog_banks(canvas: &mut Canvas, rng: &mut Rng, top: f32, bottom: f32, alpha: f32) {
    for index in 0..6 {
        let y = top + (bottom - top) * index as f32 / 5.0;
        let x = rng.between(0.0, WIDTH);
        canvas.fill(
            ellipse(x, y, rng.between(90.0, 160.0), rng.between(6.0, 11.0)),
            Fill::Alpha(Rgb(244.0, 246.0, 244.0), alpha),
        );
    }
}

fn rain(canvas: &mut Canvas, rng: &mut Rng, t: f32) {
    let mut drops = PathBuilder::new();
    for _ in 0..110 {
        let length = rng.between(9.0, 16.0);
        let laps = 2.0 + rng.below(2) as f32;
        let x = rng.between(-10.0, WIDTH + 30.0);
        let y = (rng.between(0.0, 1.0) + laps * t).fract() * (HEIGHT + 30.0) - 15.0;
        let x = x - y * 0.16;
        drops.move_to(x, y);
        drops.line_to(x - length * 0.16, y + length);
    }
    canvas.stroke(drops.finish(), 1.3, Fill::Alpha(Rgb(214.0, 230.0, 250.0), 0.72));
    for _ in 0..14 {
        let (x, y) = (rng.between(0.0, WIDTH), rng.between(HORIZON + 22.0, HEIGHT));
        let age = (rng.between(0.0, 1.0) + 2.0 * t).fract();
        let ring = ellipse(x, y, 1.0 + 7.0 * age, 0.4 + 2.2 * age);
        canvas.stroke(
            ring,
            0.9,
            Fill::Alpha(Rgb(225.0, 236.0, 250.0), 0.8 * (1.0 - age)),
        );
    }
}

fn snow(canvas: &mut Canvas, rng: &mut Rng, t: f32) {
    let mut flakes = PathBuilder::new();
    for _ in 0..90 {
        let radius = rng.between(1.2, 3.0);
        let sway = rng.between(0.0, 1.0);
        let x = rng.between(0.0, WIDTH) + 5.0 * ((t + sway) * std::f32::consts::TAU).sin();
        let y = (rng.between(0.0, 1.0) + t).fract() * (HEIGHT + 10.0) - 5.0;
        flakes.push_circle(x, y, radius);
    }
    canvas.fill(flakes.finish(), Fill::Alpha(Rgb::WHITE, 0.94));
}

fn fog_front(canvas: &mut Canvas, rng: &mut Rng, t: f32) {
    let colour = Rgb(232.0, 236.0, 235.0);
    for index in 0..5 {
        let y = 104.0 + 17.0 * index as f32;
        let sway = 12.0 * ((t + rng.between(0.0, 1.0)) * std::f32::consts::TAU).sin();
        let x = rng.between(60.0, 260.0) + sway;
        canvas.fill(ellipse(x, y, 130.0, 10.0), Fill::Alpha(colour, 0.17));
    }
    for index in 0..3 {
        let y = 44.0 + 40.0 * index as f32 + rng.between(-6.0, 6.0);
        let sway = 16.0 * ((t + rng.between(0.0, 1.0)) * std::f32::consts::TAU).sin();
        let points: Vec<_> = (0..9)
            .map(|step| {
                let x = -20.0 + 45.0 * step as f32 + sway;
                (x, y + 4.0 * (step as f32 * 1.7 + sway * 0.1).sin())
            })
            .collect();
        canvas.stroke(curve(&points), 8.0, Fill::Alpha(colour, 0.13));
    }
}
