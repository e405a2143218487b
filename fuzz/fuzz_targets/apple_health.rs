//! libFuzzer's door to the target `apple_health`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::apple_health::run(data);
});
