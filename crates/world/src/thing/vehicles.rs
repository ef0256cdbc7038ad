//! Car, train, sailing boat, rocket, hot air balloon.

use super::Pen;
use crate::canvas::{Rgb, blob, circle, curve, ellipse, line, poly, rect, round_rect};

fn wheel(pen: &mut Pen, x: f32, y: f32, radius: f32) {
    let c = pen.colours;
    pen.part(circle(x, y, radius), c.ink);
    pen.detail(circle(x, y, radius * 0.58), c.glass);
    let turn = pen.phase * std::f32::consts::TAU;
    for spoke in 0..3 {
        let angle = turn + spoke as f32 * std::f32::consts::PI / 3.0;
        let (dx, dy) = (radius * 0.55 * angle.cos(), radius * 0.55 * angle.sin());
        pen.mark(line(&[(x - dx, y - dy), (x + dx, y + dy)]), 1.6, c.grey);
    }
}

pub(super) fn car(pen: &mut Pen) {
    let c = pen.colours;
    pen.body(blob(&[
        (-34.0, 2.0),
        (-28.0, -22.0),
        (-14.0, -31.0),
        (12.0, -31.0),
        (26.0, -20.0),
        (38.0, 2.0),
    ]));
    pen.body(round_rect(-60.0, -4.0, 120.0, 38.0, 15.0));
    pen.detail(
        blob(&[
            (-26.0, -2.0),
            (-21.0, -18.0),
            (-10.0, -24.0),
            (-2.0, -24.0),
            (-2.0, -2.0),
        ]),
        c.glass,
    );
    pen.detail(
        blob(&[
            (4.0, -2.0),
            (4.0, -24.0),
            (12.0, -23.0),
            (20.0, -15.0),
            (28.0, -2.0),
        ]),
        c.glass,
    );
    pen.mark(line(&[(1.0, 2.0), (1.0, 28.0)]), 1.8, c.dark);
    pen.mark(line(&[(7.0, 8.0), (14.0, 8.0)]), 2.6, c.ink);
    pen.detail(rect(-58.0, 25.0, 116.0, 5.0), c.dark);
    pen.detail(ellipse(54.0, 9.0, 4.5, 6.0), Rgb(255.0, 240.0, 170.0));
    pen.detail(
        ellipse(-56.0, 9.0, 3.5, 5.0),
        c.dark.mix(Rgb(200.0, 20.0, 30.0), 0.6),
    );
    wheel(pen, -33.0, 32.0, 14.0);
    wheel(pen, 33.0, 32.0, 14.0);
}

pub(super) fn train(pen: &mut Pen) {
    let c = pen.colours;
    let puff = pen.phase;
    for (index, radius) in [(0.0_f32, 7.0_f32), (1.0, 9.0), (2.0, 10.0)] {
        let x = 34.0 - index * 15.0 - puff * 5.0;
        pen.part(
            circle(x, -40.0 - index * 3.0 + puff * 2.0, radius * (0.9 + 0.1 * puff)),
            c.cream,
        );
    }
    pen.part(
        poly(&[
            (29.0, -8.0),
            (31.0, -26.0),
            (26.0, -34.0),
            (48.0, -34.0),
            (43.0, -26.0),
            (45.0, -8.0),
        ]),
        c.dark,
    );
    pen.part(
        blob(&[
            (4.0, -10.0),
            (6.0, -20.0),
            (14.0, -24.0),
            (22.0, -20.0),
            (24.0, -10.0),
        ]),
        c.light,
    );
    pen.body(round_rect(-12.0, -12.0, 68.0, 34.0, 12.0));
    pen.body(rect(-54.0, -32.0, 44.0, 56.0));
    pen.part(round_rect(-60.0, -40.0, 56.0, 10.0, 4.0), c.dark);
    pen.detail(round_rect(-45.0, -23.0, 26.0, 21.0, 3.0), c.glass);
    for x in [6.0, 28.0] {
        pen.mark(line(&[(x, -11.0), (x, 21.0)]), 2.6, c.dark);
    }
    pen.part(circle(53.0, 2.0, 6.0), Rgb(255.0, 240.0, 170.0));
    pen.part(
        poly(&[(46.0, 22.0), (56.0, 22.0), (62.0, 44.0), (44.0, 44.0)]),
        c.dark,
    );
    pen.part(rect(-56.0, 21.0, 104.0, 8.0), c.dark);
    wheel(pen, -36.0, 31.0, 15.0);
    wheel(pen, 6.0, 35.0, 11.0);
    wheel(pen, 33.0, 35.0, 11.0);
    let turn = pen.phase * std::f32::consts::TAU;
    let (dx, dy) = (4.0 * turn.cos(), 4.0 * turn.sin());
    pen.mark(
        line(&[(-36.0 + dx, 31.0 + dy), (33.0 + dx, 35.0 + dy)]),
        3.0,
        c.cream,
    );
}

