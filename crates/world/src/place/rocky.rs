//! Mountains, desert, arctic.

use super::hill;
use crate::canvas::{Canvas, Fill, Rgb, blob, curve, ellipse, land, line, poly, rect, round_rect};
use crate::light::{HEIGHT, Light, WIDTH};
use crate::rng::Rng;

pub(super) fn mountains(canvas: &mut Canvas, light: &Light, rng: &mut Rng) {
    for index in 0..5 {
        let x = index as f32 * 80.0 + rng.between(-14.0, 14.0);
        peak(
            canvas,
            (x, rng.between(50.0, 66.0)),
            66.0,
            light,
            Rgb(134.0, 146.0, 180.0),
            0.9,
        );
    }
    let shift = rng.between(-8.0, 8.0);
    for (x, top) in [
        (58.0, 34.0),
        (262.0, 30.0),
        (100.0 + shift, 22.0),
        (222.0 + shift, 17.0),
    ] {
        peak(
            canvas,
            (x, top + rng.between(-4.0, 4.0)),
            74.0,
            light,
            Rgb(96.0, 104.0, 138.0),
            0.35,
        );
    }
    let grass = Rgb(104.0, 150.0, 92.0);
    hill(
        canvas,
        rng,
        128.0,
        5.0,
        light.ground(grass, 0.3),
        light.ground(grass.scaled(0.8), 0.2),
    );
    for index in 0..16 {
        let x = index as f32 * 21.0 + rng.between(-5.0, 5.0);
        let height = rng.between(14.0, 24.0);
        let tree = poly(&[(x, 134.0 - height), (x + 6.0, 137.0), (x - 6.0, 137.0)]);
        canvas.fill(tree, light.on(Rgb(44.0, 92.0, 78.0), 0.2));
    }
    let near = Rgb(142.0, 168.0, 98.0);
    hill(
        canvas,
        rng,
        140.0,
        3.0,
        light.ground(near, 0.1),
        light.ground(near.scaled(0.72), 0.0),
    );
    for _ in 0..12 {
        let (x, y, r) = (
            rng.between(0.0, WIDTH),
            rng.between(148.0, 176.0),
            rng.between(3.0, 7.0),
        );
        let stone = [
            (x - r, y),
            (x - r * 0.6, y - r * 0.8),
            (x + r * 0.3, y - r),
            (x + r, y - r * 0.2),
            (x + r, y),
        ];
        canvas.fill(poly(&stone), light.on(Rgb(134.0, 132.0, 140.0), 0.0));
    }
}

/// A peak with a lit and a shaded face and a snow cap.
fn peak(canvas: &mut Canvas, top: (f32, f32), half: f32, light: &Light, rock: Rgb, depth: f32) {
    let ((x, y), base) = (top, 136.0);
    canvas.fill(
        poly(&[(x, y), (x + half, base), (x - half, base)]),
        light.on(rock.scaled(1.16), depth),
    );
    let shaded = poly(&[
        (x, y),
        (x + half, base),
        (x + half * 0.1, base),
        (x - 4.0, y + (base - y) * 0.5),
    ]);
    canvas.fill(shaded, light.on(rock.scaled(0.84), depth));
    let cap = (base - y) * 0.36;
    let edge = half * 0.36;
    let snow = [
        (x, y),
        (x + edge, y + cap),
        (x + edge * 0.5, y + cap * 0.76),
        (x + edge * 0.1, y + cap * 1.1),
        (x - edge * 0.4, y + cap * 0.74),
        (x - edge, y + cap),
    ];
    canvas.fill(poly(&snow), light.on(Rgb(250.0, 252.0, 255.0), depth * 0.6));
}

