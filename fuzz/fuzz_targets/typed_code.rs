//! libFuzzer's door to the target `typed_code`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::typed_code::run(data);
});
