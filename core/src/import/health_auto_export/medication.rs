//! Doses of medications.

use serde_json::Value;

use super::{
    events, moment,
    tree::{NO_DATE, Tree},
};
use crate::{
    document::{Document, Noun},
    import::provenance::Writers,
};

/// A dose, taken or not. Its time is the one at which it was due: `start` is when the medication was
/// begun in some files and when the dose was taken in others, so days share the former, and the latter
/// changes when a dose is marked as taken.
pub(super) fn read(tree: &Tree, writers: &mut Writers) -> Result<Document, &'static str> {
    let times = ["scheduledDate", "start", "startDate", "date"];
    let at = times
        .iter()
        .find_map(|name| moment::parse(tree.text(name)?))
        .ok_or(NO_DATE)?;
    let dose = Document::new(Noun::Medication, at, at);
    let mut dose = events::document(dose, tree, &[], None, writers);
    dose.external_id = dose.external_id.or_else(|| name(tree));
    Ok(dose)
}

/// What was prescribed: several doses stand at one instant. A code alone may be that of several
/// strengths, and what a person enters has none.
fn name(tree: &Tree) -> Option<String> {
    let name = tree.first(&["displayText", "nickname", "name"]);
    let code = code(tree);
    if name.is_none() && code.is_none() {
        return None;
    }
    let (name, code) = (name.unwrap_or_default(), code.unwrap_or_default());
    Some(format!("{name}\n{code}"))
}

/// The first code, in the system that it is of.
fn code(tree: &Tree) -> Option<String> {
    let coding = tree.fields.get("codings")?.as_array()?.first()?;
    let part = |name| coding.get(name).and_then(Value::as_str);
    Some(format!(
        "{}\n{}",
        part("system").unwrap_or_default(),
        part("code")?
    ))
}