pub(super) fn desert(canvas: &mut Canvas, light: &Light, rng: &mut Rng) {
    let shift = rng.between(-14.0, 14.0);
    for (x, width, top) in [
        (20.0, 74.0, 72.0),
        (112.0 + shift, 66.0, 56.0),
        (240.0 + shift, 96.0, 66.0),
    ] {
        mesa(canvas, light, x, width, top);
    }
    for (y, wave, colour, depth) in [
        (112.0, 8.0, Rgb(240.0, 184.0, 112.0), 0.5),
        (126.0, 7.0, Rgb(236.0, 168.0, 90.0), 0.25),
        (142.0, 4.0, Rgb(244.0, 180.0, 98.0), 0.0),
    ] {
        let deep = light.ground(colour.scaled(0.82), depth);
        hill(
            canvas,
            rng,
            y,
            wave,
            light.ground(colour.scaled(1.05), depth),
            deep,
        );
    }
    for _ in 0..9 {
        let (x, y) = (rng.between(0.0, WIDTH), rng.between(150.0, 177.0));
        let ripple = curve(&[(x, y), (x + 12.0, y - 2.0), (x + 24.0, y), (x + 36.0, y - 2.0)]);
        canvas.stroke(
            ripple,
            1.2,
            Fill::Alpha(light.on(Rgb(196.0, 126.0, 60.0), 0.0), 0.6),
        );
    }
    let side = if rng.chance(0.5) { 1.0 } else { -1.0 };
    cactus(
        canvas,
        light,
        160.0 + side * rng.between(68.0, 76.0),
        148.0,
        rng.between(1.15, 1.35),
    );
    cactus(
        canvas,
        light,
        160.0 - side * rng.between(68.0, 80.0),
        136.0,
        rng.between(0.75, 0.95),
    );
    cactus(
        canvas,
        light,
        160.0 - side * rng.between(116.0, 140.0),
        146.0,
        rng.between(0.9, 1.2),
    );
}

fn mesa(canvas: &mut Canvas, light: &Light, x: f32, width: f32, top: f32) {
    let rock = Rgb(200.0, 98.0, 64.0);
    let body = [
        (x, top),
        (x + width, top),
        (x + width + 10.0, 124.0),
        (x - 10.0, 124.0),
    ];
    let colour = light.on(rock, 0.5);
    canvas.fill(
        poly(&body),
        Fill::Vertical(colour.scaled(1.08), colour.scaled(0.8), top, 124.0),
    );
    for band in [0.22, 0.5] {
        let y = top + (118.0 - top) * band;
        canvas.stroke(
            line(&[(x - 10.0 * band, y), (x + width + 10.0 * band, y)]),
            2.4,
            light.on(rock.scaled(0.74), 0.5),
        );
    }
}

fn cactus(canvas: &mut Canvas, light: &Light, x: f32, foot: f32, scale: f32) {
    let arms: [&[(f32, f32)]; 3] = [
        &[(0.0, 0.0), (0.0, -58.0)],
        &[(0.0, -22.0), (-15.0, -24.0), (-16.0, -44.0)],
        &[(0.0, -30.0), (14.0, -32.0), (15.0, -50.0)],
    ];
    for (extra, colour) in [(3.0, Rgb(24.0, 84.0, 52.0)), (0.0, Rgb(62.0, 148.0, 84.0))] {
        for (index, arm) in arms.iter().enumerate() {
            let points: Vec<_> = arm
                .iter()
                .map(|p| (x + p.0 * scale, foot + p.1 * scale))
                .collect();
            let width = if index == 0 { 11.0 } else { 7.5 } * scale + extra;
            canvas.stroke(line(&points), width, light.on(colour, 0.05));
        }
    }
    canvas.stroke(
        line(&[(x - 1.5, foot), (x - 1.5, foot - 58.0 * scale)]),
        1.2,
        Fill::Alpha(light.on(Rgb(150.0, 214.0, 140.0), 0.05), 0.7),
    );
}

