use clap::Parser;

use super::*;
use crate::{
    args::{Cli, Command},
    settings::Env,
};

fn parsed(words: &[&str]) -> (Fetch, Settings) {
    let cli = Cli::try_parse_from([&["healthsync", "fetch"], words].concat()).unwrap();
    let env = Env {
        default_home: Some("/nonexistent".into()),
        ..Env::default()
    };
    let settings = Settings::new(&cli.global, &env).unwrap();
    let Command::Fetch(fetch) = cli.command else {
        panic!("not a fetch")
    };
    (fetch, settings)
}

#[test]
fn the_format_follows_what_was_typed() {
    for (words, expected) in [
        (&[][..], Ok("csv")),
        (&["--json"], Ok("ndjson")),
        (&["--format", "arrow"], Ok("arrow")),
        (&["--output", "a.tsv"], Ok("tsv")),
        (&["--output", "a.JSONL"], Ok("ndjson")),
        (&["--output", "a.txt"], Ok("csv")),
        (&["--output", "a.arrow"], Ok("arrow")),
        (&["--output", "a.parquet"], Ok("parquet")),
        (&["--output", "a.DB"], Ok("sqlite")),
        (&["--output", "a.orc"], Err("USAGE")),
        (&["--json", "--output", "a.XLSX"], Err("USAGE")),
        (&["--output", "a.xlsx", "--format", "csv"], Ok("csv")),
        (&["--output", "-"], Ok("csv")),
        (&["--output", "a.tsv", "--format", "json"], Ok("json")),
        (&["--json", "--format", "json"], Ok("json")),
        (&["--json", "--format", "csv"], Err("USAGE")),
        (
            &["--json", "--format", "csv", "--output", "-"],
            Err("USAGE"),
        ),
        (&["--json", "--format", "csv", "--output", "a"], Ok("csv")),
    ] {
        let (fetch, settings) = parsed(words);
        let found = chosen_format(&fetch, &settings)
            .map(OutputFormat::name)
            .map_err(|error| error.code());
        assert_eq!(found, expected, "{words:?}");
    }
}

#[test]
fn nights_are_daily_totals_of_sleep() {
    let asked = |words: &[&str]| {
        let (fetch, settings) = parsed(words);
        let fetch = match fetch.what {
            Some(What::Sleep) => totals::nights(&fetch).map_err(|error| error.code())?,
            _ => fetch,
        };
        let totals = Totals::new(&fetch).unwrap();
        let wanted = Wanted::new(&fetch, totals).unwrap();
        let stretch = Stretch::new(&fetch, &jiff::tz::TimeZone::UTC, settings.now_ms()).unwrap();
        Ok::<_, &str>(wanted.request(&fetch, stretch))
    };
    for range in [
        &["--all"][..],
        &["--start", "2026-01-10", "--end", "2026-01-12"],
    ] {
        let long = ["--types", "sleepAnalysis", "--aggregate", "daily"];
        let (short, long) = ([&["sleep"], range].concat(), [&long[..], range].concat());
        let (short, long) = (asked(&short).unwrap(), asked(&long).unwrap());
        assert_eq!(format!("{short:?}"), format!("{long:?}"));
        assert!(format!("{short:?}").contains("daily"), "{short:?}");
    }
    for words in [
        &["sleep", "--types", "steps"][..],
        &["sleep", "--category", "sleep"],
        &["sleep", "--limit", "3"],
        &["sleep", "--offset", "3"],
        &["sleep", "--include-metadata"],
    ] {
        assert_eq!(asked(words).err(), Some("USAGE"), "{words:?}");
    }
}

#[test]
fn every_format_on_the_command_line_exists() {
    use clap::ValueEnum as _;

    for format in OutputFormat::value_variants() {
        let known = healthsync_core::format::by_name(format.name()).is_some();
        let elsewhere = matches!(format, OutputFormat::Sqlite | OutputFormat::Gpx);
        assert_eq!(
            known,
            !elsewhere && format.standard().is_none(),
            "{format:?}"
        );
    }
}

#[test]
fn fields_are_separated_by_one_sign_and_in_csv_only() {
    for (words, expected) in [
        (&[][..], Some(b',')),
        (&["--delimiter", ";"], Some(b';')),
        (&["--delimiter", "tab"], Some(b'\t')),
        (&["--delimiter", "a"], None),
        (&["--delimiter", "-"], None),
        (&["--delimiter", ""], None),
        (&["--delimiter", ";;"], None),
        (&["--delimiter", ";", "--format", "tsv"], None),
    ] {
        let (fetch, settings) = parsed(words);
        let format = chosen_format(&fetch, &settings).unwrap();
        let found = options(&fetch, format)
            .ok()
            .map(|options| options.delimiter);
        assert_eq!(found, expected, "{words:?}");
    }
}

#[test]
fn words_are_types_groups_or_typing_errors() {
    let asked = |words: &[&str]| {
        let (fetch, _) = parsed(words);
        let wanted = Wanted::new(&fetch, None).map_err(|error| (error.code(), error.exit()))?;
        let request = wanted.request(&fetch, Stretch::new(&fetch, &zone(), 0).unwrap());
        let types = request.query("types").unwrap_or_default().to_owned();
        Ok((types, wanted.unknown.join(",")))
    };
    let good = |types: &str, unknown: &str| Ok((types.to_owned(), unknown.to_owned()));
    let types = |text| asked(&["--types", text]);
    assert_eq!(types(""), Err(("USAGE", 2)));
    assert_eq!(types("steps,"), Err(("USAGE", 2)));
    assert_eq!(types("all"), good("", ""));
    assert_eq!(asked(&[]), good("", ""));
    assert_eq!(types("steps, heartRate"), good("steps,heartRate", ""));
    assert_eq!(types("steps,ALL"), good("", ""));
    assert_eq!(
        types("steps,xyzzyxyzzy"),
        good("steps,xyzzyxyzzy", "xyzzyxyzzy")
    );
    assert_eq!(types("stps"), Err(("UNKNOWN_TYPE", 2)));
    // `sleep` is the alias of one type; the group has its own option.
    assert_eq!(types("sleep"), good("sleep", ""));
    let (body, _) = types("Body").unwrap();
    assert!(body.starts_with("weight,height,"), "{body}");
    assert_eq!(asked(&["--category", "body"]), good(&body, ""));
    let both = asked(&["--types", "steps", "--category", "body"]);
    assert_eq!(both, good(&format!("steps,{body}"), ""));
    let (two, _) = asked(&["--category", "sleep,vitals"]).unwrap();
    assert!(two.starts_with("sleepAnalysis,") && two.contains(",heartRate,"));
}
