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

/// What a source is, by its canonical name and by the hardware of its device, if that is known.
/// Without hardware the name decides: whoever renames a watch to `Bob` gives its place away, unless
/// the export names the device.
pub fn classify(canonical_name: &str, hardware: Option<&str>) -> SourceClass {
    if canonical_name == "Health" {
        return SourceClass::Entered;
    }
    let has = |text: &str, word: &str| text.to_lowercase().contains(word);
    if let Some(hardware) = hardware {
        for (word, class) in [
            ("watch", SourceClass::Watch),
            ("iphone", SourceClass::Phone),
        ] {
            if has(hardware, word) {
                return class;
            }
        }
    }
    if has(canonical_name, "apple watch") {
        SourceClass::Watch
    } else if has(canonical_name, "iphone") {
        SourceClass::Phone
    } else {
        SourceClass::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_decides_before_the_name() {
        for (name, hardware, class) in [
            ("Health", None, SourceClass::Entered),
            ("Health", Some("iPhone15,3"), SourceClass::Entered),
            ("Ana's Apple Watch", None, SourceClass::Watch),
            ("Bob", Some("Watch7,2"), SourceClass::Watch),
            ("Ana's iPhone", Some("iPhone15,3"), SourceClass::Phone),
            ("Ana's iPhone", None, SourceClass::Phone),
            ("Strava", None, SourceClass::Other),
            ("Strava", Some("iPhone15,3"), SourceClass::Phone),
            ("Health Mate", None, SourceClass::Other),
        ] {
            assert_eq!(classify(name, hardware), class, "{name} {hardware:?}");
        }
        assert!(SourceClass::Entered < SourceClass::Watch);
        assert!(SourceClass::Watch < SourceClass::Phone && SourceClass::Phone < SourceClass::Other);
    }
}
