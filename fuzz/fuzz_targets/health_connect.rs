//! libFuzzer's door to the target `health_connect`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::health_connect::run(data);
});