pub(super) fn arctic(canvas: &mut Canvas, light: &Light, rng: &mut Rng) {
    let (far, near) = (Rgb(36.0, 110.0, 156.0), Rgb(26.0, 132.0, 170.0));
    canvas.fill(
        rect(0.0, 92.0, WIDTH, 52.0),
        Fill::Vertical(light.on(far, 0.4), light.on(near, 0.1), 92.0, 140.0),
    );
    let shift = rng.between(-12.0, 12.0);
    for (x, width, top) in [
        (4.0, 80.0, 52.0),
        (98.0 + shift, 70.0, 40.0),
        (206.0 + shift, 92.0, 28.0),
    ] {
        iceberg(canvas, light, x, width, top + rng.between(-6.0, 6.0));
    }
    for _ in 0..8 {
        let (x, y) = (rng.between(0.0, WIDTH), rng.between(112.0, 128.0));
        canvas.fill(
            ellipse(x, y, rng.between(8.0, 18.0), 2.4),
            light.on(Rgb(226.0, 244.0, 250.0), 0.2),
        );
    }
    let edge: Vec<_> = (0..9)
        .map(|step| (-20.0 + step as f32 * 45.0, 136.0 + rng.between(-3.0, 3.0)))
        .collect();
    canvas.stroke(curve(&edge), 6.0, light.on(Rgb(120.0, 198.0, 224.0), 0.1));
    let (ice, deep) = (Rgb(230.0, 246.0, 253.0), Rgb(168.0, 216.0, 238.0));
    canvas.fill(
        land(&edge, HEIGHT),
        Fill::Vertical(light.on(ice, 0.0), light.on(deep, 0.0), 136.0, HEIGHT),
    );
    for _ in 0..7 {
        let (x, y) = (rng.between(0.0, WIDTH), rng.between(146.0, 172.0));
        let crack = [
            (x, y),
            (x + 10.0, y + 3.0),
            (x + 16.0, y + 1.0),
            (x + 28.0, y + 5.0),
        ];
        canvas.stroke(
            line(&crack),
            1.2,
            Fill::Alpha(light.on(Rgb(86.0, 166.0, 204.0), 0.0), 0.7),
        );
    }
    let side = if rng.chance(0.5) { 1.0 } else { -1.0 };
    igloo(canvas, light, 160.0 + side * rng.between(66.0, 74.0), -side);
}

fn iceberg(canvas: &mut Canvas, light: &Light, x: f32, width: f32, top: f32) {
    let base = 116.0;
    let at = |dx: f32, dy: f32| (x + dx * width, top + dy * (base - top));
    let outline = [
        at(0.0, 1.0),
        at(0.08, 0.5),
        at(0.3, 0.3),
        at(0.46, 0.0),
        at(0.66, 0.22),
        at(0.84, 0.3),
        at(1.0, 1.0),
    ];
    canvas.fill(
        poly(&outline),
        Fill::Vertical(
            light.on(Rgb(248.0, 253.0, 255.0), 0.3),
            light.on(Rgb(142.0, 208.0, 234.0), 0.3),
            top,
            base,
        ),
    );
    let facet = [
        at(0.46, 0.0),
        at(0.66, 0.22),
        at(0.84, 0.3),
        at(1.0, 1.0),
        at(0.6, 1.0),
        at(0.52, 0.45),
    ];
    canvas.fill(
        poly(&facet),
        Fill::Alpha(light.on(Rgb(92.0, 172.0, 214.0), 0.3), 0.6),
    );
    let reflection = ellipse(x + width / 2.0, base + 1.5, width * 0.52, 2.6);
    canvas.fill(
        reflection,
        Fill::Alpha(light.on(Rgb(206.0, 238.0, 248.0), 0.2), 0.8),
    );
}

fn igloo(canvas: &mut Canvas, light: &Light, x: f32, door: f32) {
    let snow = Rgb(246.0, 251.0, 255.0);
    let dome = blob(&[
        (x - 27.0, 148.0),
        (x - 22.0, 126.0),
        (x, 114.0),
        (x + 22.0, 126.0),
        (x + 27.0, 148.0),
    ]);
    let joint = light.on(Rgb(110.0, 170.0, 202.0), 0.1);
    let wall = Fill::Vertical(
        light.on(snow, 0.1),
        light.on(Rgb(190.0, 224.0, 240.0), 0.1),
        114.0,
        148.0,
    );
    canvas.fill(dome.clone(), wall);
    canvas.stroke(dome, 1.6, joint);
    for (y, half) in [(138.0, 26.0), (128.0, 21.0)] {
        canvas.stroke(line(&[(x - half, y), (x + half, y)]), 1.2, joint);
    }
    for (dx, y) in [
        (-9.0, 138.0),
        (9.0, 138.0),
        (0.0, 128.0),
        (-14.0, 128.0),
        (14.0, 128.0),
    ] {
        canvas.stroke(line(&[(x + dx, y), (x + dx, y - 9.0)]), 1.2, joint);
    }
    let glow = light.lamp(Rgb(44.0, 78.0, 112.0), Rgb(255.0, 196.0, 92.0), 0.0);
    canvas.fill(round_rect(x + door * 14.0 - 7.0, 135.0, 14.0, 17.0, 7.0), glow);
}
