//! `recsys predict`.

use anyhow::{Context, Result, bail, ensure};
use recsys_core::trees::{Explainer, Model, format, import};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// A model file above this is refused before it is read.
const MAX_MODEL_BYTES: u64 = 1 << 30;

/// Rows that are scored together.
const BATCH: usize = 1024;

/// Writes one raw score (margin) a line; of a multiclass model one a class, separated by commas.
///
/// Features are rounded to f32. An empty cell, `nan` or `NA` is missing; blank lines are skipped. Columns are
/// matched by name where the header has the model's names, else by order.
#[derive(clap::Args)]
pub struct Args {
    /// LightGBM text, XGBoost JSON or UBJSON, or a ranker file of a bundle
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// CSV; its first line names the features
    #[arg(long, value_name = "FILE")]
    features: PathBuf,
    /// Write what each feature adds to the score instead (exact Shapley values): a value a feature in the model's order,
    /// then the expected score, which add up to the score; of a multiclass model all that one class after the other
    #[arg(long)]
    contributions: bool,
}

/// Scores every row through the path that the browser takes: import, compact file, reader, kernel.
pub fn run(args: Args) -> Result<()> {
    let Args {
        model,
        features,
        contributions,
    } = args;
    let path = model.clone();
    let model = load(&model).with_context(|| format!("model {}", model.display()))?;
    let rows = File::open(&features).with_context(|| format!("features {}", features.display()))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let explainer = contributions
        .then(|| model.explainer())
        .transpose()
        .with_context(|| format!("model {}", path.display()))?;
    predict(&model, explainer.as_ref(), rows, &mut out)
        .with_context(|| format!("features {}", features.display()))?;
    out.flush().context("standard output")
}

fn load(path: &Path) -> Result<Model> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_MODEL_BYTES + 1)
        .read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= MAX_MODEL_BYTES,
        "expected at most 1 GiB, found more: train a smaller model"
    );
    Ok(format::from_bytes(&format::to_bytes(&import::from_bytes(
        &bytes,
    )?))?)
}

/// Scores CSV rows, [`BATCH`] at a time, or with an `explainer` splits their scores.
fn predict(
    model: &Model,
    explainer: Option<&Explainer<'_>>,
    rows: impl Read,
    out: &mut impl Write,
) -> Result<()> {
    let write = |matrix: &[f32], out: &mut _| match explainer {
        None => write_scores(model, matrix, out),
        Some(explainer) => write_contributions(model, explainer, matrix, out),
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(rows);
    let header = reader.headers().context("header")?.clone();
    let columns = columns(model, &header)?;
    let mut matrix = Vec::with_capacity(BATCH * columns.len());
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        for &column in &columns {
            let cell = record.get(column).unwrap_or_default();
            matrix.push(number(cell).with_context(|| {
                let line = record.position().map_or(0, csv::Position::line);
                format!("line {line}, column {:?}", header.get(column).unwrap_or_default())
            })?);
        }
        if matrix.len() == BATCH * columns.len() {
            write(&matrix, out)?;
            matrix.clear();
        }
    }
    write(&matrix, out)
}

/// For each feature of the model, its column.
fn columns(model: &Model, header: &csv::StringRecord) -> Result<Vec<usize>> {
    let names = model.feature_names();
    let mut by_name = HashMap::with_capacity(header.len());
    for (column, name) in header.iter().enumerate() {
        if by_name.insert(name, column).is_some() && names.iter().any(|known| known == name) {
            bail!("line 1: expected each feature once, found {name:?} twice: remove one of the columns");
        }
    }
    let absent: Vec<&String> = names
        .iter()
        .filter(|name| !by_name.contains_key(name.as_str()))
        .collect();
    if absent.is_empty() && !names.is_empty() {
        return Ok(names
            .iter()
            .filter_map(|name| by_name.get(name.as_str()).copied())
            .collect());
    }
    // A header with some of the names is more likely a mistake than another naming of the same columns.
    ensure!(
        absent.len() == names.len(),
        "line 1: expected the model's {} features or none of their names, found no {:?}: add or rename the columns",
        names.len(),
        absent.iter().take(5).collect::<Vec<_>>()
    );
    ensure!(
        header.len() == model.feature_count(),
        "line 1: expected {} columns, one for each feature of the model in its order, found {}: name the columns \
         as the model does, or give as many as it has features",
        model.feature_count(),
        header.len()
    );
    Ok((0..header.len()).collect())
}

/// A cell's value; missing is NaN.
fn number(cell: &str) -> Result<f32> {
    if cell.is_empty() || cell.eq_ignore_ascii_case("na") {
        return Ok(f32::NAN);
    }
    match cell.parse::<f64>() {
        // By way of f64, as the libraries' own readers do.
        Ok(value) => Ok(value as f32),
        Err(_) => {
            bail!("expected a number, or nothing where it is missing; found {cell:?}: correct the cell")
        }
    }
}

fn write_scores(model: &Model, matrix: &[f32], out: &mut impl Write) -> Result<()> {
    let classes = model.class_count();
    let mut scores = vec![0.0; matrix.len() / model.feature_count() * classes];
    model.score(matrix, &mut scores)?;
    scores.chunks(classes).try_for_each(|row| write_line(row, out))
}

