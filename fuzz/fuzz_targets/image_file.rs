//! See `targets::image_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::image_file(bytes));
