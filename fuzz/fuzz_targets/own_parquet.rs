//! libFuzzer's door to the target `own_parquet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::own_parquet::run(data);
});
