//! `config.json` of the client.

use std::{cell::OnceCell, fs};

use healthsync_core::report::Hint as _;
use tempfile::TempDir;

use crate::{
    config::{ConfigFile, hex},
    server_config::in_memory,
};

/// What is read is written and read the same; nothing in it makes choosing a server fail badly.
pub fn run(data: &[u8]) -> bool {
    thread_local! { static FOLDER: OnceCell<TempDir> = const { OnceCell::new() }; }
    FOLDER.with(|folder| {
        let path = folder.get_or_init(in_memory).path().join("config.json");
        fs::write(&path, data).expect("a file");
        let file = ConfigFile::new(&path);
        let config = match file.load() {
            Ok(config) => config,
            Err(error) => {
                assert!(
                    ["CONFIG_DAMAGED", "CONFIG_TOO_NEW"].contains(&error.code()),
                    "{error:?}"
                );
                assert!(file.update(|_| ()).is_err());
                assert_eq!(fs::read(&path).expect("the file"), data, "overwritten");
                return false;
            }
        };
        let _ = config.select(None);
        for server in &config.servers {
            for wanted in [&server.name, &server.pair] {
                let _ = config.select(Some(wanted));
            }
            if let Some(leaf) = server.leaf_der() {
                assert!(
                    server
                        .leaf
                        .as_ref()
                        .is_some_and(|text| text.eq_ignore_ascii_case(&hex(&leaf)))
                );
            }
        }
        let (written, ()) = file
            .update(|config| {
                config.key_store = Some("file".to_owned());
                for server in &mut config.servers {
                    server.saw("192.168.1.20:8443".parse().expect("an address"), Some(&[1]));
                    server.used("2026-01-07T10:00:00Z", None);
                }
            })
            .expect("written");
        assert_eq!(file.load().expect("our own file"), written);
        assert_eq!(written.servers.len(), config.servers.len());
        true
    })
}

/// Files of this version, of later ones, and damaged ones.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let server = |name: &str, more: &str| {
        format!(
            r#"{{"pair": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "name": {name:?}, "state": "active", "addresses": ["192.168.1.20:8443", "[fd00::7]:8443"], "keyStore": "file", "pairedAt": "2026-01-07T10:00:00Z"{more}}}"#
        )
    };
    let file = |servers: &[String]| {
        format!(
            r#"{{"version": 1, "keyStore": "file", "servers": [{}]}}"#,
            servers.join(", ")
        )
        .into_bytes()
    };
    let full = r#", "host": "nas.local:8443", "lastUsed": "2026-01-08T10:00:00Z", "certificateExpires": "2027-01-07T10:00:00Z", "serverLeaf": "3082Ab""#;
    vec![
        ("none", br#"{"version": 1, "servers": []}"#.to_vec()),
        ("one", file(&[server("Home", "")])),
        ("full", file(&[server("Home", full)])),
        (
            "same-name",
            file(&[server("Home", ""), server("home", full)]),
        ),
        (
            "hostile-name",
            file(&[server("\\u001b[2J\\u202e", r#", "serverLeaf": "x""#)]),
        ),
        (
            "leaf-not-ascii",
            file(&[server("a", r#", "serverLeaf": "0ä+1""#)]),
        ),
        ("later-version", br#"{"version": 2, "what": 1}"#.to_vec()),
        ("version-zero", br#"{"version": 0, "servers": []}"#.to_vec()),
        (
            "unknown-field",
            br#"{"version": 1, "servers": [], "x": 1}"#.to_vec(),
        ),
        (
            "no-address",
            file(&[server("a", "").replace("192.168.1.20:8443", "nowhere")]),
        ),
        ("deep", "{\"version\":".repeat(200).into_bytes()),
        ("nothing", vec![]),
    ]
}
