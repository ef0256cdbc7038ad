//! The words of the demo world: what a scene can show, and how people may name it.

use serde::{Deserialize, Serialize};

/// One attribute of a scene: a closed list of values, each with its canonical name and its synonyms.
pub trait Attribute: Copy + Eq + Sized + 'static {
    /// Every value, in a fixed order.
    const ALL: &'static [Self];

    /// Position in [`Self::ALL`].
    fn index(self) -> usize;

    /// The canonical name, lower case.
    fn name(self) -> &'static str;

    /// What captions may say instead, the canonical form first. Never empty.
    fn synonyms(self) -> &'static [&'static str];
}

macro_rules! attribute {
    ($(#[$doc:meta])* $type:ident { $($value:ident => $name:literal, [$($word:literal),+ $(,)?];)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $type {
            $(#[doc = $name] $value,)+
        }

        impl Attribute for $type {
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn index(self) -> usize {
                self as usize
            }

            fn name(self) -> &'static str {
                match self { $(Self::$value => $name),+ }
            }

            fn synonyms(self) -> &'static [&'static str] {
                match self { $(Self::$value => &[$($word),+]),+ }
            }
        }
    };
}

attribute! {
    /// The one thing that a scene is about.
    Thing {
        Fox => "fox", ["fox", "little fox", "vixen"];
        Cat => "cat", ["cat", "kitten", "kitty"];
        Fish => "fish", ["fish", "little fish", "swimming fish"];
        Bird => "bird", ["bird", "little bird", "songbird"];
        Butterfly => "butterfly", ["butterfly", "big butterfly", "moth"];
        Turtle => "turtle", ["turtle", "tortoise", "little turtle"];
        Car => "car", ["car", "automobile", "small car", "motor car"];
        Train => "train", ["train", "steam train", "locomotive", "railway engine"];
        Boat => "sailing boat", ["sailing boat", "boat", "sailboat", "yacht"];
        Rocket => "rocket", ["rocket", "space rocket", "spaceship"];
        Balloon => "hot air balloon", ["hot air balloon", "balloon", "big balloon"];
        Guitar => "guitar", ["guitar", "acoustic guitar", "wooden guitar"];
        Umbrella => "umbrella", ["umbrella", "open umbrella", "brolly"];
        Mushroom => "mushroom", ["mushroom", "toadstool", "big mushroom"];
        Robot => "robot", ["robot", "toy robot", "android"];
        Cake => "birthday cake", ["birthday cake", "cake", "cake with candles"];
    }
}

attribute! {
    /// The main colour of the thing.
    Colour {
        Red => "red", ["red", "crimson", "scarlet", "bright red"];
        Orange => "orange", ["orange", "tangerine", "bright orange"];
        Yellow => "yellow", ["yellow", "golden yellow", "lemon yellow", "bright yellow"];
        Green => "green", ["green", "emerald", "bright green"];
        Blue => "blue", ["blue", "azure", "bright blue"];
        Purple => "purple", ["purple", "violet", "deep purple"];
        Pink => "pink", ["pink", "rosy", "bright pink"];
        White => "white", ["white", "chalk white", "pure white"];
    }
}

attribute! {
    /// Where the scene is. Names and synonyms fit after "a fox".
    Place {
        Beach => "on the beach", ["on the beach", "at the seaside", "by the sea", "on the sand under a palm tree",
            "at the beach", "on the shore"];
        Forest => "in the forest", ["in the forest", "in the woods", "among the trees", "between tall trees",
            "deep in the woodland"];
        City => "in the city", ["in the city", "in town", "on a city street", "in front of tall buildings",
            "between skyscrapers", "downtown"];
        Mountains => "in the mountains", ["in the mountains", "below the mountain peaks", "up in the alps",
            "in front of a mountain", "high in the hills"];
        Desert => "in the desert", ["in the desert", "among the cacti", "on the dunes", "between cactus plants",
            "in the dry desert"];
        Meadow => "in the meadow", ["in the meadow", "among the flowers", "in a field of flowers",
            "on the green grass", "in a flower field"];
        Funfair => "at the funfair", ["at the funfair", "at the fair", "by the ferris wheel", "at the carnival",
            "at the amusement park"];
        Arctic => "in the arctic", ["in the arctic", "on the ice", "at the north pole", "among the icebergs",
            "by an igloo"];
    }
}

attribute! {
    /// Time of day or weather.
    Time {
        Sunny => "on a sunny day", ["on a sunny day", "in the sunshine", "in bright daylight", "under a blue sky",
            "on a clear day"];
        Sunset => "at sunset", ["at sunset", "at dusk", "in the evening", "as the sun goes down",
            "in the evening light"];
        Night => "at night", ["at night", "after dark", "under the stars", "in the moonlight", "by night"];
        Rain => "in the rain", ["in the rain", "on a rainy day", "in rainy weather", "while it rains",
            "in a rain shower"];
        Snowfall => "in the snow", ["in the snow", "while it snows", "in falling snow", "on a snowy day",
            "in a snowstorm"];
        Fog => "in the fog", ["in the fog", "in the mist", "on a foggy day", "in thick fog", "on a misty morning"];
    }
}

attribute! {
    /// How the thing moves.
    Motion {
        DriftLeft => "drifting left", ["drifting left", "moving to the left", "going left"];
        DriftRight => "drifting right", ["drifting right", "moving to the right", "going right"];
        Bounce => "bouncing", ["bouncing", "jumping up and down", "hopping"];
        Swing => "swinging", ["swinging", "rocking from side to side", "swaying"];
        Zoom => "coming closer", ["coming closer", "zooming in", "getting bigger"];
        Still => "standing still", ["standing still", "not moving", "resting"];
    }
}

impl Thing {
    /// The kind of thing, for short general captions.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Fox | Self::Cat | Self::Fish | Self::Bird | Self::Butterfly | Self::Turtle => "animal",
            Self::Car | Self::Train | Self::Boat | Self::Rocket | Self::Balloon => "vehicle",
            Self::Guitar => "musical instrument",
            Self::Umbrella => "rain shelter",
            Self::Mushroom => "plant",
            Self::Robot => "machine",
            Self::Cake => "dessert",
        }
    }

    /// Whether the thing hovers above the ground rather than standing on it.
    pub(crate) fn hovers(self) -> bool {
        matches!(
            self,
            Self::Fish | Self::Bird | Self::Butterfly | Self::Rocket | Self::Balloon | Self::Umbrella
        )
    }
}

impl Place {
    /// The place as a noun without a preposition ("beach"), for short captions and keywords.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Beach => "beach",
            Self::Forest => "forest",
            Self::City => "city",
            Self::Mountains => "mountains",
            Self::Desert => "desert",
            Self::Meadow => "meadow",
            Self::Funfair => "funfair",
            Self::Arctic => "arctic",
        }
    }
}

impl Time {
    /// An adjective that fits before a place or a thing ("rainy").
    #[must_use]
    pub fn adjective(self) -> &'static str {
        match self {
            Self::Sunny => "sunny",
            Self::Sunset => "sunset",
            Self::Night => "night",
            Self::Rain => "rainy",
            Self::Snowfall => "snowy",
            Self::Fog => "foggy",
        }
    }
}
