//! Beach, forest, meadow.

use super::hill;
use crate::canvas::{Canvas, Fill, Rgb, blob, circle, curve, ellipse, land, line, poly, rect, round_rect};
use crate::light::{HEIGHT, Light, WIDTH};
use crate::rng::Rng;

pub(super) fn beach(canvas: &mut Canvas, light: &Light, rng: &mut Rng) {
    let (far, near) = (Rgb(16.0, 116.0, 178.0), Rgb(64.0, 206.0, 208.0));
    canvas.fill(
        rect(0.0, 96.0, WIDTH, 50.0),
        Fill::Vertical(light.on(far, 0.5), light.on(near, 0.1), 96.0, 138.0),
    );
    for _ in 0..12 {
        let (x, y) = (rng.between(0.0, WIDTH), rng.between(100.0, 126.0));
        let width = rng.between(8.0, 22.0);
        let wave = curve(&[(x, y), (x + width / 2.0, y - 1.4), (x + width, y)]);
        canvas.stroke(wave, 1.2, Fill::Alpha(light.on(Rgb::WHITE, 0.2), 0.6));
    }
    let shore: Vec<_> = (0..9)
        .map(|step| (-20.0 + step as f32 * 45.0, 134.0 + rng.between(-3.0, 3.0)))
        .collect();
    canvas.stroke(curve(&shore), 7.0, light.on(Rgb(236.0, 250.0, 250.0), 0.1));
    let (sand, deep) = (Rgb(250.0, 222.0, 160.0), Rgb(232.0, 190.0, 118.0));
    canvas.fill(
        land(&shore, HEIGHT),
        Fill::Vertical(light.ground(sand, 0.1), light.ground(deep, 0.0), 134.0, HEIGHT),
    );
    for _ in 0..26 {
        let (x, y) = (rng.between(0.0, WIDTH), rng.between(142.0, 178.0));
        canvas.fill(
            ellipse(x, y, 1.6, 0.8),
            Fill::Alpha(light.on(Rgb(190.0, 146.0, 84.0), 0.0), 0.7),
        );
    }
    let side = if rng.chance(0.5) { 1.0 } else { -1.0 };
    palm(canvas, light, 160.0 + side * rng.between(70.0, 80.0), side, rng);
    palm(
        canvas,
        light,
        160.0 - side * rng.between(112.0, 140.0),
        -side,
        rng,
    );
}

fn palm(canvas: &mut Canvas, light: &Light, x: f32, side: f32, rng: &mut Rng) {
    let top = (x - side * 6.0, rng.between(34.0, 46.0));
    let trunk = [(x + side * 12.0, 150.0), (x + side * 4.0, 100.0), top];
    canvas.stroke(curve(&trunk), 8.6, light.on(Rgb(92.0, 58.0, 36.0), 0.1));
    canvas.stroke(curve(&trunk), 5.6, light.on(Rgb(164.0, 112.0, 66.0), 0.1));
    for (dx, dy) in [
        (-36.0, 12.0),
        (36.0, 12.0),
        (-28.0, -10.0),
        (28.0, -10.0),
        (-15.0, 27.0),
        (17.0, 27.0),
    ] {
        let tip = (top.0 + dx, top.1 + dy);
        let lift = (top.0 + dx * 0.5, top.1 + dy * 0.2 - 13.0);
        let under = (top.0 + dx * 0.45, top.1 + dy * 0.4 - 2.0);
        canvas.fill(
            blob(&[top, lift, tip, under]),
            light.on(Rgb(34.0, 146.0, 74.0), 0.08),
        );
        canvas.stroke(
            curve(&[top, (lift.0, lift.1 + 4.0), tip]),
            1.0,
            light.on(Rgb(20.0, 98.0, 56.0), 0.08),
        );
    }
    for (dx, dy) in [(-4.0, 3.0), (4.0, 4.0)] {
        canvas.fill(
            circle(top.0 + dx, top.1 + dy, 4.0),
            light.on(Rgb(112.0, 70.0, 40.0), 0.08),
        );
    }
}

pub(super) fn forest(canvas: &mut Canvas, light: &Light, rng: &mut Rng) {
    for index in 0..17 {
        let x = index as f32 * 20.0 + rng.between(-6.0, 6.0);
        let shade = if index % 2 == 0 {
            Rgb(66.0, 138.0, 104.0)
        } else {
            Rgb(84.0, 154.0, 114.0)
        };
        conifer(
            canvas,
            (x, 136.0),
            rng.between(74.0, 98.0),
            17.0,
            light.on(shade, 0.8),
            None,
        );
    }
    for index in 0..11 {
        let x = index as f32 * 32.0 + rng.between(-8.0, 8.0);
        let colour = light.on(Rgb(40.0, 112.0, 70.0), 0.4);
        conifer(canvas, (x, 140.0), rng.between(68.0, 92.0), 20.0, colour, None);
    }
    let (moss, soil) = (Rgb(58.0, 116.0, 54.0), Rgb(36.0, 78.0, 42.0));
    hill(
        canvas,
        rng,
        134.0,
        3.0,
        light.ground(moss, 0.1),
        light.ground(soil, 0.0),
    );
    for side in [-1.0, 1.0] {
        for (offset, base, height) in [(134.0, 150.0, 150.0), (80.0, 144.0, 136.0)] {
            let x = 160.0 + side * (offset + rng.between(-5.0, 5.0));
            let bark = light.on(Rgb(94.0, 62.0, 44.0), 0.0);
            let leaf = light.on(Rgb(22.0, 86.0, 56.0), 0.05);
            conifer(
                canvas,
                (x, base),
                height + rng.between(-8.0, 8.0),
                33.0,
                leaf,
                Some(bark),
            );
        }
    }
    for _ in 0..16 {
        let (x, y) = (rng.between(0.0, WIDTH), rng.between(148.0, 176.0));
        for dx in [-5.0, 0.0, 5.0] {
            let blade = curve(&[(x, y), (x + dx * 0.4, y - 5.0), (x + dx, y - 7.0)]);
            canvas.stroke(blade, 1.4, light.on(Rgb(92.0, 168.0, 82.0), 0.0));
        }
    }
}

