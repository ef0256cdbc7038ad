//! City, funfair.

use crate::canvas::{Canvas, Fill, Rgb, circle, curve, line, poly, rect, round_rect};
use crate::light::{HEIGHT, Light, WIDTH};
use crate::rng::Rng;

pub(super) fn city(canvas: &mut Canvas, light: &Light, rng: &mut Rng) {
    for index in 0..12 {
        let x = index as f32 * 28.0 - 8.0;
        let top = rng.between(36.0, 76.0);
        canvas.fill(
            rect(x, top, 26.0, 138.0 - top),
            light.on(Rgb(150.0, 166.0, 194.0), 0.85),
        );
    }
    let walls = [
        Rgb(104.0, 118.0, 150.0),
        Rgb(138.0, 128.0, 146.0),
        Rgb(84.0, 102.0, 132.0),
    ];
    for index in 0..8 {
        let middle = index == 3 || index == 4;
        let x = index as f32 * 41.0 - 4.0 + rng.between(-2.0, 2.0);
        let top = if middle {
            rng.between(54.0, 66.0)
        } else {
            rng.between(14.0, 40.0)
        };
        let colour = light.on(walls[(index + rng.below(2)) % walls.len()], 0.3);
        tower(canvas, light, (x, top, rng.between(33.0, 38.0)), colour, rng);
    }
    canvas.fill(
        rect(0.0, 136.0, WIDTH, 8.0),
        light.ground(Rgb(192.0, 194.0, 200.0), 0.0),
    );
    let (far, near) = (Rgb(92.0, 96.0, 108.0), Rgb(66.0, 70.0, 82.0));
    canvas.fill(
        rect(0.0, 143.0, WIDTH, HEIGHT - 143.0),
        Fill::Vertical(light.ground(far, 0.0), light.ground(near, 0.0), 143.0, HEIGHT),
    );
    for dash in 0..8 {
        let x = dash as f32 * 44.0 + 4.0;
        canvas.fill(
            poly(&[
                (x + 2.0, 164.0),
                (x + 24.0, 164.0),
                (x + 22.0, 168.0),
                (x - 2.0, 168.0),
            ]),
            light.on(Rgb(250.0, 250.0, 244.0), 0.0),
        );
    }
    for x in [82.0, 242.0] {
        street_lamp(canvas, light, x);
    }
}

fn tower(canvas: &mut Canvas, light: &Light, (x, top, width): (f32, f32, f32), colour: Rgb, rng: &mut Rng) {
    canvas.fill(
        rect(x, top, width, 138.0 - top),
        Fill::Vertical(colour.scaled(1.12), colour.scaled(0.9), top, 138.0),
    );
    canvas.fill(
        rect(x + width - 5.0, top, 5.0, 138.0 - top),
        Fill::Alpha(Rgb::INK, 0.18),
    );
    if rng.chance(0.5) {
        canvas.stroke(
            line(&[(x + width / 2.0, top), (x + width / 2.0, top - 10.0)]),
            1.6,
            colour,
        );
    }
    let columns = 4;
    let step = (width - 6.0) / columns as f32;
    let rows = ((134.0 - top) / 9.0) as usize;
    for row in 0..rows {
        for column in 0..columns {
            let lit = rng.chance(0.62);
            let window = if lit {
                light.lamp(Rgb(206.0, 230.0, 246.0), Rgb(255.0, 220.0, 124.0), 0.2)
            } else {
                colour.scaled(0.72)
            };
            let left = x + 3.5 + column as f32 * step;
            canvas.fill(rect(left, top + 5.0 + row as f32 * 9.0, step - 2.6, 5.2), window);
        }
    }
}

fn street_lamp(canvas: &mut Canvas, light: &Light, x: f32) {
    let iron = light.on(Rgb(48.0, 54.0, 68.0), 0.0);
    canvas.stroke(line(&[(x, 142.0), (x, 84.0)]), 2.6, iron);
    canvas.fill(rect(x - 4.0, 138.0, 8.0, 5.0), iron);
    let bulb = light.lamp(Rgb(250.0, 246.0, 220.0), Rgb(255.0, 230.0, 140.0), 0.0);
    if matches!(
        light.time,
        crate::Time::Night | crate::Time::Sunset | crate::Time::Fog
    ) {
        canvas.fill(
            circle(x, 80.0, 17.0),
            Fill::Glow(Rgb(255.0, 224.0, 130.0), 0.7, (x, 80.0), 17.0),
        );
    }
    canvas.fill(circle(x, 80.0, 4.6), bulb);
}

