//! docs/reference/openapi.json against the running server, with curl: every documented answer of every
//! path is provoked, and has the documented status and shape.

use std::{collections::BTreeSet, fs};

use healthsync_core::api::Collection;
use serde_json::Value;

use crate::{
    host::Host,
    schema::{check_part, folder},
    stranger::Stranger,
};

/// Answers that this test cannot provoke, and why.
const NOT_HERE: &[(&str, &str)] = &[
    ("429", "needs a server with --rate"),
    ("500", "is a fault of the server"),
    ("422", "needs 100,000 samples at one instant"),
    ("503", "needs a store that fails"),
    (
        "200 post /api/v1/pair/renew",
        "is signed over the connection: the tests of renewal do it",
    ),
];

/// A cursor of a store that is not this one.
const ELSEWHERE: &str = "?after=02000000000000000100000000000000000000000000000000af5570f5a1810b7a";

/// What the demo export has none of: no line comes.
const NOT_IN_DEMO: &[Collection] = &[
    Collection::Audiograms,
    Collection::Clinical,
    Collection::Ecg,
    Collection::Medications,
    Collection::Moods,
    Collection::Prescriptions,
];

struct Call<'a> {
    status: &'a str,
    method: &'a str,
    path: &'a str,
    query: &'a str,
    args: &'a [&'a str],
}

const fn call<'a>(
    status: &'a str,
    method: &'a str,
    path: &'a str,
    query: &'a str,
    args: &'a [&'a str],
) -> Call<'a> {
    Call {
        status,
        method,
        path,
        query,
        args,
    }
}

const JSON: &[&str] = &["-H", "Content-Type: application/json", "-d"];
const RANGE: &str = r#"{"startDate":"2025-12-01T00:00:00Z","endDate":"2026-02-01T00:00:00Z","types":["heartRate"],"limit":3}"#;

struct Checker {
    api: Value,
    stranger: Stranger,
    seen: BTreeSet<String>,
}

impl Checker {
    /// Makes the call and holds the answer against its description.
    fn check(&mut self, call: &Call<'_>) {
        let Call {
            status,
            method,
            path,
            query,
            args,
        } = call;
        let place = format!("{status} {method} {path}{query}");
        let response = &self.api["paths"][path][method]["responses"][status];
        assert!(response.is_object(), "{place} is not documented");
        let upper = method.to_ascii_uppercase();
        let words = [
            &[
                "--cert",
                "client",
                "-X",
                &upper,
                "-w",
                "\n%{content_type}\n%{http_code}",
            ],
            *args,
        ]
        .concat();
        let relative = format!("{}{query}", path.trim_start_matches("/api/v1/"));
        let answer = self.stranger.curl(&self.stranger.name(), &words, &relative);
        let mut parts = answer.stdout.rsplitn(3, '\n');
        let (found, media, body) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        assert_eq!(found, *status, "{place}: {answer:?}");
        self.seen.insert(format!("{status} {method} {path}"));
        let Some(content) = response["content"].as_object() else {
            assert_eq!(body, "", "{place}");
            return;
        };
        let media = media.split(';').next().unwrap_or_default().trim();
        let described = content
            .get(media)
            .unwrap_or_else(|| panic!("{place}: {media} is not documented"));
        let documents: Vec<&str> = match media {
            "application/json" => vec![body],
            "application/x-ndjson" => body.lines().collect(),
            "text/csv" => {
                assert!(body.starts_with("id,type,value,"), "{place}: {body}");
                return;
            }
            _ => return,
        };
        let collection = Collection::of_path(path);
        let is_none = collection.is_some_and(|collection| NOT_IN_DEMO.contains(&collection));
        let is_lines = media == "application/x-ndjson";
        assert_eq!(documents.is_empty(), is_none && is_lines, "{place}");
        for document in documents {
            let value = serde_json::from_str(document)
                .unwrap_or_else(|error| panic!("{place}: {error}: {document}"));
            if let Err(why) = check_part(&described["schema"], &value) {
                panic!("{place}: {why}\n{value:#}");
            }
        }
    }
}

