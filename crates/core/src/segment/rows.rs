//! A set of rows.

/// Some of the rows of a table: a bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSet {
    words: Vec<u64>,
    len: usize,
}

impl RowSet {
    /// All rows of a table of `len`.
    #[must_use]
    pub fn all(len: usize) -> Self {
        let mut words = vec![u64::MAX; len.div_ceil(64)];
        if let Some(last) = words.last_mut() {
            *last >>= (64 - len % 64) % 64;
        }
        Self { words, len }
    }

    /// Takes a row out.
    pub fn remove(&mut self, row: usize) {
        if let Some(word) = self.words.get_mut(row / 64) {
            *word &= !(1 << (row % 64));
        }
    }

    /// Takes out the rows that `keep` does not want.
    pub fn retain(&mut self, keep: &dyn Fn(usize) -> bool) {
        for (start, word) in (0..).step_by(64).zip(&mut self.words) {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                if !keep(start + bit as usize) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// Whether a row is there.
    #[must_use]
    pub fn contains(&self, row: usize) -> bool {
        self.words
            .get(row / 64)
            .is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// How many rows below `end` are there.
    #[must_use]
    pub fn count_below(&self, end: usize) -> usize {
        let end = end.min(self.len);
        let whole = self.words.get(..end / 64).unwrap_or_default();
        let last = self
            .words
            .get(end / 64)
            .map_or(0, |word| word & ((1 << (end % 64)) - 1));
        whole.iter().map(|word| word.count_ones() as usize).sum::<usize>() + last.count_ones() as usize
    }

    /// How many rows are there.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count_below(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::RowSet;

    #[test]
    fn agrees_with_a_list_of_flags() {
        for len in [0, 1, 63, 64, 65, 200] {
            let (mut set, mut flags) = (RowSet::all(len), vec![true; len]);
            for row in (0..len).step_by(3) {
                set.remove(row);
                flags[row] = false;
            }
            set.remove(len + 70);
            let keep = |row: usize| row % 5 != 1;
            set.retain(&keep);
            flags
                .iter_mut()
                .enumerate()
                .for_each(|(row, flag)| *flag &= keep(row));
            for row in 0..len + 70 {
                assert_eq!(set.contains(row), flags.get(row) == Some(&true), "{row} of {len}");
            }
            for end in 0..len + 70 {
                let below = flags.iter().take(end).filter(|flag| **flag).count();
                assert_eq!(set.count_below(end), below, "below {end} of {len}");
            }
            assert_eq!(set.count(), set.count_below(usize::MAX));
        }
    }
}
