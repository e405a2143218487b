//! libFuzzer's door to the target `frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::frames::run(data);
});
