//! Generated cases with a seed that can be given again.
//!
//! `STAGEWRIGHT_TEST_SEED` repeats a run, `STAGEWRIGHT_TEST_CASES` asks for more cases than the default run has.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{SystemTime, UNIX_EPOCH},
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("the variable holds a number"))
}

/// Runs the test on so many generated values; a failing value is made as small as can be and told with the seed.
pub fn cases<S>(name: &str, default: u32, strategy: &S, test: impl Fn(&S::Value))
where
    S: Strategy,
    S::Value: Debug,
{
    let seed = number("STAGEWRIGHT_TEST_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(1, |it| u64::from(it.subsec_nanos()))
    });
    let wanted = number("STAGEWRIGHT_TEST_CASES").and_then(|it| u32::try_from(it).ok());
    let config = Config {
        cases: wanted.unwrap_or(default),
        failure_persistence: None,
        max_shrink_iters: 4_096,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, rng).run(strategy, |value| {
        catch_unwind(AssertUnwindSafe(|| test(&value))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
            TestCaseError::fail(text.unwrap_or_default())
        })
    });
    if let Err(failure) = outcome {
        panic!("{name}: STAGEWRIGHT_TEST_SEED={seed}\n{failure}");
    }
    eprintln!("{name}: STAGEWRIGHT_TEST_SEED={seed}");
}
