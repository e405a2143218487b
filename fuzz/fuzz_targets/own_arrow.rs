//! libFuzzer's door to the target `own_arrow`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::own_arrow::run(data);
});