pub(super) fn funfair(canvas: &mut Canvas, light: &Light, rng: &mut Rng) {
    let side = if rng.chance(0.5) { 1.0 } else { -1.0 };
    let tent_x = 160.0 + side * rng.between(56.0, 64.0);
    let wheel = (160.0 - side * rng.between(44.0, 54.0), 66.0);
    tent(canvas, light, 160.0 + side * 132.0, 62.0, 0.6);
    tent(canvas, light, 160.0 - side * 136.0, 58.0, 0.5);
    ferris_wheel(canvas, light, wheel, 56.0, rng.between(0.0, 0.7));
    tent(canvas, light, tent_x, 70.0, 0.8);
    let (far, near) = (Rgb(222.0, 190.0, 158.0), Rgb(192.0, 150.0, 122.0));
    canvas.fill(
        rect(0.0, 138.0, WIDTH, HEIGHT - 138.0),
        Fill::Vertical(light.ground(far, 0.1), light.ground(near, 0.0), 138.0, HEIGHT),
    );
    for row in 0..4 {
        let y = 144.0 + 10.0 * row as f32;
        canvas.stroke(
            line(&[(0.0, y), (WIDTH, y)]),
            0.8,
            Fill::Alpha(Rgb(120.0, 84.0, 70.0), 0.25),
        );
    }
    bunting(canvas, light);
}

const BRIGHT: [Rgb; 5] = [
    Rgb(238.0, 76.0, 72.0),
    Rgb(252.0, 200.0, 60.0),
    Rgb(74.0, 170.0, 226.0),
    Rgb(104.0, 194.0, 104.0),
    Rgb(226.0, 120.0, 196.0),
];

fn ferris_wheel(canvas: &mut Canvas, light: &Light, (x, y): (f32, f32), radius: f32, turn: f32) {
    let steel = light.on(Rgb(120.0, 92.0, 142.0), 0.2);
    for dx in [-26.0, 26.0] {
        canvas.stroke(line(&[(x, y), (x + dx, 140.0)]), 4.0, steel);
    }
    canvas.stroke(circle(x, y, radius), 3.4, steel);
    canvas.stroke(circle(x, y, radius * 0.86), 1.2, steel);
    for spoke in 0..10 {
        let angle = turn + spoke as f32 * std::f32::consts::TAU / 10.0;
        let rim = (x + radius * angle.cos(), y + radius * angle.sin());
        canvas.stroke(line(&[(x, y), rim]), 1.5, steel);
        let paint = light.lamp(BRIGHT[spoke % 5], BRIGHT[spoke % 5].mix(Rgb::WHITE, 0.15), 0.1);
        canvas.stroke(round_rect(rim.0 - 6.0, rim.1 - 2.0, 12.0, 11.0, 4.0), 1.6, steel);
        canvas.fill(round_rect(rim.0 - 6.0, rim.1 - 2.0, 12.0, 11.0, 4.0), paint);
    }
    canvas.fill(circle(x, y, 6.0), light.lamp(BRIGHT[1], BRIGHT[1], 0.1));
}

fn tent(canvas: &mut Canvas, light: &Light, x: f32, width: f32, scale: f32) {
    let (top, eave, foot) = (140.0 - 78.0 * scale, 140.0 - 38.0 * scale, 140.0);
    let half = width / 2.0;
    let stripes = 8;
    for stripe in 0..stripes {
        let colour = if stripe % 2 == 0 {
            Rgb(228.0, 72.0, 78.0)
        } else {
            Rgb(252.0, 244.0, 232.0)
        };
        let colour = light.on(colour, 0.15);
        let at = |part: usize, reach: f32| x - reach + 2.0 * reach * part as f32 / stripes as f32;
        let wall = half * 0.86;
        let (left, right) = (at(stripe, wall), at(stripe + 1, wall));
        canvas.fill(rect(left, eave, right - left, foot - eave), colour.scaled(0.92));
        canvas.fill(
            poly(&[(x, top), (at(stripe + 1, half), eave), (at(stripe, half), eave)]),
            colour,
        );
        canvas.fill(
            circle(
                (at(stripe, half) + at(stripe + 1, half)) / 2.0,
                eave,
                half / stripes as f32,
            ),
            colour.scaled(0.96),
        );
    }
    canvas.stroke(
        line(&[(x, top), (x, top - 9.0)]),
        1.4,
        light.on(Rgb(90.0, 70.0, 90.0), 0.1),
    );
    canvas.fill(
        poly(&[(x, top - 10.0), (x + 9.0, top - 7.0), (x, top - 4.0)]),
        light.on(BRIGHT[2], 0.0),
    );
}

fn bunting(canvas: &mut Canvas, light: &Light) {
    for (start, end, sag) in [(-10.0, 165.0, 16.0), (155.0, 330.0, 16.0)] {
        let at = |part: f32| {
            let bend = 4.0 * part * (1.0 - part);
            (start + (end - start) * part, 6.0 + sag * bend)
        };
        canvas.stroke(
            curve(&[at(0.0), at(0.25), at(0.5), at(0.75), at(1.0)]),
            1.0,
            light.on(Rgb::INK, 0.1),
        );
        for flag in 0..11 {
            let (x, y) = at((flag as f32 + 0.5) / 11.0);
            let colour = BRIGHT[flag % 5];
            let colour = light.lamp(colour, colour, 0.0);
            canvas.fill(poly(&[(x - 4.5, y), (x + 4.5, y), (x, y + 8.5)]), colour);
        }
    }
}
