//! `--debug-tls`: each step of a connection on a line of its own, on stderr.
//!
//! For people `+12.3 ms  server-hello  version=TLSv1.3 ..`; with `--json` one object a line,
//! `{"event":"tls","step":"server-hello","ms":12.3, ..}`. What the steps are, and that no key is among
//! their facts, is decided in `pairing::tls`.

use std::sync::Arc;

use healthsync_core::report::inert;
use healthsync_pairing::tls::trace::{Fact, Step, Trace, Watch};
use serde_json::{Map, Value};

use crate::printer::{Look, Printer};

/// Prints the steps.
pub(crate) fn trace(printer: Printer) -> Trace {
    Trace::new(Arc::new(Lines(printer)))
}

#[derive(Debug)]
struct Lines(Printer);

impl Watch for Lines {
    fn step(&self, step: &Step) {
        if self.0.json {
            self.0.say(&object(step).to_string());
        } else {
            self.0.say(&line(step, self.0));
        }
    }
}

/// The line for scripts.
pub(crate) fn object(step: &Step) -> Value {
    let mut object = Map::new();
    object.insert("event".to_owned(), "tls".into());
    object.insert("step".to_owned(), step.name.into());
    object.insert("ms".to_owned(), milliseconds(step).into());
    for (name, fact) in &step.facts {
        let value = match fact {
            Fact::Flag(flag) => (*flag).into(),
            Fact::List(list) => list.clone().into(),
            Fact::Number(number) => (*number).into(),
            Fact::Text(text) => text.clone().into(),
        };
        object.insert((*name).to_owned(), value);
    }
    Value::Object(object)
}

/// The line for people.
fn line(step: &Step, printer: Printer) -> String {
    let time = format!("+{:.1} ms", milliseconds(step));
    let name = printer.paint_err(&format!("{:<20}", step.name), Look::Bold);
    let mut text = format!("tls {time:>11}  {name}");
    for (name, fact) in &step.facts {
        let value = match fact {
            Fact::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Fact::List(list) if list.is_empty() => "none".to_owned(),
            Fact::List(list) => list.join(", "),
            Fact::Number(number) => number.to_string(),
            Fact::Text(text) if text.is_empty() => "none".to_owned(),
            Fact::Text(text) => text.clone(),
        };
        text.push_str("  ");
        text.push_str(name);
        text.push('=');
        text.push_str(&inert(&value));
    }
    text
}

/// With one decimal.
fn milliseconds(step: &Step) -> f64 {
    (step.at.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_step_is_one_line_for_people_and_one_for_scripts() {
        let step = Step {
            at: Duration::from_micros(12_345),
            name: "alert",
            facts: vec![
                ("name", "bad\u{1b}[2J".into()),
                ("fatal", true.into()),
                ("status", 200.into()),
                ("san", vec!["DNS:a".to_owned(), "DNS:b".to_owned()].into()),
                ("failed", Vec::new().into()),
            ],
        };
        let printer = Printer {
            json: false,
            quiet: false,
            verbose: false,
            colour_out: false,
            colour_err: false,
            out_terminal: false,
            progress: false,
            width: None,
        };
        assert_eq!(
            line(&step, printer),
            "tls    +12.3 ms  alert                 name=bad\\u{1b}[2J  fatal=yes  status=200  san=DNS:a, DNS:b  failed=none"
        );
        assert_eq!(
            object(&step),
            serde_json::json!({
                "event": "tls", "step": "alert", "ms": 12.3, "name": "bad\u{1b}[2J",
                "fatal": true, "status": 200, "san": ["DNS:a", "DNS:b"], "failed": [],
            })
        );
    }
}
