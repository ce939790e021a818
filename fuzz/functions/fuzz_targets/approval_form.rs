//! See `harness::targets::approval_form`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::targets::approval_form(bytes));
