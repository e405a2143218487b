//! The list of threats is whole: its tests exist, its switches exist, the documents follow it.
//!
//! `scripts/check-defences` runs what is listed; `scripts/threat-model` writes the table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use healthsync_pairing::defence::{Defence, LIST};

/// The tests that the design of pairing asks for, by their names. The list may have more.
const ASKED_FOR: &[&str] = &[
    "accept_survives_fd_exhaustion",
    "alpn_list_mixed",
    "attempts_counted_per_window_not_per_ip",
    "audit_tail_cut_seen_by_client",
    "burn_dos",
    "cert_without_key",
    "code_guessing_leaves_qr_mode",
    "crash_points",
    "discovery_poison",
    "enrol_policy",
    "expired_ca_refused",
    "export_paths",
    "host_policy",
    "hrr_drops_alpn",
    "identity_comes_only_from_tls",
    "identity_element_share",
    "limit_enforced_with_right_code_after",
    "long_connection_expires",
    "mdns_leaks_nothing",
    "mitm_qr",
    "names_are_inert",
    "no_downgrade",
    "no_redirect_no_proxy",
    "no_secret_in_logs",
    "pair_a_on_pair_b",
    "pair_id_collision",
    "pake_relay",
    "peer_text_before_f7",
    "photo_race",
    "preauth_budget",
    "reflect_own_message",
    "replace_needs_old_key",
    "restored_backup_stays_revoked",
    "retired_key_suspends",
    "revoke_live",
    "revoked_cannot_renew",
    "revoked_cannot_resume",
    "rogue_qr",
    "sas_commitment",
    "sas_grind_enrol",
    "sas_redraw_before_proof",
    "secret_never_on_wire",
    "serial_unique",
    "time_matrix",
    "two_clients_race",
    "verifier_rejects_every_foreign_key",
    "window_dies_with_process",
    "wrong_code",
];

/// What a test may stand in, and the folders of it.
const PLACES: &[(&str, &[&str])] = &[
    ("pairing", &["pairing/src", "pairing/tests"]),
    ("server", &["server/src", "server/tests"]),
    ("cli", &["cli/src", "cli/tests"]),
    ("cli/network", &["cli/tests"]),
];

const BEGIN: &str =
    "<!-- From here on made by scripts/threat-model from pairing/src/defences.tsv. -->\n";
const END: &str = "<!-- Up to here. -->\n";

struct Threat {
    what: &'static str,
    stopped_by: &'static str,
    tests: Vec<Test>,
}

struct Test {
    name: &'static str,
    place: &'static str,
    switches: Vec<&'static str>,
}

fn threats() -> Vec<Threat> {
    let mut threats: Vec<Threat> = Vec::new();
    for line in LIST.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split('\t').collect();
        assert!(
            fields
                .iter()
                .all(|field| field.trim() == *field && !field.is_empty()),
            "{line:?}"
        );
        match fields.as_slice() {
            ["threat", what, stopped_by] => threats.push(Threat {
                what,
                stopped_by,
                tests: Vec::new(),
            }),
            ["test", name, place, switches @ ..] => {
                let threat = threats.last_mut().expect("a threat before its tests");
                threat.tests.push(Test {
                    name,
                    place,
                    switches: switches.to_vec(),
                });
            }
            _ => panic!("neither a threat nor a test: {line:?}"),
        }
    }
    threats
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources below a folder, as one text.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            text += &fs::read_to_string(&path).expect("a source file");
        }
    }
    text
}

#[test]
fn every_listed_test_exists_once() {
    let texts: BTreeMap<&str, String> = PLACES
        .iter()
        .map(|(place, folders)| {
            let texts = folders.iter().map(|folder| sources(&root().join(folder)));
            (*place, texts.collect())
        })
        .collect();
    let mut seen = BTreeSet::new();
    for threat in threats() {
        assert!(!threat.tests.is_empty(), "no test shows: {}", threat.what);
        for test in threat.tests {
            let text = texts.get(test.place);
            let text = text.unwrap_or_else(|| panic!("{}: no such place", test.place));
            let written = text.matches(&format!(" fn {}(", test.name)).count()
                + text.matches(&format!("\nfn {}(", test.name)).count();
            assert_eq!(written, 1, "`fn {}` in {}", test.name, test.place);
            assert!(!test.switches.is_empty(), "{} sees no switch", test.name);
            assert!(seen.insert((test.name, test.place)), "{} twice", test.name);
        }
    }
}

#[test]
fn switches_and_defences_are_the_same() {
    let listed: BTreeSet<_> = threats()
        .iter()
        .flat_map(|threat| &threat.tests)
        .flat_map(|test| test.switches.clone())
        .collect();
    let known: Vec<_> = Defence::ALL.iter().map(|one| one.name()).collect();
    assert!(known.is_sorted_by(|one, next| one < next), "{known:?}");
    assert_eq!(
        listed,
        known.into_iter().collect(),
        "left: list, right: code"
    );

    // Each of them is asked for in the product.
    let products = ["pairing/src", "server/src", "cli/src"];
    let text: String = products
        .iter()
        .map(|one| sources(&root().join(one)))
        .collect();
    for defence in Defence::ALL {
        let question = format!("holds(Defence::{defence:?})");
        assert!(text.contains(&question), "{question} stands nowhere");
    }
}

#[test]
fn every_test_that_was_asked_for_is_listed() {
    let threats = threats();
    let tests = threats.iter().flat_map(|threat| &threat.tests);
    let listed: BTreeSet<_> = tests.map(|test| test.name).collect();
    let missing: Vec<_> = ASKED_FOR
        .iter()
        .filter(|name| !listed.contains(*name))
        .collect();
    assert!(missing.is_empty(), "not in the list: {missing:?}");
}

#[test]
fn the_threat_model_is_made_from_the_list() {
    let path = root().join("docs/threat-model.md");
    let text = fs::read_to_string(&path).expect("the threat model");
    let (before, rest) = text.split_once(BEGIN).expect("the beginning of the table");
    let (table, after) = rest.split_once(END).expect("the end of the table");
    if std::env::var_os("HEALTHSYNC_WRITE_THREAT_MODEL").is_some() {
        let made = [before, BEGIN, &made(), END, after].concat();
        fs::write(&path, made).expect("written");
    } else {
        assert!(table == made(), "run scripts/threat-model");
    }
}

fn made() -> String {
    let mut table = String::from("\n| threat | what stops it | tests |\n|---|---|---|\n");
    for threat in threats() {
        let tests = threat.tests.iter().map(|test| format!("`{}`", test.name));
        let mut tests: Vec<_> = tests.collect();
        // Shown twice, on the library and on the programs.
        tests.dedup();
        let row = [threat.what, threat.stopped_by, &tests.join(", ")]
            .map(|cell| cell.replace('|', "\\|"));
        writeln!(table, "| {} |", row.join(" | ")).expect("written");
    }
    table.push('\n');
    table
}
