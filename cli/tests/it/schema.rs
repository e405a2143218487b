//! Checks JSON against the published schemas in docs/reference/schemas: the part of JSON Schema that
//! they use, and one rule more: a property that no schema names is an error, so that what is printed
//! is what is published.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

/// The folder of the published descriptions.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference")
}

/// The schema of this name: a file, or a part of the description of the HTTP interface.
fn load(name: &str) -> Value {
    let file = match name.strip_prefix('#') {
        Some(_) => folder().join("openapi.json"),
        None => folder().join("schemas").join(name),
    };
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let whole: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    match name.strip_prefix('#') {
        Some(pointer) => whole
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{name} is not there"))
            .clone(),
        None => whole,
    }
}

/// Whether the value is as a schema says, which stands in the description of the HTTP interface.
pub(crate) fn check_part(schema: &Value, value: &Value) -> Result<(), String> {
    check(schema, value, "$")
}

/// Every line of JSON is as the schema of this command says.
#[track_caller]
pub(crate) fn assert_lines(name: &str, lines: &[Value]) {
    let schema = load(&format!("{name}.json"));
    for line in lines {
        if let Err(why) = check(&schema, line, "$") {
            panic!("{name}: {why}\n{line:#}");
        }
    }
}

/// What a keyword may be; any other one in a schema is a mistake of its author.
const KEYWORDS: &[&str] = &[
    "$ref",
    "$schema",
    "additionalProperties",
    "const",
    "description",
    "enum",
    "format",
    "items",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
];

fn check(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = schema
        .as_object()
        .ok_or_else(|| format!("{at}: not a schema"))?;
    if let Some(strange) = schema.keys().find(|key| !KEYWORDS.contains(&key.as_str())) {
        return Err(format!("{at}: the schema uses `{strange}`"));
    }
    if let Some(other) = schema.get("$ref").and_then(Value::as_str) {
        return check(&load(other), value, at);
    }
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        return one_of(choices, value, at);
    }
    if let Some(wanted) = schema.get("const")
        && wanted != value
    {
        return Err(format!("{at}: {value} is not {wanted}"));
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        return Err(format!("{at}: {value} is none of {choices:?}"));
    }
    has_type(schema, value, at)?;
    match value {
        Value::String(text) => string(schema, text, at),
        Value::Number(number) => match schema.get("minimum").and_then(Value::as_f64) {
            Some(least) if number.as_f64() < Some(least) => {
                Err(format!("{at}: {number} is too small"))
            }
            _ => Ok(()),
        },
        Value::Array(items) => {
            let schema = schema
                .get("items")
                .ok_or_else(|| format!("{at}: an array of what?"))?;
            items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| check(schema, item, &format!("{at}[{index}]")))
        }
        Value::Object(object) => properties(schema, object, at),
        _ => Ok(()),
    }
}

fn one_of(choices: &[Value], value: &Value, at: &str) -> Result<(), String> {
    let mut failures = Vec::new();
    for choice in choices {
        match check(choice, value, at) {
            Ok(()) => {}
            Err(why) => failures.push(why),
        }
    }
    match choices.len() - failures.len() {
        1 => Ok(()),
        0 => Err(failures.join("\n")),
        count => Err(format!("{at}: fits {count} schemas")),
    }
}

fn has_type(schema: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
    let names: Vec<&str> = match schema.get("type") {
        None => return Ok(()),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(name) => name.as_str().into_iter().collect(),
    };
    let fits = names.iter().any(|name| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    });
    if fits {
        Ok(())
    } else {
        Err(format!("{at}: {value} is no {names:?}"))
    }
}

fn string(schema: &Map<String, Value>, text: &str, at: &str) -> Result<(), String> {
    let is_time = schema
        .get("format")
        .is_some_and(|format| format == "date-time");
    if is_time && (!text.ends_with('Z') || text.parse::<jiff::Timestamp>().is_err()) {
        return Err(format!("{at}: {text:?} is no UTC time"));
    }
    let is_name =
        |least: usize, fits: fn(u8) -> bool| text.len() >= least && text.bytes().all(fits);
    // The patterns that the schemas use, each by name: no regular expression is needed for them.
    let fits = match schema.get("pattern").and_then(Value::as_str) {
        None => true,
        Some("^[A-Z0-9_]+$") => is_name(1, |b| {
            b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'
        }),
        Some("^[a-z2-7]{26}$") => {
            text.len() == 26
                && is_name(26, |b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
        }
        Some("^[0-9a-f]{64}$") => text.len() == 64 && is_name(64, is_hex),
        Some("^sha256:[0-9a-f]{64}$") => text
            .strip_prefix("sha256:")
            .is_some_and(|digits| digits.len() == 64 && digits.bytes().all(is_hex)),
        Some("^[a-z-]+$") => is_name(1, |b| b.is_ascii_lowercase() || b == b'-'),
        Some("^[0-9]{6}$") => text.len() == 6 && is_name(6, |b| b.is_ascii_digit()),
        Some("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$") => {
            let groups: Vec<usize> = text.split('-').map(str::len).collect();
            groups == [8, 4, 4, 4, 12] && is_name(36, |b| b == b'-' || is_hex(b))
        }
        Some(other) => {
            return Err(format!(
                "{at}: the checker does not know the pattern {other}"
            ));
        }
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{at}: {text:?} does not fit its pattern"))
    }
}

fn properties(
    schema: &Map<String, Value>,
    object: &Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    let none = Map::new();
    let named = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            return Err(format!("{at}: {name} is missing"));
        }
    }
    // `{"type": "object"}` alone is any object.
    let is_open = named.is_empty() && !schema.contains_key("additionalProperties");
    for (name, value) in object {
        match named
            .get(name)
            .or_else(|| schema.get("additionalProperties"))
        {
            Some(schema) => check(schema, value, &format!("{at}.{name}"))?,
            None if is_open => {}
            None => return Err(format!("{at}: {name} is not published")),
        }
    }
    Ok(())
}

#[test]
fn the_checker_refuses_what_does_not_fit() {
    use serde_json::json;

    let schema = json!({
        "type": "object",
        "properties": {
            "event": {"const": "x"},
            "count": {"type": "integer", "minimum": 0},
            "time": {"type": "string", "format": "date-time"},
            "name": {"type": ["string", "null"]},
            "list": {"type": "array", "items": {"enum": ["a", "b"]}},
        },
        "required": ["event"],
    });
    let good = json!({"event": "x", "count": 1, "time": "2026-01-01T00:00:00Z", "name": null, "list": ["a"]});
    assert_eq!(check(&schema, &good, "$"), Ok(()));
    for (name, value) in [
        ("event", json!("y")),
        ("count", json!(-1)),
        ("count", json!("1")),
        ("count", json!(1.5)),
        ("time", json!("2026-01-01")),
        ("time", json!("2026-01-01T00:00:00+01:00")),
        ("name", json!(1)),
        ("list", json!(["a", "c"])),
        ("strange", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        assert!(check(&schema, &bad, "$").is_err(), "{bad}");
    }
    assert!(check(&schema, &json!({}), "$").is_err());
    assert!(check(&json!({"maximum": 1}), &json!(1), "$").is_err());
    let both = json!({"oneOf": [{"type": "number"}, {"type": "integer"}]});
    assert!(check(&both, &json!(1.5), "$").is_ok());
    assert!(check(&both, &json!(1), "$").is_err());
    assert!(check(&both, &json!("1"), "$").is_err());
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}
