//! See `targets::aws_chunked`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::aws_chunked(bytes));
