//! libFuzzer's door to the target `ecg`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::ecg::run(data);
});
