//! Guitar, umbrella, mushroom, robot, cake.

use super::Pen;
use crate::canvas::{Fill, Rgb, blob, circle, curve, ellipse, line, poly, rect, round_rect};

/// A guitar leans: its own coordinates run along the neck.
pub(super) fn guitar(pen: &mut Pen) {
    let c = pen.colours;
    let (sin, cos) = 0.42_f32.sin_cos();
    let at = |x: f32, y: f32| (x * cos - y * sin, x * sin + y * cos - 1.0);
    let wood = Rgb(118.0, 74.0, 46.0);
    let turned = |points: &[(f32, f32)]| points.iter().map(|p| at(p.0, p.1)).collect::<Vec<_>>();
    pen.part(
        poly(&turned(&[(-3.6, 4.0), (-3.0, -44.0), (3.0, -44.0), (3.6, 4.0)])),
        wood,
    );
    pen.part(
        poly(&turned(&[
            (-4.0, -42.0),
            (-6.5, -58.0),
            (6.5, -58.0),
            (4.0, -42.0),
        ])),
        c.dark,
    );
    for (x, y) in [(-7.0, -55.0), (-7.0, -48.0), (7.0, -55.0), (7.0, -48.0)] {
        let (x, y) = at(x, y);
        pen.part(circle(x, y, 2.2), c.cream);
    }
    let body = [
        (0.0, -9.0),
        (14.0, -12.0),
        (22.0, -2.0),
        (18.0, 10.0),
        (26.0, 22.0),
        (28.0, 38.0),
        (15.0, 50.0),
        (0.0, 52.0),
        (-15.0, 50.0),
        (-28.0, 38.0),
        (-26.0, 22.0),
        (-18.0, 10.0),
        (-22.0, -2.0),
        (-14.0, -12.0),
    ];
    pen.body(blob(&turned(&body)));
    let inner: Vec<_> = body
        .iter()
        .map(|p| at(p.0 * 0.84, (p.1 - 20.0) * 0.86 + 20.0))
        .collect();
    pen.mark(blob(&inner), 1.8, c.dark);
    let (x, y) = at(0.0, 13.0);
    pen.detail(circle(x, y, 10.0), c.cream);
    pen.detail(circle(x, y, 8.0), c.ink);
    pen.detail(
        poly(&turned(&[(-3.4, -11.0), (3.4, -11.0), (3.4, 4.0), (-3.4, 4.0)])),
        wood,
    );
    pen.mark(line(&turned(&[(-11.0, 36.0), (11.0, 36.0)])), 4.2, wood);
    for x in [-2.2, 0.0, 2.2] {
        pen.mark(line(&turned(&[(x, -52.0), (x, 36.0)])), 0.8, c.cream);
    }
}

pub(super) fn umbrella(pen: &mut Pen) {
    let c = pen.colours;
    let handle = [(0.0, -30.0), (0.0, 36.0), (4.0, 45.0), (13.0, 44.0), (15.0, 36.0)];
    pen.limb(curve(&handle), 4.0, Rgb(146.0, 98.0, 62.0));
    pen.limb(line(&[(0.0, -42.0), (0.0, -50.0)]), 3.0, c.grey);
    let edge = [
        (-56.0, 6.0),
        (-37.0, -4.0),
        (-19.0, 4.0),
        (0.0, -4.0),
        (19.0, 4.0),
        (37.0, -4.0),
        (56.0, 6.0),
    ];
    let mut canopy = vec![
        (56.0, 6.0),
        (46.0, -24.0),
        (24.0, -42.0),
        (0.0, -46.0),
        (-24.0, -42.0),
        (-46.0, -24.0),
    ];
    canopy.extend(edge.iter().take(6));
    pen.body(blob(&canopy));
    pen.detail(
        blob(&[
            (0.0, -44.0),
            (-12.0, -30.0),
            (-19.0, 2.0),
            (0.0, -4.0),
            (19.0, 2.0),
            (12.0, -30.0),
        ]),
        c.light,
    );
    pen.detail(
        blob(&[
            (-8.0, -43.0),
            (-32.0, -30.0),
            (-54.0, 4.0),
            (-38.0, -3.0),
            (-24.0, -26.0),
        ]),
        c.dark,
    );
    pen.mark(curve(&[(0.0, -45.0), (-14.0, -28.0), (-19.0, 3.0)]), 1.8, c.dark);
    pen.mark(curve(&[(0.0, -45.0), (14.0, -28.0), (19.0, 3.0)]), 1.8, c.dark);
}

