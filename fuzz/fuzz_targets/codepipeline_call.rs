//! See `targets::codepipeline_call`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::codepipeline_call(bytes));
