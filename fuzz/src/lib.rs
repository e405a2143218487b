//! Everything that reads bytes of a peer, of a file or of the network, each behind one function.
//!
//! A target takes any bytes. It panics where a promise is broken, and tells whether the bytes were
//! taken for valid, so that a corpus in which nothing is valid is found out. `fuzz_targets` gives
//! the targets to libFuzzer; `smoke` replays the corpus and some mutations of it without any engine.

pub mod aggregate_query;
pub mod apple_health;
pub mod change_cursor;
pub mod client_config;
pub mod ecg;
pub mod exports;
pub mod frames;
pub mod gpx_route;
pub mod health_auto_export;
pub mod health_connect;
pub mod house;
pub mod http_head;
pub mod invite;
pub mod key_file;
pub mod key_item;
pub mod mdns_txt;
pub mod mutation;
pub mod own_arrow;
pub mod own_csv;
pub mod own_parquet;
pub mod renewal;
pub mod seed;
pub mod server_config;
pub mod typed_code;

// The client is a program without a library: the files that read its configuration, as they are.
#[expect(dead_code, reason = "the client uses more of it")]
#[path = "../../cli/src/config.rs"]
mod config;
#[expect(dead_code, reason = "the client uses more of it")]
#[path = "../../cli/src/error.rs"]
mod error;
#[expect(dead_code, reason = "the client uses more of it")]
#[path = "../../cli/src/output.rs"]
mod output;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As the program and the corpus are called.
    pub name: &'static str,
    /// Takes any bytes; whether they were valid.
    pub run: fn(&[u8]) -> bool,
    /// Inputs that show every kind of content, valid and hostile.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "aggregate_query",
        run: aggregate_query::run,
        seeds: aggregate_query::seeds,
    },
    Target {
        name: "apple_health",
        run: apple_health::run,
        seeds: apple_health::seeds,
    },
    Target {
        name: "change_cursor",
        run: change_cursor::run,
        seeds: change_cursor::seeds,
    },
    Target {
        name: "client_config",
        run: client_config::run,
        seeds: client_config::seeds,
    },
    Target {
        name: "ecg",
        run: ecg::run,
        seeds: ecg::seeds,
    },
    Target {
        name: "frames",
        run: frames::run,
        seeds: frames::seeds,
    },
    Target {
        name: "gpx_route",
        run: gpx_route::run,
        seeds: gpx_route::seeds,
    },
    Target {
        name: "health_auto_export",
        run: health_auto_export::run,
        seeds: health_auto_export::seeds,
    },
    Target {
        name: "health_connect",
        run: health_connect::run,
        seeds: health_connect::seeds,
    },
    Target {
        name: "http_head",
        run: http_head::run,
        seeds: http_head::seeds,
    },
    Target {
        name: "invite",
        run: invite::run,
        seeds: invite::seeds,
    },
    Target {
        name: "key_file",
        run: key_file::run,
        seeds: key_file::seeds,
    },
    Target {
        name: "key_item",
        run: key_item::run,
        seeds: key_item::seeds,
    },
    Target {
        name: "mdns_txt",
        run: mdns_txt::run,
        seeds: mdns_txt::seeds,
    },
    Target {
        name: "own_arrow",
        run: own_arrow::run,
        seeds: own_arrow::seeds,
    },
    Target {
        name: "own_csv",
        run: own_csv::run,
        seeds: own_csv::seeds,
    },
    Target {
        name: "own_parquet",
        run: own_parquet::run,
        seeds: own_parquet::seeds,
    },
    Target {
        name: "renewal",
        run: renewal::run,
        seeds: renewal::seeds,
    },
    Target {
        name: "server_config",
        run: server_config::run,
        seeds: server_config::seeds,
    },
    Target {
        name: "typed_code",
        run: typed_code::run,
        seeds: typed_code::seeds,
    },
];