pub(super) fn mushroom(pen: &mut Pen) {
    let c = pen.colours;
    pen.part(
        blob(&[
            (-13.0, 2.0),
            (13.0, 2.0),
            (17.0, 26.0),
            (23.0, 44.0),
            (0.0, 48.0),
            (-23.0, 44.0),
            (-17.0, 26.0),
        ]),
        c.cream,
    );
    pen.detail(
        blob(&[
            (4.0, 4.0),
            (12.0, 4.0),
            (15.0, 26.0),
            (20.0, 43.0),
            (6.0, 45.0),
            (8.0, 26.0),
        ]),
        Fill::Alpha(c.grey, 0.3),
    );
    pen.part(ellipse(0.0, 4.0, 36.0, 8.0), c.cream.scaled(0.86));
    pen.body(blob(&[
        (-54.0, 0.0),
        (-44.0, -28.0),
        (-18.0, -46.0),
        (18.0, -46.0),
        (44.0, -28.0),
        (54.0, 0.0),
        (30.0, 5.0),
        (0.0, 1.0),
        (-30.0, 5.0),
    ]));
    let spot = if c.main.0 + c.main.1 + c.main.2 > 690.0 {
        c.dark
    } else {
        c.cream
    };
    for (x, y, rx, ry) in [
        (-8.0, -30.0, 11.0, 8.5),
        (24.0, -25.0, 7.5, 7.0),
        (-34.0, -14.0, 7.0, 6.5),
        (6.0, -9.0, 7.5, 5.0),
        (41.0, -8.0, 5.0, 4.5),
    ] {
        pen.detail(ellipse(x, y, rx, ry), spot);
    }
    for x in [-7.0, 7.0] {
        pen.eye(x, 20.0, 3.2);
    }
    pen.mark(curve(&[(-4.0, 28.0), (0.0, 31.0), (4.0, 28.0)]), 1.8, c.ink);
}

pub(super) fn robot(pen: &mut Pen) {
    let c = pen.colours;
    let wave = pen.sway() * 5.0;
    pen.limb(line(&[(0.0, -38.0), (0.0, -48.0)]), 2.4, c.grey);
    pen.part(circle(0.0, -49.0, 4.4), Rgb(255.0, 190.0, 60.0));
    pen.limb(curve(&[(-24.0, 8.0), (-38.0, 14.0), (-42.0, 28.0)]), 7.0, c.grey);
    pen.limb(
        curve(&[(24.0, 8.0), (38.0, 0.0), (44.0, -14.0 - wave)]),
        7.0,
        c.grey,
    );
    pen.part(circle(-42.0, 29.0, 6.4), c.dark);
    pen.part(circle(44.0, -16.0 - wave, 6.4), c.dark);
    for x in [-13.0, 13.0] {
        pen.limb(line(&[(x, 30.0), (x, 40.0)]), 8.0, c.grey);
        pen.part(round_rect(x - 10.0, 38.0, 20.0, 9.0, 4.0), c.dark);
    }
    pen.body(round_rect(-27.0, -2.0, 54.0, 36.0, 8.0));
    pen.part(round_rect(-15.0, 6.0, 30.0, 19.0, 4.0), c.cream);
    for (x, colour) in [
        (-8.0, Rgb(232.0, 76.0, 70.0)),
        (0.0, Rgb(250.0, 196.0, 60.0)),
        (8.0, Rgb(84.0, 186.0, 104.0)),
    ] {
        pen.detail(circle(x, 12.0, 2.8), colour);
    }
    pen.mark(line(&[(-9.0, 20.0), (9.0, 20.0)]), 2.2, c.grey);
    for side in [-1.0, 1.0] {
        pen.part(rect(side * 33.0 - 3.0, -26.0, 6.0, 12.0), c.dark);
    }
    pen.body(round_rect(-31.0, -39.0, 62.0, 36.0, 11.0));
    pen.part(round_rect(-23.0, -32.0, 46.0, 21.0, 8.0), c.ink);
    for x in [-10.0, 10.0] {
        pen.detail(circle(x, -22.0, 5.0), Rgb(150.0, 244.0, 255.0));
        pen.detail(circle(x + 1.5, -23.5, 1.6), Rgb::WHITE);
    }
    pen.mark(
        curve(&[(-5.0, -15.0), (0.0, -13.0), (5.0, -15.0)]),
        1.6,
        Rgb(150.0, 244.0, 255.0),
    );
}

pub(super) fn cake(pen: &mut Pen) {
    let c = pen.colours;
    let flicker = pen.sway() * 1.2;
    pen.part(ellipse(0.0, 42.0, 54.0, 6.0), c.glass);
    for x in [-16.0, 0.0, 16.0] {
        pen.part(rect(x - 2.6, -38.0, 5.2, 20.0), c.cream);
        pen.mark(line(&[(x - 2.0, -28.0), (x + 2.0, -31.0)]), 1.8, c.dark);
        pen.part(
            blob(&[
                (x, -40.0),
                (x - 4.0, -44.0),
                (x + flicker, -54.0),
                (x + 4.0, -44.0),
            ]),
            Rgb(255.0, 206.0, 70.0),
        );
    }
    pen.body(round_rect(-46.0, 8.0, 92.0, 34.0, 5.0));
    pen.body(round_rect(-30.0, -20.0, 60.0, 30.0, 5.0));
    for (half, top, drops) in [(30.0_f32, -20.0_f32, 5), (46.0, 8.0, 7)] {
        pen.detail(
            round_rect(-half + 1.3, top + 1.3, 2.0 * half - 2.6, 6.5, 3.0),
            c.cream,
        );
        for drop in 0..drops {
            let width = (2.0 * half - 4.0) / drops as f32;
            let x = -half + 2.0 + width * (drop as f32 + 0.5);
            let long = if drop % 2 == 0 { 7.0 } else { 4.0 };
            pen.detail(
                round_rect(x - width * 0.4, top + 3.0, width * 0.8, 4.0 + long, 5.0),
                c.cream,
            );
        }
    }
    pen.mark(line(&[(-44.0, 31.0), (44.0, 31.0)]), 3.4, c.dark);
    for x in [-34.0, -17.0, 0.0, 17.0, 34.0] {
        pen.detail(circle(x, 37.0, 2.2), c.cream);
    }
}
