//! Age ratings.

/// Ratings without a number that is an age, and the age that each stands for: those of the US film and television boards,
/// of the BBFC, and of boards that write the age as a number all the others. Where parents are to decide, it is the age that
/// the BBFC names for PG.
const NAMED: [(&str, u8); 18] = [
    ("G", 0),
    ("U", 0),
    ("E", 0),
    ("AL", 0),
    ("ALL", 0),
    ("TV-Y", 0),
    ("TV-G", 0),
    ("TV-Y7", 7),
    ("PG", 8),
    ("TV-PG", 8),
    ("PG-13", 13),
    ("TV-14", 14),
    ("M", 15),
    ("R", 17),
    ("TV-MA", 17),
    ("NC-17", 18),
    ("X", 18),
    ("ADULT", 18),
];
/// The highest age that any board uses.
const HIGHEST: u8 = 21;

/// The age in years from which a rating calls a video fit: `FSK 12`, `PEGI 16`, `18+`, `12A`, `MPAA PG-13`, `TV-14`.
/// `None` where it says nothing that is known.
#[must_use]
pub fn min_age(rating: &str) -> Option<u8> {
    let rating = rating.trim().to_uppercase();
    let words = || {
        rating
            .split([' ', ':', '/', '(', ')', ','])
            .filter(|word| !word.is_empty())
    };
    let named = |word: &str| NAMED.iter().find(|(name, _)| *name == word).map(|(_, age)| *age);
    words()
        .rev()
        .find_map(named)
        .or_else(|| words().rev().find_map(number))
}

/// The number in a word such as `12`, `12A`, `18+`, `MA15+`, `0+`.
fn number(word: &str) -> Option<u8> {
    let digits: Vec<&str> = word
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect();
    match digits.as_slice() {
        [one] => one.parse().ok().filter(|age| *age <= HIGHEST),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::min_age;

    #[test]
    fn ratings_of_many_boards() {
        for (rating, age) in [
            ("FSK 12", Some(12)),
            ("FSK-16", Some(16)),
            ("PEGI 3", Some(3)),
            ("18+", Some(18)),
            ("0", Some(0)),
            ("BBFC 12A", Some(12)),
            ("MA15+", Some(15)),
            ("MPAA PG-13", Some(13)),
            ("pg", Some(8)),
            ("TV-Y7", Some(7)),
            ("TV-MA (language)", Some(17)),
            ("R", Some(17)),
            ("R18+", Some(18)),
            ("not rated", None),
            ("2001", None),
            ("", None),
        ] {
            assert_eq!(min_age(rating), age, "{rating}");
        }
    }
}
