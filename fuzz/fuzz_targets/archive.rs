//! See `harness::targets::unpack`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::unpack(bytes));
