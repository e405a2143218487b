//! libFuzzer's door to the target `health_auto_export`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::health_auto_export::run(data);
});
