//! libFuzzer's door to the target `gpx_route`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::gpx_route::run(data);
});
