//! Open mHealth data points: a header (schema header-1.2) and a body of the schema that it names.

use super::{
    Facts, Said,
    codes::{Body, Coding, Measure},
    number, plain, push_date, push_text,
};

/// Whether a value has a place: of sleep only what is sleep, not lying awake or in bed.
pub(super) fn can_say(value: &Said<'_>) -> bool {
    match value {
        Said::Number(_) => true,
        Said::Name(name) => name.starts_with("asleep"),
    }
}

/// The data point of a sample.
pub(super) fn sample(
    coding: &Coding,
    body: &Body,
    facts: &Facts<'_>,
    value: &Said<'_>,
    made_ms: i64,
    out: &mut Vec<u8>,
) {
    header(facts, body.schema, made_ms, out);
    push_text_key(body.field, out);
    match (&coding.measure, value) {
        (Measure::Quantity { shift, .. }, Said::Number(value)) => {
            unit_value(body.unit, out, |out| number::push(*value, *shift, out));
        }
        // What is slept has no number but its time.
        (_, Said::Name(_) | Said::Number(_)) => {
            let ms = facts.end_ms.saturating_sub(facts.start_ms).max(0);
            unit_value(body.unit, out, |out| {
                out.extend_from_slice(format!("{}", ms / 1000).as_bytes());
                if ms % 1000 != 0 {
                    out.extend_from_slice(format!(".{:03}", ms % 1000).as_bytes());
                }
            });
        }
    }
    if let Some((name, text)) = body.also {
        out.push(b',');
        push_text(name, text, out);
    }
    time_frame(facts, body.lasts, out);
    out.extend_from_slice(b"}}");
}

/// The data point of a blood pressure.
pub(super) fn pressure(facts: &Facts<'_>, numbers: [f64; 2], made_ms: i64, out: &mut Vec<u8>) {
    header(facts, ("blood-pressure", "4.0"), made_ms, out);
    let names = ["systolic_blood_pressure", "diastolic_blood_pressure"];
    for (index, (name, number)) in names.into_iter().zip(numbers).enumerate() {
        out.extend_from_slice(if index == 0 { b"" } else { b"," });
        push_text_key(name, out);
        unit_value("mmHg", out, |out| number::push(number, 0, out));
    }
    time_frame(facts, false, out);
    out.extend_from_slice(b"}}");
}

/// Everything up to the opening brace of the body, that included.
fn header(facts: &Facts<'_>, schema: (&str, &str), made_ms: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"header\":{");
    push_text("id", facts.id, out);
    out.push(b',');
    push_date("creation_date_time", made_ms, out);
    out.extend_from_slice(br#","schema_id":{"namespace":"omh","#);
    push_text("name", schema.0, out);
    out.push(b',');
    push_text("version", schema.1, out);
    out.push(b'}');
    let source = plain(facts.source);
    let source = source.trim();
    if !source.is_empty() {
        out.extend_from_slice(b",\"acquisition_provenance\":{");
        push_text("source_name", source, out);
        if let Some(created_ms) = facts.created_ms {
            out.push(b',');
            push_date("source_creation_date_time", created_ms, out);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"},\"body\":{");
}

fn push_text_key(name: &str, out: &mut Vec<u8>) {
    super::push_string(name, out);
    out.push(b':');
}

fn unit_value(unit: &str, out: &mut Vec<u8>, number: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"{\"value\":");
    number(out);
    out.push(b',');
    push_text("unit", unit, out);
    out.push(b'}');
}

fn time_frame(facts: &Facts<'_>, lasts: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"effective_time_frame\":{");
    if lasts || facts.end_ms > facts.start_ms {
        out.extend_from_slice(b"\"time_interval\":{");
        push_date("start_date_time", facts.start_ms, out);
        out.push(b',');
        push_date("end_date_time", facts.end_ms.max(facts.start_ms), out);
        out.push(b'}');
    } else {
        push_date("date_time", facts.start_ms, out);
    }
    out.push(b'}');
}
