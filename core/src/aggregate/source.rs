//! Which source is believed first, where nobody has said otherwise.

/// What a source is, the best first: the order of the Health app, watch before phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceClass {
    /// What a person entered in the Health app.
    Entered,
    /// An Apple Watch.
    Watch,
    /// A phone.
    Phone,
    /// Anything else.
    Other,
}

impl SourceClass {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entered => "entered by hand",
            Self::Watch => "watch",
            Self::Phone => "phone",
            Self::Other => "other",
        }
    }
}

/// A source as an export names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named<'a> {
    /// Its canonical name.
    pub name: &'a str,
    /// Its version; empty when unknown.
    pub version: &'a str,
    /// The hardware of the device (`Watch7,2`).
    pub hardware: Option<&'a str>,
    /// The device as the export describes it.
    pub device: &'a str,
}

/// What a source is: by its name, and where the name says nothing (`Bob`) by the device, if the
/// source is the device itself and not an app on it. An app has a version of its own, a device has
/// that of its system.
pub fn classify(source: &Named<'_>) -> SourceClass {
    if source.name == "Health" {
        return SourceClass::Entered;
    }
    let has = |text: &str, word: &str| text.to_lowercase().contains(word);
    for (word, class) in [
        ("apple watch", SourceClass::Watch),
        ("iphone", SourceClass::Phone),
    ] {
        if has(source.name, word) {
            return class;
        }
    }
    let software = format!("software:{}", source.version);
    let is_device = !source.version.is_empty()
        && source
            .device
            .split(", ")
            .any(|field| field.trim() == software);
    match source.hardware.filter(|_| is_device) {
        Some(hardware) if has(hardware, "watch") => SourceClass::Watch,
        Some(hardware) if has(hardware, "iphone") => SourceClass::Phone,
        Some(_) | None => SourceClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_and_then_devices_that_are_the_source() {
        let watch = "name:Apple Watch, hardware:Watch7,2, software:11.6.1";
        for (name, version, hardware, device, class) in [
            ("Health", "18.1", None, "", SourceClass::Entered),
            ("Ana's Apple Watch", "", None, "", SourceClass::Watch),
            ("Ana's iPhone", "18.1", None, "", SourceClass::Phone),
            ("Bob", "11.6.1", Some("Watch7,2"), watch, SourceClass::Watch),
            ("Bob", "11.6", Some("Watch7,2"), watch, SourceClass::Other),
            (
                "Strava",
                "4521",
                Some("Watch7,2"),
                watch,
                SourceClass::Other,
            ),
            ("Bob", "", Some("Watch7,2"), watch, SourceClass::Other),
            ("Bob", "11.6.1", None, "", SourceClass::Other),
            (
                "Eva",
                "18.1",
                Some("iPhone15,3"),
                "hardware:iPhone15,3, software:18.1",
                SourceClass::Phone,
            ),
            ("Health Mate", "1", None, "", SourceClass::Other),
        ] {
            let found = classify(&Named {
                name,
                version,
                hardware,
                device,
            });
            assert_eq!(found, class, "{name} {version}");
        }
        assert!(SourceClass::Entered < SourceClass::Watch);
        assert!(SourceClass::Watch < SourceClass::Phone && SourceClass::Phone < SourceClass::Other);
    }
}
