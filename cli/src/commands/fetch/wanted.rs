//! What a `fetch` asks for, and asking for it.

use healthsync_core::{
    api::{self, Code, Types},
    format,
    kind::{Group, Kind},
    report::Hint as _,
    time,
};

use super::totals::Totals;
use crate::{
    args::Fetch,
    client::{Answer, Link},
    commands::request::Request,
    error::CliError,
    range::Stretch,
};

/// Which types, as far as this computer knows them.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Named one by one.
    named: Vec<String>,
    /// Words that only the server may know.
    pub(super) unknown: Vec<String>,
    /// The members of the groups that were named: who may not read one of them still gets the rest.
    members: Vec<String>,
    /// Also origin, device, creation date and metadata.
    pub(super) include_metadata: bool,
    /// Totals in place of samples.
    totals: Option<Totals>,
}

impl Wanted {
    /// Reads `--types` and `--category`; nothing means all. Words that are near to a known name are
    /// typing errors; others may be names that only the server knows, and are asked for there.
    pub(super) fn new(fetch: &Fetch, totals: Option<Totals>) -> Result<Self, CliError> {
        let mut wanted = Self {
            include_metadata: fetch.include_metadata,
            totals,
            ..Self::default()
        };
        for word in fetch.types.iter().map(|word| word.trim()) {
            if word.is_empty() {
                return Err(CliError::usage("--types has an empty name in it")
                    .with_hint("name types, separated by commas, or leave `--types` out to get all; `healthsync types` lists the names"));
            }
            if word.eq_ignore_ascii_case("all") {
                return Ok(Self {
                    include_metadata: fetch.include_metadata,
                    totals: wanted.totals,
                    ..Self::default()
                });
            }
            match (Kind::parse(word), Group::parse(word)) {
                (Ok(_), _) => wanted.named.push(word.to_owned()),
                (Err(_), Some(group)) => wanted.add(group),
                (Err(error), None) if error.nearest.is_some() => {
                    return Err(unknown_type(&[word.to_owned()], error.nearest.as_deref()));
                }
                (Err(_), None) => wanted.unknown.push(word.to_owned()),
            }
        }
        for name in &fetch.category {
            wanted.add(name.group());
        }
        Ok(wanted)
    }

    fn add(&mut self, group: Group) {
        self.members
            .extend(group.kinds().map(|kind| kind.to_string()));
    }

    /// Whether both numbers of a blood pressure are asked for.
    pub(super) fn has_pressures(&self) -> bool {
        let everything =
            self.named.is_empty() && self.unknown.is_empty() && self.members.is_empty();
        let kinds = || self.named.iter().chain(&self.members);
        let names = |wanted: &str| {
            kinds().any(|name| Kind::parse(name).is_ok_and(|found| &*found.kind == wanted))
        };
        everything || (names("bloodPressureSystolic") && names("bloodPressureDiastolic"))
    }

    /// The request, with the unknown words as they are.
    pub(super) fn request(&self, fetch: &Fetch, stretch: Stretch) -> Request {
        let types: Vec<&str> = [&self.named, &self.unknown, &self.members]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let given = |text: String| (!text.is_empty()).then_some(text);
        let request = Request::get(
            api::SAMPLES,
            format::by_name("arrow").map(|format| format.media_type),
        )
        .with("types", given(types.join(",")))
        .with("origin", given(fetch.origin.join(",")))
        .with("start", stretch.start_ms.map(time::rfc3339))
        .with("end", stretch.end_ms.map(time::rfc3339))
        .with("limit", fetch.limit.map(|limit| limit.to_string()))
        .with("offset", fetch.offset.map(|offset| offset.to_string()))
        .with("metadata", self.include_metadata.then(|| "true".to_owned()));
        match &self.totals {
            Some(totals) => totals.request(request),
            None => request,
        }
    }

    /// Sends the request; names that only the server may know are compared with its list first.
    pub(super) async fn ask(
        &mut self,
        link: &mut Link,
        fetch: &Fetch,
        stretch: Stretch,
    ) -> Result<Answer, CliError> {
        if !self.unknown.is_empty() {
            let (held, _): (Types, _) = link.get(api::TYPES).await?;
            for word in std::mem::take(&mut self.unknown) {
                let names = held.enabled_types.iter().map(String::as_str);
                let selector = Kind::parse_among(&word, names)
                    .map_err(|error| unknown_type(&[word], error.nearest.as_deref()))?;
                self.named.push(selector.kind.as_str().to_owned());
            }
        }
        match self.request(fetch, stretch).send(link).await {
            Err(error)
                if error.code() == Code::TypeNotAllowed.as_str() && !self.members.is_empty() =>
            {
                let (held, _): (Types, _) = link.get(api::TYPES).await?;
                self.members
                    .retain(|name| held.enabled_types.contains(name));
                if self.members.is_empty() && self.named.is_empty() {
                    // An empty list would ask for everything.
                    return Err(error);
                }
                self.request(fetch, stretch).send(link).await
            }
            outcome => outcome,
        }
    }
}

/// No type has one of these names.
pub(super) fn unknown_type(words: &[String], nearest: Option<&str>) -> CliError {
    let error = CliError::new(
        Code::UnknownType,
        format!("unknown type {}", words.join(", ")),
    );
    match nearest {
        Some(nearest) => error.with_hint(format!(
            "did you mean {nearest}? `healthsync types` lists the names"
        )),
        None => error,
    }
}
