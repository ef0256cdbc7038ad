//! The things, drawn as outlined stickers. Local units: the box -50 to 50 both ways, y downwards, facing
//! right; wide things may reach 62 sideways. Things that stand have their feet at y = 46.

mod animals;
mod objects;
mod vehicles;

use tiny_skia::Path;

use crate::canvas::{Canvas, Fill, Rgb};
use crate::light::Light;
use crate::vocab::{Colour, Thing};

/// The colours of one thing under one light.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Palette {
    pub(crate) main: Rgb,
    pub(crate) light: Rgb,
    pub(crate) dark: Rgb,
    pub(crate) cream: Rgb,
    pub(crate) glass: Rgb,
    pub(crate) grey: Rgb,
    pub(crate) ink: Rgb,
    outline: Rgb,
    halo: Rgb,
}

impl Palette {
    /// `shade` is -1 (darker) to 1 (lighter).
    pub(crate) fn new(colour: Colour, light: &Light, shade: f32) -> Self {
        let base = match colour {
            Colour::Red => Rgb(224.0, 36.0, 40.0),
            Colour::Orange => Rgb(255.0, 126.0, 10.0),
            Colour::Yellow => Rgb(255.0, 220.0, 24.0),
            Colour::Green => Rgb(38.0, 176.0, 66.0),
            Colour::Blue => Rgb(30.0, 98.0, 236.0),
            Colour::Purple => Rgb(130.0, 48.0, 194.0),
            Colour::Pink => Rgb(255.0, 122.0, 188.0),
            Colour::White => Rgb(252.0, 252.0, 252.0),
        };
        let main = base.scaled(1.0 + 0.05 * shade);
        let dark = if colour == Colour::White {
            Rgb(208.0, 213.0, 224.0)
        } else {
            main.scaled(0.74)
        };
        let lit = |c: Rgb| light.on_thing(c);
        Self {
            main: lit(main),
            light: lit(main.mix(Rgb::WHITE, 0.34)),
            dark: lit(dark),
            cream: lit(Rgb(255.0, 246.0, 228.0)),
            glass: lit(Rgb(196.0, 228.0, 244.0)),
            grey: lit(Rgb(128.0, 132.0, 146.0)),
            ink: Rgb::INK,
            outline: main.scaled(0.22).mix(Rgb::INK, 0.6),
            halo: light.on(Rgb(255.0, 253.0, 246.0), 0.0).mix(Rgb::WHITE, 0.35),
        }
    }
}

/// Draws the shapes of a thing, twice: first the pale border around all of them, then the shapes.
pub(crate) struct Pen<'a> {
    canvas: &'a mut Canvas,
    pub(crate) colours: Palette,
    /// Moment of the small idle movements, 0 to 1, loops.
    pub(crate) phase: f32,
    border: bool,
}

const OUTLINE: f32 = 2.6;
const BORDER: f32 = 7.4;

impl Pen<'_> {
    /// A part of the silhouette: filled and outlined.
    pub(crate) fn part(&mut self, path: Option<Path>, fill: impl Into<Fill>) {
        if self.border {
            self.canvas.stroke(path, BORDER, self.colours.halo);
        } else {
            self.canvas.fill(path.clone(), fill);
            self.canvas.stroke(path, OUTLINE, self.colours.outline);
        }
    }

    /// A part in the main colour, lighter above and darker below.
    pub(crate) fn body(&mut self, path: Option<Path>) {
        let c = self.colours;
        let fill = Fill::Vertical(c.main.mix(c.light, 0.45), c.main.mix(c.dark, 0.35), -40.0, 46.0);
        self.part(path, fill);
    }

    /// A thick line that belongs to the silhouette.
    pub(crate) fn limb(&mut self, path: Option<Path>, width: f32, colour: Rgb) {
        if self.border {
            self.canvas.stroke(path, width + BORDER, self.colours.halo);
        } else {
            self.canvas
                .stroke(path.clone(), width + OUTLINE, self.colours.outline);
            self.canvas.stroke(path, width, colour);
        }
    }

    /// Something painted on a part, without an outline.
    pub(crate) fn detail(&mut self, path: Option<Path>, fill: impl Into<Fill>) {
        if !self.border {
            self.canvas.fill(path, fill);
        }
    }

    /// A line painted on a part.
    pub(crate) fn mark(&mut self, path: Option<Path>, width: f32, colour: Rgb) {
        if !self.border {
            self.canvas.stroke(path, width, colour);
        }
    }

    /// A round eye with a glint.
    pub(crate) fn eye(&mut self, x: f32, y: f32, radius: f32) {
        let c = self.colours;
        self.detail(crate::canvas::circle(x, y, radius), c.ink);
        self.detail(
            crate::canvas::circle(x + radius * 0.3, y - radius * 0.35, radius * 0.36),
            Rgb::WHITE,
        );
    }

    /// A wave through one idle movement, -1 to 1.
    pub(crate) fn sway(&self) -> f32 {
        (self.phase * std::f32::consts::TAU).sin()
    }
}

/// Draws `thing` in the canvas's present coordinates.
pub(crate) fn draw(thing: Thing, canvas: &mut Canvas, colours: Palette, phase: f32) {
    for border in [true, false] {
        let pen = &mut Pen {
            canvas: &mut *canvas,
            colours,
            phase,
            border,
        };
        match thing {
            Thing::Fox => animals::fox(pen),
            Thing::Cat => animals::cat(pen),
            Thing::Fish => animals::fish(pen),
            Thing::Bird => animals::bird(pen),
            Thing::Butterfly => animals::butterfly(pen),
            Thing::Turtle => animals::turtle(pen),
            Thing::Car => vehicles::car(pen),
            Thing::Train => vehicles::train(pen),
            Thing::Boat => vehicles::boat(pen),
            Thing::Rocket => vehicles::rocket(pen),
            Thing::Balloon => vehicles::balloon(pen),
            Thing::Guitar => objects::guitar(pen),
            Thing::Umbrella => objects::umbrella(pen),
            Thing::Mushroom => objects::mushroom(pen),
            Thing::Robot => objects::robot(pen),
            Thing::Cake => objects::cake(pen),
        }
    }
}
