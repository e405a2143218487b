//! libFuzzer's door to the target `renewal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::renewal::run(data);
});
