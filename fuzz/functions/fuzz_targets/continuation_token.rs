//! See `harness::targets::continuation_token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::continuation_token(bytes));
