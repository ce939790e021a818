//! See `harness::targets::http_event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::http_event(bytes));
