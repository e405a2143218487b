//! Every promised command line, typed for real: `tests/data/promised.txt` says what answers it.

use crate::{
    device::Device,
    host::Host,
    program::{self, Outcome},
};

const LIST: &str = include_str!("../data/promised.txt");

struct Line<'a> {
    place: &'a str,
    exit: i32,
    words: Vec<String>,
    answer: String,
}

fn lines<'a>(place: &'a str, fill: &dyn Fn(&str) -> String) -> Vec<Line<'a>> {
    LIST.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.splitn(4, '|').collect();
            let [found, exit, words, answer] = fields[..] else {
                panic!("not a line of the list: {line}")
            };
            assert!(["alone", "paired"].contains(&found.trim()), "{line}");
            (found.trim(), exit, words, answer)
        })
        .filter(|(found, ..)| *found == place)
        .map(|(_, exit, words, answer)| Line {
            place,
            exit: exit.trim().parse().expect("an exit code"),
            words: words.split_whitespace().map(fill).collect(),
            answer: fill(answer.strip_prefix(' ').unwrap_or(answer)),
        })
        .collect()
}

/// Whether the answer is the one of the list; if not, what came instead.
fn wrong(line: &Line<'_>, outcome: &Outcome) -> Option<String> {
    let told = format!("{}{}", outcome.stdout, outcome.stderr);
    let is_usage_error = line.exit == 2;
    let good = outcome.exit == Some(line.exit)
        && told.contains(&line.answer)
        // A wrong command line prints no data, has a code and names the next command.
        && (!is_usage_error || (outcome.stdout.is_empty() && told.contains("hint: ")))
        && !told.contains("ABCD1234")
        && !told.contains("panicked");
    (!good).then(|| {
        format!(
            "{}: {}\n  wanted {} and {:?}, got {:?}\n{told}",
            line.place,
            line.words.join(" "),
            line.exit,
            line.answer,
            outcome.exit
        )
    })
}

fn walk(device: &Device, lines: &[Line<'_>]) {
    let failures: Vec<String> = lines
        .iter()
        .filter_map(|line| {
            let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
            wrong(line, &program::run(&mut device.command(&words), b""))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_promised_line_is_answered_on_a_computer_that_is_alone() {
    let device = Device::new("laptop");
    let folder = device.path("").display().to_string();
    let fill = |text: &str| text.replace("{dir}", folder.trim_end_matches('/'));
    let lines = lines("alone", &fill);
    assert!(lines.len() > 30);
    walk(&device, &lines);
}

#[test]
fn every_promised_line_is_answered_beside_a_server() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "laptop");
    let folder = device.path("").display().to_string();
    let port = host.port.to_string();
    let fill = |text: &str| {
        text.replace("{dir}", folder.trim_end_matches('/'))
            .replace("{host}", "127.0.0.1")
            .replace("{port}", &port)
            .replace("{pair}", &pair)
    };
    let lines = lines("paired", &fill);
    assert!(lines.len() > 50);
    walk(&device, &lines);
}
