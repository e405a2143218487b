//! Numbers that are the same in each run: races and floods that can be had again.

/// `SplitMix64`.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// How often: `scripts/soak` asks for more than the tests do.
pub(crate) fn rounds(variable: &str, usual: usize) -> usize {
    let asked = std::env::var_os(variable);
    let asked = asked.and_then(|text| text.to_str()?.parse().ok());
    asked.unwrap_or(usual)
}
