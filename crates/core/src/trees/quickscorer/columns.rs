//! Values to codes: small integers that tell everything that the splits of a feature can ask.
//!
//! A number's code is its rank among the thresholds, in a byte; a category's is its index among the categories that any
//! set names. A feature has several columns of codes where its splits disagree about missing values, or where its
//! thresholds are more than a byte can rank: then each column covers a run of them.

use super::membership::{PIECE_CODES, PIECES, Places};
use super::ranks::{self, TABLE, Table};
use super::{LANES, Lanes};

/// Thresholds that one column covers: ranks 0 to 253 become codes -127 to 126.
pub(super) const RUN: usize = 253;

/// What is added to a rank.
pub(super) const OFFSET: i32 = -127;

/// The code below all others: a missing number, for splits that send it left.
pub(super) const MISSING_LEFT: i8 = i8::MIN;

/// The code above all others: a missing number, for splits that send it right.
pub(super) const MISSING_RIGHT: i8 = i8::MAX;

/// Codes of categories: a missing one, one that no set names, and the first of the others.
pub(super) const MISSING: usize = 0;
const OTHER: usize = 1;
pub(super) const KNOWN: usize = 2;

/// Categories of a feature that can have codes.
pub(super) const CATEGORIES: usize = PIECES * PIECE_CODES - KNOWN;

/// The lowest code above the threshold with this index in its run.
pub(super) const fn code_above(index: usize) -> i8 {
    (index as i32 + 1 + OFFSET) as i8
}

/// How numbers of one column are coded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NumericalColumn {
    /// The index of the first threshold of its run.
    pub(super) start: u32,
    /// [`MISSING_LEFT`] or [`MISSING_RIGHT`].
    pub(super) missing: i8,
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

/// Every column of codes, those of numbers and those of categories.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Columns {
    numbers: Vec<Numbers>,
    number_columns: usize,
    categories: Vec<Categories>,
    category_columns: usize,
}

/// The codes of a block, column by column.
pub(super) struct Codes {
    pub(super) numbers: Vec<Lanes<i8>>,
    pub(super) categories: Vec<Places>,
}

impl Columns {
    /// Room for the codes of a block.
    pub(super) fn codes(&self) -> Codes {
        Codes {
            numbers: vec![[0; LANES]; self.number_columns],
            categories: vec![Places::EMPTY; self.category_columns],
        }
    }

    /// Adds the columns of a feature's numerical splits.
    pub(super) fn add_numbers(
        &mut self,
        feature: usize,
        thresholds: Vec<f32>,
        columns: Vec<NumericalColumn>,
    ) {
        self.number_columns += columns.len();
        let thresholds = if thresholds.len() < TABLE {
            Thresholds::Short(Table::new(&thresholds))
        } else {
            Thresholds::Long(thresholds)
        };
        self.numbers.push(Numbers {
            feature,
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

    /// Codes of a block of at most [`LANES`] rows. Lanes without a row keep some code.
    pub(super) fn fill(&self, rows: &[f32], features: usize, codes: &mut Codes) {
        let mut values = [0.0; LANES];
        let n = rows.len() / features;
        let mut columns = codes.numbers.iter_mut();
        for numbers in &self.numbers {
            gather(rows, features, numbers.feature, &mut values);
            let ranks = numbers.thresholds.ranks(&values, n);
            for (column, codes) in numbers.columns.iter().zip(&mut columns) {
                *codes = ranks::codes(column, &values, &ranks);
            }
        }
        let mut columns = codes.categories.iter_mut();
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
