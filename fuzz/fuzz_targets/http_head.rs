//! libFuzzer's door to the target `http_head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::http_head::run(data);
});
