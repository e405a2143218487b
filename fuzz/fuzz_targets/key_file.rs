//! libFuzzer's door to the target `key_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::key_file::run(data);
});
