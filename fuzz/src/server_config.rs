//! `server.json`, as `start` finds it in the data folder.

use std::{cell::OnceCell, fs};

use healthsync_core::report::Hint as _;
use healthsync_server::config::DataFolder;
use tempfile::TempDir;

/// What is read is written and read the same.
pub fn run(data: &[u8]) -> bool {
    thread_local! { static FOLDER: OnceCell<TempDir> = const { OnceCell::new() }; }
    FOLDER.with(|folder| {
        let path = folder.get_or_init(in_memory).path();
        fs::write(path.join("server.json"), data).expect("a file");
        let folder = DataFolder::at(path.to_owned());
        let config = match folder.config() {
            Ok(config) => config,
            Err(error) => {
                assert_eq!(error.code(), "CONFIG_FAILED");
                return false;
            }
        };
        folder.save(&config).expect("written");
        assert_eq!(folder.config().expect("our own file"), config);
        true
    })
}

/// A folder in memory, where there is one: each input is a file.
pub fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder")
}

/// Files of this version, and damaged ones.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "full",
            text(r#"{"keyStore": "file", "name": "Living room", "paused": true}"#),
        ),
        ("empty-object", text("{}")),
        (
            "null-name",
            text(r#"{"keyStore": "secret-service", "name": null}"#),
        ),
        (
            "unknown-field",
            text(r#"{"keyStore": "file", "later": [1, {"a": 2}]}"#),
        ),
        ("twice", text(r#"{"paused": true, "paused": false}"#)),
        ("wrong-type", text(r#"{"paused": "yes", "name": 7}"#)),
        ("surrogate", text(r#"{"name": "\ud83d\ude00 \ud800"}"#)),
        ("deep", "[".repeat(300).into_bytes()),
        ("not-utf8", b"{\"name\": \"\xff\"}".to_vec()),
        ("cut", text(r#"{"keyStore": "fi"#)),
        ("nothing", vec![]),
    ]
}
