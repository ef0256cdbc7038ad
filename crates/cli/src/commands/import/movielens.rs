//! MovieLens (Harper & Konstan, ACM TiiS 5(4), 2015) as `videos.jsonl`, `events.jsonl`, `items.npy` and `ids.txt`.
//!
//! A rating of four stars or more becomes a `click`: the viewer chose the film and liked it. A lower rating becomes a
//! `watch` of one second: the film was had, so that it is not recommended again, and counts for nothing else.

use crate::commands::python::Python;
use anyhow::{Context, Result, ensure};
use clap::Args as ClapArgs;
use recsys_core::npy;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Stars from which a film counts as liked.
const LIKED: f32 = 4.0;

/// Options.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The unpacked data set
    folder: PathBuf,
    /// Folder for videos.jsonl, events.jsonl, items.npy and ids.txt
    #[arg(long)]
    out: PathBuf,
    /// Share of the ratings, the earliest ones, that the vectors and the films' keywords may know
    #[arg(long, default_value_t = 0.5, value_parser = crate::commands::log::share)]
    vectors_share: f64,
    /// Python with SciPy and NumPy; without it the command sets one up in the user's cache folder
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Movie {
    movie_id: u32,
    title: String,
    genres: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rating {
    user_id: u32,
    movie_id: u32,
    rating: f32,
    timestamp: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tag {
    movie_id: u32,
    tag: String,
    timestamp: i64,
}

/// Runs the command.
///
/// # Errors
/// A file is missing or has other columns, there is no Python, or the results cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let movies: Vec<Movie> = read(&args.folder.join("movies.csv"))?;
    let mut ratings: Vec<Rating> = read(&args.folder.join("ratings.csv"))?;
    let tags: Vec<Tag> = read(&args.folder.join("tags.csv"))?;
    ensure!(
        !movies.is_empty() && !ratings.is_empty(),
        "{}: expected films and ratings, found none",
        args.folder.display()
    );
    ratings.sort_by_key(|rating| rating.timestamp);
    let rows: HashMap<u32, usize> = (0..)
        .zip(&movies)
        .map(|(row, movie)| (movie.movie_id, row))
        .collect();
    if let Some(lost) = ratings.iter().find(|rating| !rows.contains_key(&rating.movie_id)) {
        anyhow::bail!(
            "{}: ratings.csv names film {}, which movies.csv lacks",
            args.folder.display(),
            lost.movie_id
        );
    }
    let known = ((ratings.len() as f64 * args.vectors_share).round() as usize).min(ratings.len());
    let until = ratings.get(known).map_or(i64::MAX, |rating| rating.timestamp);

    std::fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let films = films(&movies, &tags, &rows, until);
    write(
        &args.out.join("videos.jsonl"),
        lines(&films.iter().map(Film::json).collect::<Vec<_>>()).as_bytes(),
    )?;
    write(
        &args.out.join("events.jsonl"),
        lines(&ratings.iter().map(event).collect::<Vec<_>>()).as_bytes(),
    )?;
    let ids: String = movies.iter().fold(String::new(), |mut text, movie| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "m{}", movie.movie_id);
        text
    });
    write(&args.out.join("ids.txt"), ids.as_bytes())?;
    vectors(args, &films, &ratings, &rows, until)?;
    eprintln!(
        "{}: {} films, {} events; vectors from the first {known} ratings",
        args.out.display(),
        films.len(),
        ratings.len()
    );
    Ok(())
}

/// A film with what was known of it by a certain time.
struct Film {
    id: u32,
    title: String,
    year: Option<u32>,
    genres: Vec<String>,
    keywords: Vec<String>,
}

impl Film {
    fn json(&self) -> Value {
        let mut object = json!({ "id": format!("m{}", self.id), "name": self.title });
        if let Some(object) = object.as_object_mut() {
            if let Some(year) = self.year {
                object.insert("uploadDate".to_owned(), format!("{year:04}-01-01").into());
            }
            if !self.genres.is_empty() {
                object.insert("genre".to_owned(), self.genres.clone().into());
            }
            if !self.keywords.is_empty() {
                object.insert("keywords".to_owned(), self.keywords.clone().into());
            }
        }
        object
    }
}

fn films(movies: &[Movie], tags: &[Tag], rows: &HashMap<u32, usize>, until: i64) -> Vec<Film> {
    let film = |movie: &Movie| Film {
        id: movie.movie_id,
        year: year(&movie.title),
        title: movie.title.trim().to_owned(),
        genres: movie
            .genres
            .split('|')
            .filter(|genre| !genre.is_empty() && *genre != "(no genres listed)")
            .map(str::to_owned)
            .collect(),
        keywords: Vec::new(),
    };
    let mut films: Vec<Film> = movies.iter().map(film).collect();
    for tag in tags.iter().filter(|tag| tag.timestamp < until) {
        let word = tag.tag.trim().to_lowercase().replace(',', " ");
        if let Some(film) = rows.get(&tag.movie_id).and_then(|&row| films.get_mut(row))
            && !word.is_empty()
            && !film.keywords.contains(&word)
        {
            film.keywords.push(word);
        }
    }
    films
}

