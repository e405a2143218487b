//! libFuzzer's door to the target `change_cursor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    healthsync_fuzz::change_cursor::run(data);
});
