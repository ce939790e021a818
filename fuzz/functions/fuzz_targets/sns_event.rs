//! See `harness::targets::sns_event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::sns_event(bytes));
