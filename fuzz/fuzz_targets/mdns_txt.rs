//! libFuzzer's door to the target `mdns_txt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::mdns_txt::run(data);
});