/// A fir of three tiers, its foot at `foot`.
fn conifer(canvas: &mut Canvas, foot: (f32, f32), height: f32, half: f32, colour: Rgb, bark: Option<Rgb>) {
    let (x, y) = foot;
    if let Some(bark) = bark {
        canvas.fill(rect(x - 4.5, y - height * 0.2, 9.0, height * 0.2), bark);
    }
    let lift = if bark.is_some() { height * 0.12 } else { 0.0 };
    for (tier, width) in [(0.0_f32, 1.0_f32), (0.27, 0.8), (0.52, 0.58)] {
        let bottom = y - lift - tier * height;
        let top = bottom - height * 0.46;
        let w = half * width;
        let shape = poly(&[
            (x, top),
            (x + w, bottom),
            (x, bottom - height * 0.03),
            (x - w, bottom),
        ]);
        canvas.fill(
            shape,
            Fill::Vertical(colour.scaled(1.18), colour.scaled(0.86), top, bottom),
        );
    }
}

pub(super) fn meadow(canvas: &mut Canvas, light: &Light, rng: &mut Rng) {
    let hills = [
        (100.0, 9.0, Rgb(132.0, 196.0, 112.0), 0.8),
        (114.0, 7.0, Rgb(124.0, 202.0, 92.0), 0.45),
        (130.0, 4.0, Rgb(118.0, 206.0, 74.0), 0.1),
    ];
    for (y, wave, colour, depth) in hills {
        let top = light.ground(colour, depth);
        hill(
            canvas,
            rng,
            y,
            wave,
            top,
            light.ground(colour.scaled(0.8), depth * 0.6),
        );
        if depth > 0.4 && depth < 0.5 {
            let side = if rng.chance(0.5) { 1.0 } else { -1.0 };
            round_tree(canvas, light, 160.0 + side * rng.between(66.0, 80.0), rng);
            round_tree(canvas, light, 160.0 - side * rng.between(118.0, 140.0), rng);
        }
    }
    fence(canvas, light);
    for index in 0..64 {
        let y = 136.0 + 42.0 * (index as f32 / 64.0);
        let x = rng.between(0.0, WIDTH);
        flower(canvas, light, (x, y), 1.5 + (y - 134.0) * 0.035, rng.below(4));
    }
}

fn round_tree(canvas: &mut Canvas, light: &Light, x: f32, rng: &mut Rng) {
    canvas.fill(
        rect(x - 3.5, 96.0, 7.0, 32.0),
        light.on(Rgb(124.0, 84.0, 54.0), 0.25),
    );
    let crown = light.on(Rgb(70.0, 158.0, 66.0), 0.25);
    let y = rng.between(76.0, 84.0);
    for (dx, dy, r) in [
        (-14.0, 8.0, 15.0),
        (14.0, 8.0, 15.0),
        (0.0, -4.0, 19.0),
        (0.0, 12.0, 15.0),
    ] {
        canvas.fill(circle(x + dx, y + dy, r), crown);
    }
    canvas.fill(
        circle(x - 6.0, y - 6.0, 9.0),
        Fill::Alpha(crown.mix(Rgb::WHITE, 0.25), 0.7),
    );
}

fn fence(canvas: &mut Canvas, light: &Light) {
    let wood = light.on(Rgb(250.0, 246.0, 236.0), 0.15);
    for y in [124.0, 131.0] {
        canvas.stroke(line(&[(0.0, y), (WIDTH, y)]), 2.0, wood.scaled(0.92));
    }
    for post in 0..20 {
        canvas.fill(round_rect(post as f32 * 17.0 - 1.0, 119.0, 4.0, 18.0, 2.0), wood);
    }
}

fn flower(canvas: &mut Canvas, light: &Light, at: (f32, f32), size: f32, kind: usize) {
    let petals = [
        Rgb(255.0, 255.0, 250.0),
        Rgb(255.0, 216.0, 76.0),
        Rgb(244.0, 110.0, 128.0),
        Rgb(176.0, 132.0, 236.0),
    ];
    let colour = light.on(petals[kind % petals.len()], 0.0);
    let (x, y) = at;
    canvas.stroke(
        line(&[(x, y), (x, y + size * 2.2)]),
        1.0,
        light.on(Rgb(52.0, 132.0, 48.0), 0.0),
    );
    for (dx, dy) in [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)] {
        canvas.fill(circle(x + dx * size, y + dy * size, size * 0.82), colour);
    }
    canvas.fill(circle(x, y, size * 0.7), light.on(Rgb(248.0, 168.0, 40.0), 0.0));
}
