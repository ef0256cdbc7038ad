//! Values to answers: which rows go left at each threshold of a feature.
//!
//! A number's rank among the thresholds tells all answers at once. A category becomes a code, its index among the
//! categories that any set names. A feature has several columns of answers or codes where its splits disagree about
//! missing values.

use super::ranks::{self, TABLE, Table};
use super::rows::{self, Bits};
use super::sets::{PIECE_CODES, PIECES, Places};
use super::{LANES, Lanes};

/// Codes of categories: a missing one, one that no set names, and the first of the others.
pub(super) const MISSING: usize = 0;
const OTHER: usize = 1;
pub(super) const KNOWN: usize = 2;

/// Categories of a feature that can have codes.
pub(super) const CATEGORIES: usize = PIECES * PIECE_CODES - KNOWN;

/// How the splits of one column see missing numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NumericalColumn {
    pub(super) missing_left: bool,
    /// Numbers up to this magnitude are missing: `kernel::ZERO`, or a negative number for none.
    pub(super) missing_up_to: f32,
}

/// The thresholds of a feature, ascending and distinct.
#[derive(Debug, Clone, PartialEq)]
enum Thresholds {
    Short(Table),
    /// [`TABLE`] or more.
    Long(Vec<f32>),
}

#[derive(Debug, Clone, PartialEq)]
struct Numbers {
    feature: usize,
    /// Answers of each column.
    answers: usize,
    thresholds: Thresholds,
    columns: Vec<NumericalColumn>,
}

#[derive(Debug, Clone, PartialEq)]
struct Categories {
    feature: usize,
    known: Known,
    /// One a column: whether values between -1 and 0 belong to category 0.
    columns: Vec<bool>,
}

/// The categories of a feature that any set names, with their codes.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    /// The code of each category from 0.
    Dense(Vec<u16>),
    /// The categories, ascending: the code is [`KNOWN`] and the index.
    Sparse(Vec<u32>),
}

/// Every column, those of numbers and those of categories.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Columns {
    numbers: Vec<Numbers>,
    answers: usize,
    categories: Vec<Categories>,
    category_columns: usize,
}

/// Answers of a column with this many thresholds: one each, and one that all rows have.
pub(super) const fn answers(thresholds: usize) -> usize {
    thresholds + 1
}

impl Columns {
    /// Room for the codes of a block.
    pub(super) fn codes(&self) -> Vec<Places> {
        vec![Places::EMPTY; self.category_columns]
    }

    /// Answers about numbers: column by column, in the order of the thresholds.
    pub(super) fn answers(&self) -> usize {
        self.answers
    }

    /// Adds the columns of a feature's numerical splits.
    pub(super) fn add_numbers(
        &mut self,
        feature: usize,
        thresholds: Vec<f32>,
        columns: Vec<NumericalColumn>,
    ) {
        let answers = answers(thresholds.len());
        self.answers += columns.len() * answers;
        let thresholds = if thresholds.len() < TABLE {
            Thresholds::Short(Table::new(&thresholds))
        } else {
            Thresholds::Long(thresholds)
        };
        self.numbers.push(Numbers {
            feature,
            answers,
            thresholds,
            columns,
        });
    }

    /// Adds the columns of a feature's categorical splits: `known` are at most [`CATEGORIES`], ascending.
    pub(super) fn add_categories(&mut self, feature: usize, known: Vec<u32>, columns: Vec<bool>) {
        self.category_columns += columns.len();
        self.categories.push(Categories {
            feature,
            known: Known::new(known),
            columns,
        });
    }

    /// Answers about the numbers of a block of at most [`LANES`] rows, and the codes of its categories. Lanes without a
    /// row get some.
    pub(super) fn fill(&self, rows: &[f32], features: usize, codes: &mut [Places], mut answers: &mut [Bits]) {
        let mut values = [0.0; LANES];
        let n = rows.len() / features;
        for numbers in &self.numbers {
            gather(rows, features, numbers.feature, &mut values);
            let ranks = numbers.thresholds.ranks(&values, n);
            for column in &numbers.columns {
                let own;
                (own, answers) = answers.split_at_mut(numbers.answers);
                column.answer(&values, &ranks, own);
            }
        }
        let mut columns = codes.iter_mut();
        for categories in &self.categories {
            gather(rows, features, categories.feature, &mut values);
            for (&truncates_negative, places) in categories.columns.iter().zip(&mut columns) {
                places.set(
                    values[..n]
                        .iter()
                        .map(|x| categories.known.code(*x, truncates_negative)),
                );
            }
        }
    }
}

fn gather(rows: &[f32], features: usize, feature: usize, values: &mut Lanes<f32>) {
    for (value, row) in values.iter_mut().zip(rows.chunks_exact(features)) {
        *value = row[feature];
    }
}

impl NumericalColumn {
    /// For each threshold the rows that go left there: those with a rank up to its index.
    fn answer(&self, values: &Lanes<f32>, ranks: &Lanes<u32>, answers: &mut [Bits]) {
        // Rows with the last rank go right everywhere.
        let missing = if self.missing_left { 0 } else { answers.len() - 1 };
        let ranks = ranks::with_missing(ranks, values, missing as u32, self.missing_up_to);
        answers.fill(rows::NONE);
        let (quarters, _) = ranks.as_chunks::<{ LANES / 4 }>();
        // Four rows far apart, so that none waits for what another stored.
        if let [a, b, c, d] = quarters {
            for (row, (((a, b), c), d)) in a.iter().zip(b).zip(c).zip(d).enumerate() {
                rows::insert(&mut answers[*a as usize], row);
                rows::insert(&mut answers[*b as usize], row + LANES / 4);
                rows::insert(&mut answers[*c as usize], row + LANES / 2);
                rows::insert(&mut answers[*d as usize], row + LANES / 4 * 3);
            }
        }
        let mut left = rows::NONE;
        for answer in answers {
            left = rows::or(left, *answer);
            *answer = left;
        }
    }
}

impl Thresholds {
    /// How many thresholds lie below each of the first `n` values; 0 for NaN.
    fn ranks(&self, values: &Lanes<f32>, n: usize) -> Lanes<u32> {
        match self {
            Self::Short(table) => table.ranks(values, n),
            Self::Long(thresholds) => {
                let mut ranks = [0; LANES];
                for (rank, x) in ranks.iter_mut().zip(&values[..n]) {
                    *rank = thresholds.partition_point(|threshold| threshold < x) as u32;
                }
                ranks
            }
        }
    }
}

impl Known {
    /// For ascending categories, at most [`CATEGORIES`].
    fn new(known: Vec<u32>) -> Self {
        let dense = known.last().map_or(0, |last| *last as usize + 1);
        // The table takes no more memory than the sets do that name the categories.
        if dense > 64 * known.len() {
            return Self::Sparse(known);
        }
        let mut codes = vec![OTHER as u16; dense];
        for (index, category) in known.iter().enumerate() {
            codes[*category as usize] = (KNOWN + index) as u16;
        }
        Self::Dense(codes)
    }

    #[inline]
    fn code(&self, x: f32, truncates_negative: bool) -> usize {
        if x.is_nan() {
            return MISSING;
        }
        let is_category = x >= 0.0 || (truncates_negative && x > -1.0);
        let category = x as u32;
        let code = match self {
            Self::Dense(codes) => codes.get(category as usize).map(|code| usize::from(*code)),
            Self::Sparse(known) => known.binary_search(&category).ok().map(|index| KNOWN + index),
        };
        code.filter(|_| is_category).unwrap_or(OTHER)
    }
}
