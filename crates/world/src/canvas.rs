//! Drawing helpers over tiny-skia: colours, paths through points, gradients.

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Paint, Path, PathBuilder, Pixmap,
    Point, RadialGradient, Rect, Shader, SpreadMode, Stroke, Transform,
};

/// An opaque colour, 0 to 255 a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rgb(pub(crate) f32, pub(crate) f32, pub(crate) f32);

impl Rgb {
    pub(crate) const WHITE: Self = Self(255.0, 255.0, 255.0);
    pub(crate) const INK: Self = Self(38.0, 34.0, 54.0);

    /// `share` of `other`, the rest of this one.
    pub(crate) fn mix(self, other: Self, share: f32) -> Self {
        let blend = |a: f32, b: f32| a + (b - a) * share;
        Self(
            blend(self.0, other.0),
            blend(self.1, other.1),
            blend(self.2, other.2),
        )
    }

    /// Channel by channel product; `factor` is in 0 to 1 a channel.
    pub(crate) fn times(self, factor: [f32; 3]) -> Self {
        Self(self.0 * factor[0], self.1 * factor[1], self.2 * factor[2])
    }

    /// Every channel times `factor`, at most 255.
    pub(crate) fn scaled(self, factor: f32) -> Self {
        let scale = |c: f32| (c * factor).min(255.0);
        Self(scale(self.0), scale(self.1), scale(self.2))
    }

    /// The grey of the same luminance, mixed in by `share`.
    pub(crate) fn greyed(self, share: f32) -> Self {
        let grey = 0.299 * self.0 + 0.587 * self.1 + 0.114 * self.2;
        self.mix(Self(grey, grey, grey), share)
    }

    fn with_alpha(self, alpha: f32) -> Color {
        let byte = |c: f32| c.clamp(0.0, 255.0) as u8;
        let mut color = Color::from_rgba8(byte(self.0), byte(self.1), byte(self.2), 255);
        color.set_alpha(alpha.clamp(0.0, 1.0));
        color
    }
}

/// What a shape is filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fill {
    Solid(Rgb),
    Alpha(Rgb, f32),
    /// Top colour, bottom colour, and the heights where they stand.
    Vertical(Rgb, Rgb, f32, f32),
    /// Colour, alpha at the centre, centre, radius: fades to nothing.
    Glow(Rgb, f32, (f32, f32), f32),
}

impl From<Rgb> for Fill {
    fn from(colour: Rgb) -> Self {
        Self::Solid(colour)
    }
}

impl Fill {
    fn shader(self) -> Shader<'static> {
        match self {
            Self::Solid(colour) => Shader::SolidColor(colour.with_alpha(1.0)),
            Self::Alpha(colour, alpha) => Shader::SolidColor(colour.with_alpha(alpha)),
            Self::Vertical(top, bottom, y0, y1) => LinearGradient::new(
                Point::from_xy(0.0, y0),
                Point::from_xy(0.0, y1),
                stops(top.with_alpha(1.0), bottom.with_alpha(1.0)),
                SpreadMode::Pad,
                Transform::identity(),
            )
            .unwrap_or(Shader::SolidColor(top.with_alpha(1.0))),
            Self::Glow(colour, alpha, (x, y), radius) => RadialGradient::new(
                Point::from_xy(x, y),
                0.0,
                Point::from_xy(x, y),
                radius,
                stops(colour.with_alpha(alpha), colour.with_alpha(0.0)),
                SpreadMode::Pad,
                Transform::identity(),
            )
            .unwrap_or(Shader::SolidColor(colour.with_alpha(0.0))),
        }
    }
}

fn stops(first: Color, last: Color) -> Vec<GradientStop> {
    vec![GradientStop::new(0.0, first), GradientStop::new(1.0, last)]
}

/// A picture being drawn, and the transform from the caller's coordinates to its pixels.
#[derive(Debug, Clone)]
pub(crate) struct Canvas {
    pixmap: Pixmap,
    /// From local coordinates to pixels.
    pub(crate) transform: Transform,
}

impl Canvas {
    pub(crate) fn new(pixmap: Pixmap, transform: Transform) -> Self {
        Self { pixmap, transform }
    }

    /// The picture as RGB bytes, row by row, without its alpha (the scene is opaque).
    pub(crate) fn into_rgb(self) -> Vec<u8> {
        self.pixmap
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect()
    }

    pub(crate) fn fill(&mut self, path: Option<Path>, fill: impl Into<Fill>) {
        let Some(path) = path else { return };
        let paint = Paint {
            shader: fill.into().shader(),
            ..Paint::default()
        };
        self.pixmap
            .fill_path(&path, &paint, FillRule::Winding, self.transform, None);
    }

