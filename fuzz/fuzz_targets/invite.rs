//! libFuzzer's door to the target `invite`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::invite::run(data);
});