fn write_contributions(
    model: &Model,
    explainer: &Explainer<'_>,
    matrix: &[f32],
    out: &mut impl Write,
) -> Result<()> {
    let features = model.feature_count();
    let mut line = vec![0.0; model.class_count() * (features + 1)];
    for row in matrix.chunks(features) {
        explainer.contributions(row, &mut line)?;
        // In f32, as scores are: the digits beyond are rounding.
        let line: Vec<f32> = line.iter().map(|&part| part as f32).collect();
        write_line(&line, out)?;
    }
    Ok(())
}

fn write_line(values: &[f32], out: &mut impl Write) -> Result<()> {
    let values: Vec<String> = values.iter().map(f32::to_string).collect();
    writeln!(out, "{}", values.join(",")).context("standard output")
}

#[cfg(test)]
mod tests {
    use super::predict;
    use recsys_core::trees::{Activation, Builder, Model, Output, Split, Test};

    /// Scores `b <= 1.5 ? 1 : 2`, and per further class the same plus its base.
    fn model(names: &[&str], classes: usize) -> Model {
        let base = (0..classes).map(|class| class as f32 * 10.0).collect();
        let activation = if classes == 1 {
            Activation::Identity
        } else {
            Activation::Softmax
        };
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let mut builder = Builder::new(
            2,
            names,
            Output {
                activation,
                scale: 1.0,
            },
            base,
        )
        .unwrap();
        for _ in 0..classes {
            let test = Test::AtMost {
                threshold: 1.5,
                zero_is_missing: false,
            };
            builder
                .split(Split {
                    feature: 1,
                    test,
                    missing_left: true,
                })
                .unwrap();
            builder.covered_leaf(1.0, 3.0).unwrap();
            builder.covered_leaf(2.0, 1.0).unwrap();
            builder.end_class().unwrap();
        }
        builder.finish().unwrap()
    }

    fn scores(model: &Model, rows: &str) -> Result<String, String> {
        let mut out = Vec::new();
        predict(model, None, rows.as_bytes(), &mut out).map_err(|error| format!("{error:#}"))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn columns_go_by_name_and_otherwise_by_order() {
        let named = model(&["a", "b"], 1);
        assert_eq!(scores(&named, "b,label,a\n1,9,9\n9,1,1\n").unwrap(), "1\n2\n");
        assert_eq!(scores(&named, "f0,f1\n9,1\n1,9\n").unwrap(), "1\n2\n");
        assert_eq!(scores(&model(&[], 1), "b,a\n9,1\n1,9\n").unwrap(), "1\n2\n");
        assert_eq!(scores(&model(&[], 3), "x,y\n9,1\n").unwrap(), "1,11,21\n");
        assert_eq!(scores(&named, "a,b\n").unwrap(), "");
    }

    #[test]
    fn cells_may_be_missing_infinite_quoted_or_padded() {
        let model = model(&["a", "b"], 1);
        let rows =
            "a,b\r\n0,\r\n0,NaN\r\n0,na\r\n0,inf\r\n0,-inf\r\n0,\" 3 \"\r\n0,1e300\r\n0,1.50000001\r\n";
        assert_eq!(scores(&model, rows).unwrap(), "1\n1\n1\n2\n1\n2\n2\n1\n");
    }

    #[test]
    fn contributions_come_a_line_and_class_by_class() {
        let model = model(&["a", "b"], 2);
        let explainer = model.explainer().unwrap();
        let mut out = Vec::new();
        predict(&model, Some(&explainer), "b,a\n1,9\n9,9\n".as_bytes(), &mut out).unwrap();
        // A quarter of the training data went right: 1.25 is expected.
        let lines = "0,-0.25,1.25,0,-0.25,11.25\n0,0.75,1.25,0,0.75,11.25\n";
        assert_eq!(String::from_utf8(out).unwrap(), lines);
    }

    #[test]
    fn more_rows_than_a_batch_keep_their_order() {
        let rows: String = (0..2500)
            .map(|i| format!("0,{}\n", if i % 3 == 0 { 9 } else { 0 }))
            .collect();
        let expected: String = (0..2500)
            .map(|i| if i % 3 == 0 { "2\n" } else { "1\n" })
            .collect();
        assert_eq!(
            scores(&model(&["a", "b"], 1), &format!("a,b\n{rows}")).unwrap(),
            expected
        );
    }

    #[test]
    fn faults_name_line_and_column() {
        let model = model(&["a", "b"], 1);
        for (rows, expected) in [
            ("a,b\n1,2\n1,two\n", "line 3, column \"b\": expected a number"),
            ("a,b\n1,2\n1\n", "line: 3"),
            ("a,c\n1,2\n", "found no [\"b\"]"),
            ("a,b,b\n1,2,3\n", "found \"b\" twice"),
            ("x,y,z\n1,2,3\n", "expected 2 columns"),
            ("", "expected 2 columns"),
        ] {
            let error = scores(&model, rows).unwrap_err();
            assert!(error.contains(expected), "{rows:?}: {error}");
        }
    }
}
