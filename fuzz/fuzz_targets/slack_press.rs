//! See `targets::slack_press`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::slack_press(bytes));