/// The year in parentheses at the end of a title.
fn year(title: &str) -> Option<u32> {
    let digits = title.trim().strip_suffix(')')?.rsplit_once('(')?.1;
    (digits.len() == 4).then(|| digits.parse().ok()).flatten()
}

fn event(rating: &Rating) -> Value {
    let viewer = format!("u{}", rating.user_id);
    let mut event = json!({
        "event": "click",
        "ts": rating.timestamp * 1000,
        "session": viewer,
        "item": format!("m{}", rating.movie_id),
        "user": { "id": viewer },
    });
    if rating.rating < LIKED {
        event["event"] = "watch".into();
        event["watch_seconds"] = 1.into();
    }
    event
}

/// Has models/ranker/vectors.py make the vectors.
fn vectors(
    args: &Args,
    films: &[Film],
    ratings: &[Rating],
    rows: &HashMap<u32, usize>,
    until: i64,
) -> Result<()> {
    let python = Python::find(args.python.as_deref())?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let likes: Vec<f32> = ratings
        .iter()
        .filter(|rating| rating.timestamp < until && rating.rating >= LIKED)
        .filter_map(|rating| Some([rating.user_id as f32, *rows.get(&rating.movie_id)? as f32]))
        .flatten()
        .collect();
    let matrix = npy::Matrix {
        rows: likes.len() / 2,
        columns: 2,
        values: likes,
    };
    write(&folder.path().join("likes.npy"), &matrix.to_bytes())?;
    let metadata: Vec<Value> = films
        .iter()
        .map(|film| json!({ "genres": film.genres, "keywords": film.keywords, "year": film.year }))
        .collect();
    write(&folder.path().join("items.json"), &serde_json::to_vec(&metadata)?)?;
    python.run(
        include_str!("../../../../../models/ranker/vectors.py"),
        folder.path(),
        |_| {},
    )?;
    let made = folder.path().join("items.npy");
    std::fs::copy(&made, args.out.join("items.npy")).with_context(|| made.display().to_string())?;
    Ok(())
}

fn lines(values: &[Value]) -> String {
    values.iter().fold(String::new(), |mut text, value| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{value}");
        text
    })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| {
        format!(
            "{}: cannot open it; expected a MovieLens folder with movies.csv, ratings.csv and tags.csv",
            path.display()
        )
    })?;
    let rows: Result<Vec<T>, csv::Error> = reader.deserialize().collect();
    rows.with_context(|| format!("{}: expected the columns of MovieLens", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("{}: cannot write", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_ends_with_its_year() {
        assert_eq!(year("Toy Story (1995)"), Some(1995));
        assert_eq!(year("Seven (a.k.a. Se7en) (1995) "), Some(1995));
        assert_eq!(year("Babylon 5"), None);
        assert_eq!(year("Odd (95)"), None);
    }

    #[test]
    fn a_like_is_a_click_and_a_lower_rating_only_seen() {
        let rating = |rating| Rating {
            user_id: 7,
            movie_id: 31,
            rating,
            timestamp: 1_260_759_144,
        };
        let parse = |rating| recsys_core::events::parse_line(&event(&rating).to_string()).unwrap();
        use recsys_core::events::EventKind;
        assert!(matches!(
            parse(rating(4.0)).kind,
            EventKind::Click { request: None, .. }
        ));
        let low = parse(rating(3.5));
        assert!(matches!(low.kind, EventKind::Watch { seconds: 1.0, .. }));
        assert_eq!((low.viewer.as_str(), low.ts_ms), ("u7", 1_260_759_144_000));
    }

    #[test]
    fn later_tags_stay_out() {
        let movies = [Movie {
            movie_id: 5,
            title: "A (2000)".to_owned(),
            genres: "Drama|War".to_owned(),
        }];
        let tag = |tag: &str, timestamp| Tag {
            movie_id: 5,
            tag: tag.to_owned(),
            timestamp,
        };
        let tags = [tag("Night", 1), tag("night ", 2), tag("Late", 9)];
        let film = &films(&movies, &tags, &HashMap::from([(5, 0)]), 9)[0];
        assert_eq!(
            (film.keywords.as_slice(), film.genres.len()),
            (&["night".to_owned()][..], 2)
        );
        let video = recsys_core::catalogue::Video::parse(film.json().to_string().as_bytes()).unwrap();
        assert_eq!(video.tags, ["drama", "war", "night"]);
        assert_eq!(video.upload_date.as_deref(), Some("2000-01-01"));
    }
}
