//! How many random cases a property is tried on, and from which seed.

use proptest::{prelude::ProptestConfig, test_runner::RngSeed};

/// So many cases from this seed, unless `PROPTEST_CASES` or `PROPTEST_RNG_SEED` say otherwise.
pub fn config(cases: u32, seed: u64) -> ProptestConfig {
    let chosen = |name: &str| std::env::var_os(name).is_some();
    let mut config = ProptestConfig::default();
    if !chosen("PROPTEST_CASES") {
        config.cases = cases;
    }
    if !chosen("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(seed);
    }
    config.failure_persistence = None;
    config
}
