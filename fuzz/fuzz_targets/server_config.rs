//! libFuzzer's door to the target `server_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::server_config::run(data);
});
