//! See `targets::approval_task`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::approval_task(bytes));