pub(super) fn boat(pen: &mut Pen) {
    let c = pen.colours;
    let fill = pen.sway() * 3.0;
    pen.limb(line(&[(0.0, 22.0), (0.0, -48.0)]), 3.0, Rgb(134.0, 92.0, 58.0));
    pen.body(blob(&[
        (5.0, 12.0),
        (5.0, -44.0),
        (22.0 + fill, -26.0),
        (42.0 + fill, 11.0),
    ]));
    pen.part(
        blob(&[
            (-5.0, 12.0),
            (-5.0, -36.0),
            (-20.0 + fill, -18.0),
            (-38.0 + fill, 11.0),
        ]),
        c.light,
    );
    pen.mark(
        curve(&[(6.0, -14.0), (18.0 + fill, -12.0), (29.0 + fill, -12.0)]),
        2.2,
        c.dark,
    );
    pen.body(blob(&[
        (-54.0, 18.0),
        (0.0, 21.0),
        (56.0, 16.0),
        (46.0, 36.0),
        (30.0, 45.0),
        (-28.0, 45.0),
        (-46.0, 36.0),
    ]));
    pen.detail(
        poly(&[(-49.0, 24.0), (51.0, 23.0), (48.0, 30.0), (-46.0, 30.0)]),
        c.cream,
    );
    for x in [-22.0, 0.0, 22.0] {
        pen.detail(circle(x, 37.0, 3.4), c.cream);
    }
}

pub(super) fn rocket(pen: &mut Pen) {
    let c = pen.colours;
    let flame = 1.0 + 0.22 * (pen.phase * 4.0 * std::f32::consts::TAU).sin();
    pen.part(
        blob(&[
            (-11.0, 30.0),
            (-13.0, 38.0),
            (0.0, 38.0 + 14.0 * flame),
            (13.0, 38.0),
            (11.0, 30.0),
        ]),
        Rgb(255.0, 150.0, 40.0),
    );
    pen.detail(
        blob(&[
            (-5.0, 32.0),
            (-6.0, 38.0),
            (0.0, 38.0 + 7.0 * flame),
            (6.0, 38.0),
            (5.0, 32.0),
        ]),
        Rgb(255.0, 240.0, 150.0),
    );
    for side in [-1.0, 1.0] {
        pen.part(
            blob(&[
                (side * 14.0, 6.0),
                (side * 30.0, 16.0),
                (side * 36.0, 40.0),
                (side * 24.0, 34.0),
                (side * 13.0, 30.0),
            ]),
            c.dark,
        );
    }
    pen.body(blob(&[
        (0.0, -54.0),
        (13.0, -38.0),
        (21.0, -10.0),
        (19.0, 14.0),
        (12.0, 31.0),
        (-12.0, 31.0),
        (-19.0, 14.0),
        (-21.0, -10.0),
        (-13.0, -38.0),
    ]));
    pen.detail(
        blob(&[
            (0.0, -52.0),
            (9.0, -42.0),
            (14.5, -30.0),
            (0.0, -27.0),
            (-14.5, -30.0),
            (-9.0, -42.0),
        ]),
        c.dark,
    );
    pen.mark(line(&[(-17.5, 19.0), (17.5, 19.0)]), 3.0, c.dark);
    pen.part(circle(0.0, -9.0, 9.6), c.glass);
    pen.mark(
        curve(&[(-4.5, -11.0), (-2.0, -14.0), (2.0, -14.5)]),
        2.0,
        Rgb::WHITE,
    );
    pen.part(
        poly(&[(-3.0, 8.0), (3.0, 8.0), (4.0, 37.0), (-4.0, 37.0)]),
        c.dark,
    );
}

pub(super) fn balloon(pen: &mut Pen) {
    let c = pen.colours;
    let wicker = Rgb(178.0, 122.0, 72.0);
    for x in [-9.0, 9.0] {
        pen.mark(line(&[(x * 1.6, 16.0), (x, 36.0)]), 1.8, c.ink);
    }
    pen.body(blob(&[
        (0.0, -54.0),
        (26.0, -46.0),
        (39.0, -22.0),
        (31.0, 2.0),
        (14.0, 22.0),
        (0.0, 24.0),
        (-14.0, 22.0),
        (-31.0, 2.0),
        (-39.0, -22.0),
        (-26.0, -46.0),
    ]));
    for side in [-1.0, 1.0] {
        pen.detail(
            blob(&[
                (side * 5.0, -52.0),
                (side * 20.0, -40.0),
                (side * 25.0, -20.0),
                (side * 20.0, 2.0),
                (side * 9.0, 21.0),
                (side * 11.0, -20.0),
            ]),
            c.dark,
        );
    }
    pen.detail(
        blob(&[(-27.0, -38.0), (-22.0, -44.0), (-24.0, -28.0), (-31.0, -20.0)]),
        c.light,
    );
    pen.mark(
        curve(&[(-37.0, -20.0), (0.0, -12.0), (37.0, -20.0)]),
        3.2,
        c.cream,
    );
    pen.part(round_rect(-11.0, 34.0, 22.0, 16.0, 4.0), wicker);
    pen.mark(line(&[(-9.0, 40.0), (9.0, 40.0)]), 1.8, wicker.scaled(0.7));
    pen.mark(line(&[(-9.0, 45.0), (9.0, 45.0)]), 1.8, wicker.scaled(0.7));
}