#[test]
fn every_documented_answer_is_given() {
    let text = fs::read_to_string(folder().join("openapi.json")).expect("the description");
    let api: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(api["openapi"], "3.1.0");
    let host = Host::with_data();
    let mut checker = Checker {
        api: api.clone(),
        stranger: Stranger::enrolled(&host),
        seen: BTreeSet::new(),
    };
    let paths = api["paths"].as_object().expect("paths");
    // What stands before every handler.
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            checker.check(&call(
                "403",
                method,
                path,
                "",
                &["-H", "Origin: https://example.org"],
            ));
            checker.check(&call("421", method, path, "", &["-H", "Host: example.org"]));
        }
    }
    let body = |json: &'static str| [JSON, &[json]].concat();
    for call in [
        call("200", "get", "/api/v1/status", "", &[]),
        call("200", "get", "/api/v1/whoami", "", &[]),
        call("200", "get", "/api/v1/health/types", "", &[]),
        call("200", "post", "/api/v1/health/data", "", &body(RANGE)),
        call("400", "post", "/api/v1/health/data", "", &body("{}")),
        call(
            "413",
            "post",
            "/api/v1/health/data",
            "",
            &[
                &body("{}")[..],
                &["--http1.1", "-H", "Content-Length: 2147483648"],
            ]
            .concat(),
        ),
        call(
            "415",
            "post",
            "/api/v1/health/data",
            "",
            &["-H", "Content-Type: text/plain", "-d", "{}"],
        ),
        call(
            "200",
            "get",
            "/api/v1/samples",
            "?types=heartRate&limit=3&offset=1&metadata=true",
            &[],
        ),
        call(
            "200",
            "get",
            "/api/v1/samples",
            "?types=sleepAnalysis&limit=3",
            &["-H", "Accept: application/x-ndjson"],
        ),
        call(
            "200",
            "get",
            "/api/v1/samples",
            "?limit=3",
            &["-H", "Accept: text/csv"],
        ),
        call("400", "get", "/api/v1/samples", "?types=stps", &[]),
        call(
            "406",
            "get",
            "/api/v1/samples",
            "",
            &["-H", "Accept: image/png"],
        ),
        call(
            "200",
            "get",
            "/api/v1/aggregates",
            "?period=weekly&timezone=Europe/Vienna",
            &[],
        ),
        call(
            "200",
            "get",
            "/api/v1/aggregates",
            "?types=steps",
            &["-H", "Accept: application/x-ndjson"],
        ),
        call("400", "get", "/api/v1/aggregates", "?period=never", &[]),
        call(
            "406",
            "get",
            "/api/v1/aggregates",
            "",
            &["-H", "Accept: image/png"],
        ),
        call("200", "get", "/api/v1/changes", "?limit=5", &[]),
        call(
            "200",
            "get",
            "/api/v1/changes",
            "?series=true",
            &["-H", "Accept: application/x-ndjson"],
        ),
        call("400", "get", "/api/v1/changes", "?after=00", &[]),
        call(
            "406",
            "get",
            "/api/v1/changes",
            "",
            &["-H", "Accept: image/png"],
        ),
        call("410", "get", "/api/v1/changes", ELSEWHERE, &[]),
        call("400", "post", "/api/v1/pair/renew", "", &["-d", "x"]),
        call(
            "413",
            "post",
            "/api/v1/pair/renew",
            "",
            &["-d", "x", "--http1.1", "-H", "Content-Length: 2147483648"],
        ),
        call("204", "post", "/api/v1/pair/ack", "", &[]),
    ] {
        checker.check(&call);
    }
    for collection in Collection::ALL {
        let path = collection.path();
        checker.check(&call("200", "get", path, "?limit=2", &[]));
        checker.check(&call("400", "get", path, "?since=2026", &[]));
        let picture = ["-H", "Accept: image/png"];
        checker.check(&call("406", "get", path, "", &picture));
    }
    host.run(&["pause"]).good();
    for collection in Collection::ALL {
        checker.check(&call("423", "get", collection.path(), "", &[]));
    }
    for call in [
        call("423", "get", "/api/v1/health/types", "", &[]),
        call("423", "post", "/api/v1/health/data", "", &body(RANGE)),
        call("423", "get", "/api/v1/samples", "", &[]),
        call("423", "get", "/api/v1/aggregates", "", &[]),
        call("423", "get", "/api/v1/changes", "", &[]),
        call("200", "get", "/api/v1/status", "", &[]),
        call("200", "get", "/api/v1/whoami", "", &[]),
    ] {
        checker.check(&call);
    }
    host.run(&["resume"]).good();
    checker.check(&call("204", "delete", "/api/v1/pair", "", &[]));

    let excused = |answer: &str| {
        NOT_HERE
            .iter()
            .any(|(which, _)| *which == answer || answer.split(' ').next() == Some(which))
    };
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            for status in operation["responses"]
                .as_object()
                .expect("responses")
                .keys()
            {
                let answer = format!("{status} {method} {path}");
                assert!(
                    checker.seen.contains(&answer) != excused(&answer),
                    "{answer}"
                );
            }
        }
    }
}

/// The paths of the description are those of the server: no more and no fewer.
#[test]
fn the_description_has_every_path() {
    use healthsync_core::api;

    let text = fs::read_to_string(folder().join("openapi.json")).expect("the description");
    let described: Value = serde_json::from_str(&text).expect("JSON");
    let described: BTreeSet<&str> = described["paths"]
        .as_object()
        .expect("paths")
        .keys()
        .map(String::as_str)
        .collect();
    let mut paths: BTreeSet<&str> = Collection::ALL.iter().map(|one| one.path()).collect();
    paths.extend([
        api::STATUS,
        api::WHOAMI,
        api::TYPES,
        api::DATA,
        api::SAMPLES,
        api::AGGREGATES,
        api::CHANGES,
        api::PAIR_ACK,
        api::PAIR_RENEW,
        api::PAIR,
    ]);
    assert_eq!(described, paths);
}
