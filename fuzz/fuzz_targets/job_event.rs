//! See `targets::job_event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::job_event(bytes));
