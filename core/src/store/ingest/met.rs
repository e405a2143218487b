//! Which rows a file has met already: one bit a row.

/// A set of row numbers.
#[derive(Debug, Default)]
pub(super) struct Met(Vec<u64>);

impl Met {
    pub(super) fn contains(&self, row: i64) -> bool {
        let (word, bit) = place(row);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    pub(super) fn insert(&mut self, row: i64) {
        let (word, bit) = place(row);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= bit;
        }
    }
}

fn place(row: i64) -> (usize, u64) {
    let row = usize::try_from(row).unwrap_or_default();
    (row / 64, 1 << (row % 64))
}

#[cfg(test)]
mod tests {
    use super::Met;

    #[test]
    fn rows_are_remembered() {
        let mut met = Met::default();
        for row in [1, 63, 64, 1000] {
            assert!(!met.contains(row));
            met.insert(row);
            assert!(met.contains(row));
        }
        assert!(!met.contains(2) && !met.contains(65) && !met.contains(100_000));
    }
}
