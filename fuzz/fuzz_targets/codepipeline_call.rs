//! See `harness::targets::codepipeline_call`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::codepipeline_call(bytes));