    pub(crate) fn stroke(&mut self, path: Option<Path>, width: f32, fill: impl Into<Fill>) {
        let Some(path) = path else { return };
        let paint = Paint {
            shader: fill.into().shader(),
            ..Paint::default()
        };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        self.pixmap
            .stroke_path(&path, &paint, &stroke, self.transform, None);
    }
}

/// A closed polygon.
pub(crate) fn poly(points: &[(f32, f32)]) -> Option<Path> {
    let mut builder = lines(points)?;
    builder.close();
    builder.finish()
}

/// An open line through `points`.
pub(crate) fn line(points: &[(f32, f32)]) -> Option<Path> {
    lines(points)?.finish()
}

fn lines(points: &[(f32, f32)]) -> Option<PathBuilder> {
    let (first, rest) = points.split_first()?;
    let mut builder = PathBuilder::new();
    builder.move_to(first.0, first.1);
    for point in rest {
        builder.line_to(point.0, point.1);
    }
    Some(builder)
}

/// A closed smooth curve through `points` (Catmull-Rom splines as Bézier curves).
pub(crate) fn blob(points: &[(f32, f32)]) -> Option<Path> {
    let count = points.len();
    let at = |index: usize| points.get(index % count).copied();
    let mut builder = PathBuilder::new();
    let start = points.first()?;
    builder.move_to(start.0, start.1);
    for index in 0..count {
        spline(
            &mut builder,
            [at(index + count - 1)?, at(index)?, at(index + 1)?, at(index + 2)?],
        );
    }
    builder.close();
    builder.finish()
}

/// An open smooth curve through `points`.
pub(crate) fn curve(points: &[(f32, f32)]) -> Option<Path> {
    open_curve(points)?.finish()
}

fn open_curve(points: &[(f32, f32)]) -> Option<PathBuilder> {
    let last = points.len().checked_sub(1)?;
    let at = |index: usize| points.get(index.min(last)).copied();
    let mut builder = PathBuilder::new();
    let start = points.first()?;
    builder.move_to(start.0, start.1);
    for index in 0..last {
        spline(
            &mut builder,
            [
                at(index.saturating_sub(1))?,
                at(index)?,
                at(index + 1)?,
                at(index + 2)?,
            ],
        );
    }
    Some(builder)
}

fn spline(builder: &mut PathBuilder, [before, from, to, after]: [(f32, f32); 4]) {
    let tension = 6.0;
    builder.cubic_to(
        from.0 + (to.0 - before.0) / tension,
        from.1 + (to.1 - before.1) / tension,
        to.0 - (after.0 - from.0) / tension,
        to.1 - (after.1 - from.1) / tension,
        to.0,
        to.1,
    );
}

/// The land under a smooth skyline that runs through `points`, down to `bottom`.
pub(crate) fn land(points: &[(f32, f32)], bottom: f32) -> Option<Path> {
    let (first, last) = (points.first()?, points.last()?);
    let mut builder = open_curve(points)?;
    builder.line_to(last.0, bottom);
    builder.line_to(first.0, bottom);
    builder.close();
    builder.finish()
}

pub(crate) fn circle(x: f32, y: f32, radius: f32) -> Option<Path> {
    PathBuilder::from_circle(x, y, radius)
}

/// An ellipse by its centre and radii.
pub(crate) fn ellipse(x: f32, y: f32, rx: f32, ry: f32) -> Option<Path> {
    PathBuilder::from_oval(Rect::from_xywh(x - rx, y - ry, 2.0 * rx, 2.0 * ry)?)
}

pub(crate) fn rect(x: f32, y: f32, width: f32, height: f32) -> Option<Path> {
    Rect::from_xywh(x, y, width, height).map(PathBuilder::from_rect)
}

/// A rectangle with corners of radius `r`.
pub(crate) fn round_rect(x: f32, y: f32, width: f32, height: f32, r: f32) -> Option<Path> {
    let r = r.min(width / 2.0).min(height / 2.0);
    let (right, bottom) = (x + width, y + height);
    let mut builder = PathBuilder::new();
    builder.move_to(x + r, y);
    builder.line_to(right - r, y);
    builder.quad_to(right, y, right, y + r);
    builder.line_to(right, bottom - r);
    builder.quad_to(right, bottom, right - r, bottom);
    builder.line_to(x + r, bottom);
    builder.quad_to(x, bottom, x, bottom - r);
    builder.line_to(x, y + r);
    builder.quad_to(x, y, x + r, y);
    builder.close();
    builder.finish()
}
