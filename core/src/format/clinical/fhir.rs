//! FHIR R4 (4.0.1) Observations. No profile is claimed, so that none is broken; nobody is named:
//! there is no `subject`.

use super::{
    Facts, Said,
    codes::{Coding, Measure},
    number, plain, push_date, push_text,
};

const LOINC: &str = "http://loinc.org";
const UCUM: &str = "http://unitsofmeasure.org";
const APPLE: &str = "http://developer.apple.com/documentation/healthkit";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// The beginning of a Bundle, without its entries: an empty array is not allowed.
pub(super) fn start(made_ms: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"resourceType":"Bundle","type":"collection","#);
    push_date("timestamp", made_ms, out);
}

/// What stands before the first entry.
pub(super) fn first(out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"entry\":[\n");
}

/// The end of a Bundle.
pub(super) fn finish(has_entries: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if has_entries { b"\n]}\n" } else { b"}\n" });
}

/// An entry of a Bundle around the resource that `write` appends.
pub(super) fn entry(facts: &Facts<'_>, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'{');
    push_text("fullUrl", &format!("urn:uuid:{}", facts.id), out);
    out.extend_from_slice(b",\"resource\":");
    write(out);
    out.push(b'}');
}

/// The Observation of a sample.
pub(super) fn sample(coding: &Coding, facts: &Facts<'_>, value: &Said<'_>, out: &mut Vec<u8>) {
    head(facts, coding.group, out);
    out.extend_from_slice(b",\"code\":");
    codes(coding, out);
    times(facts, out);
    out.push(b',');
    push_value(coding, value, out);
    tail(facts, out);
}

/// The Observation of a blood pressure: two components, no value of its own.
pub(super) fn pressure(facts: &Facts<'_>, numbers: [f64; 2], out: &mut Vec<u8>) {
    head(facts, Some(("vital-signs", "Vital Signs")), out);
    out.extend_from_slice(b",\"code\":{\"coding\":[");
    let panel = "Blood pressure panel with all children optional";
    push_coding(LOINC, "85354-9", panel, out);
    out.push(b',');
    let apple = "HKCorrelationTypeIdentifierBloodPressure";
    push_coding(APPLE, apple, "Blood Pressure", out);
    out.extend_from_slice(b"]}");
    times(facts, out);
    out.extend_from_slice(b",\"component\":[");
    let names = ["bloodPressureSystolic", "bloodPressureDiastolic"];
    let codings = names.map(|name| super::CODINGS.iter().find(|coding| coding.name == name));
    for (index, (coding, number)) in codings.into_iter().flatten().zip(numbers).enumerate() {
        out.extend_from_slice(if index == 0 { b"" } else { b"," });
        out.extend_from_slice(b"{\"code\":");
        codes(coding, out);
        out.push(b',');
        push_value(coding, &Said::Number(number), out);
        out.push(b'}');
    }
    out.push(b']');
    tail(facts, out);
}

fn head(facts: &Facts<'_>, group: Option<super::codes::Group>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"resourceType":"Observation","#);
    push_text("id", facts.id, out);
    out.extend_from_slice(br#","identifier":[{"system":"urn:ietf:rfc:3986","#);
    push_text("value", &format!("urn:uuid:{}", facts.id), out);
    out.extend_from_slice(br#"}],"status":"final""#);
    if let Some((code, display)) = group {
        out.extend_from_slice(b",\"category\":[{\"coding\":[");
        push_coding(CATEGORY, code, display, out);
        out.extend_from_slice(b"]}]");
    }
}

fn codes(coding: &Coding, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"coding\":[");
    if let Some((code, display)) = coding.loinc {
        push_coding(LOINC, code, display, out);
        out.push(b',');
    }
    push_coding(APPLE, coding.apple, coding.display, out);
    out.extend_from_slice(b"]}");
}

fn push_coding(system: &str, code: &str, display: &str, out: &mut Vec<u8>) {
    out.push(b'{');
    push_text("system", system, out);
    out.push(b',');
    push_text("code", code, out);
    out.push(b',');
    push_text("display", display, out);
    out.push(b'}');
}

fn times(facts: &Facts<'_>, out: &mut Vec<u8>) {
    out.push(b',');
    // An end before the start is a writer's mistake, and no period.
    if facts.end_ms > facts.start_ms {
        out.extend_from_slice(b"\"effectivePeriod\":{");
        push_date("start", facts.start_ms, out);
        out.push(b',');
        push_date("end", facts.end_ms, out);
        out.push(b'}');
    } else {
        push_date("effectiveDateTime", facts.start_ms, out);
    }
    if let Some(created_ms) = facts.created_ms {
        out.push(b',');
        push_date("issued", created_ms, out);
    }
}

fn push_value(coding: &Coding, value: &Said<'_>, out: &mut Vec<u8>) {
    match (&coding.measure, value) {
        (Measure::Quantity { ucum, unit, shift }, Said::Number(value)) => {
            out.extend_from_slice(b"\"valueQuantity\":{\"value\":");
            number::push(*value, *shift, out);
            out.push(b',');
            push_text("unit", unit, out);
            out.push(b',');
            push_text("system", UCUM, out);
            out.push(b',');
            push_text("code", ucum, out);
            out.push(b'}');
        }
        (Measure::Category { prefix, names }, Said::Name(name)) => {
            out.extend_from_slice(b"\"valueCodeableConcept\":{");
            // Of another name nobody knows whether HealthKit has a code.
            if names.contains(name) {
                let mut letters = name.chars();
                let first = letters.next().map(|first| first.to_ascii_uppercase());
                let code: String = prefix.chars().chain(first).chain(letters).collect();
                out.extend_from_slice(b"\"coding\":[{");
                push_text("system", APPLE, out);
                out.push(b',');
                push_text("code", &code, out);
                out.extend_from_slice(b"}],");
            }
            push_text("text", name, out);
            out.push(b'}');
        }
        // `Clinical::sample` gives each measure what belongs to it.
        (Measure::Quantity { .. }, Said::Name(_)) | (Measure::Category { .. }, Said::Number(_)) => {
            out.extend_from_slice(b"\"dataAbsentReason\":{\"text\":\"unknown\"}");
        }
    }
}

fn tail(facts: &Facts<'_>, out: &mut Vec<u8>) {
    let (source, device) = (plain(facts.source), plain(facts.device.unwrap_or_default()));
    let shown = match (source.trim(), device.trim()) {
        ("", "") => None,
        (one, "") | ("", one) => Some(one.to_owned()),
        (source, device) => Some(format!("{source} ({device})")),
    };
    if let Some(shown) = shown {
        out.extend_from_slice(b",\"device\":{");
        push_text("display", &shown, out);
        out.push(b'}');
    }
    out.push(b'}');
}
