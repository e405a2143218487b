//! libFuzzer's door to the target `client_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::client_config::run(data);
});
