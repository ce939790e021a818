//! See `targets::appspec_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::appspec_file(bytes));
