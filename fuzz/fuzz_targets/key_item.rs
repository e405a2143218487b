//! libFuzzer's door to the target `key_item`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::key_item::run(data);
});
