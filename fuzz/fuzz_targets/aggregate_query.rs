//! libFuzzer's door to the target `aggregate_query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::aggregate_query::run(data);
});
