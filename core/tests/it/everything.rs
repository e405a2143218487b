//! An export with one of everything.

use std::fmt::Write as _;

use crate::export::{Style, date, document, element, steps, zip};

/// One of everything that export version 14 knows.
pub(crate) fn everything(style: Style) -> Vec<(String, Vec<u8>)> {
    let at = |minute: i64| date(style, 1_718_442_000 + minute * 60);
    let source = if style.localized {
        "sourceName=\"Simon\u{2019}s\u{a0}Watch\""
    } else {
        "sourceName=\"Simon's Watch\""
    };
    let pointer = format!(
        "device=\"&lt;&lt;HKDevice: {:#x}&gt;, name:Apple Watch, hardware:Watch7,2&gt;\"",
        style.pointer
    );
    let (energy, goal, unit) = if style.imperial {
        ("412.345", "500", "Cal")
    } else {
        ("1725.251", "2092", "kJ")
    };
    let frame = |from: i64, to: i64| {
        format!(
            "{source} {pointer} creationDate=\"{}\" startDate=\"{}\" endDate=\"{}\"",
            at(to),
            at(from),
            at(to)
        )
    };
    let mut parts = [
        format!(
            " <Workout workoutActivityType=\"HKWorkoutActivityTypeSwimBikeRun\" duration=\"60\" durationUnit=\"min\" {}>\n  \
             <WorkoutActivity uuid=\"A-1\" startDate=\"{}\" endDate=\"{}\" duration=\"29.5\" durationUnit=\"min\" workoutActivityType=\"HKWorkoutActivityTypeRunning\">\n   \
             <WorkoutEvent type=\"HKWorkoutEventTypeLap\" date=\"{}\"/>\n   \
             <WorkoutStatistics type=\"HKQuantityTypeIdentifierStepCount\" startDate=\"{}\" endDate=\"{}\" sum=\"5000\" unit=\"count\"/>\n   \
             <MetadataEntry key=\"HKIndoorWorkout\" value=\"0\"/>\n  </WorkoutActivity>\n  \
             <WorkoutActivity uuid=\"A-2\" startDate=\"{}\"/>\n  \
             <WorkoutRoute {}>\n   <MetadataEntry key=\"HKMetadataKeySyncVersion\" value=\"2\"/>\n   <FileReference path=\"/workout-routes/route_1.gpx\"/>\n  </WorkoutRoute>\n </Workout>\n",
            frame(0, 60),
            at(0),
            at(30),
            at(5),
            at(0),
            at(30),
            at(30),
            frame(1, 59)
        ),
        format!(
            " <ActivitySummary dateComponents=\"2024-06-15\" activeEnergyBurned=\"{energy}\" activeEnergyBurnedGoal=\"{goal}\" activeEnergyBurnedUnit=\"{unit}\" appleMoveTime=\"7\" appleMoveTimeGoal=\"0\" appleExerciseTime=\"40\" appleExerciseTimeGoal=\"30\" appleStandHours=\"12\" appleStandHoursGoal=\"12\" novelty=\"x\"/>\n"
        ),
        format!(
            " <Audiogram type=\"HKDataTypeIdentifierAudiogram\" {}>\n  <MetadataEntry key=\"HKExternalUUID\" value=\"G-1\"/>\n  \
             <SensitivityPoint frequencyValue=\"250\" frequencyUnit=\"Hz\" leftEarValue=\"15.5\" leftEarUnit=\"dBHL\" leftEarMasked=\"false\" leftEarClampingRangeLowerBound=\"-10\" rightEarValue=\"20\" rightEarUnit=\"dBHL\"/>\n  \
             <SensitivityPoint frequencyValue=\"500\" frequencyUnit=\"Hz\"/>\n </Audiogram>\n",
            frame(10, 11)
        ),
        format!(
            " <VisionPrescription type=\"glasses\" dateIssued=\"{}\" expirationDate=\"{}\" brand=\"B\">\n  \
             <RightEye sphere=\"-1.25\" sphereUnit=\"D\" axis=\"90\" axisUnit=\"deg\"/>\n  <LeftEye sphere=\"-1.5\" sphereUnit=\"D\"/>\n  \
             <Attachment identifier=\"42\"/>\n  <MetadataEntry key=\"k\" value=\"v\"/>\n </VisionPrescription>\n",
            at(20),
            at(600)
        ),
        format!(
            " <StateOfMind kind=\"dailyMood\" valence=\"0.25\" labels=\"calm happy\" {}/>\n",
            frame(30, 30)
        ),
        format!(
            " <ClinicalRecord type=\"LabResultRecord\" identifier=\"L-1\" sourceName=\"Clinic\" sourceURL=\"https://clinic.example/fhir\" fhirVersion=\"4.0.1\" receivedDate=\"{}\" resourceFilePath=\"/clinical-records/LabResultRecord-1.json\"/>\n",
            at(40)
        ),
        element(style, &steps(1_718_442_000, 100.0)),
    ];
    if style.reversed {
        parts.reverse();
    }
    let me = " <Me HKCharacteristicTypeIdentifierDateOfBirth=\"1985-06-15\" HKCharacteristicTypeIdentifierBloodType=\"HKBloodTypeNotSet\"/>\n";
    let export = document(style, &(me.to_owned() + &parts.concat()));
    let (classification, decimal) = if style.localized {
        ("洞調律", ",")
    } else {
        ("Sinus Rhythm", ".")
    };
    let mut ecg = format!(
        "Name,Test Person\nDate of Birth,\"Jun 15, 1985\"\nRecorded Date,{}\nClassification,{classification}\nSymptoms,\n\
         Software Version,2.0\nDevice,\"Watch6,2\"\nSample Rate,512 hertz\n\n\nLead,Lead I\nUnit,µV\n\n",
        at(50)
    );
    for n in 0..15_360 {
        let _ = writeln!(ecg, "{}{decimal}{:03}", n % 700 - 350, n % 1000);
    }
    let mut gpx = "<?xml version=\"1.0\"?>\n<gpx version=\"1.1\"><trk><name>Route</name><trkseg>\n"
        .to_owned();
    for n in 0..5000 {
        let _ = writeln!(
            gpx,
            "<trkpt lon=\"-73.{n:06}\" lat=\"40.{n:06}\"><ele>1.5</ele>\
             <time>2024-06-15T09:00:00Z</time></trkpt>"
        );
    }
    gpx.push_str("</trkseg></trk></gpx>\n");
    let folder = "apple_health_export";
    vec![
        (format!("{folder}/export.xml"), export.into_bytes()),
        (
            format!("{folder}/export_cda.xml"),
            b"<ClinicalDocument/>".to_vec(),
        ),
        (
            format!("{folder}/workout-routes/route_1.gpx"),
            gpx.into_bytes(),
        ),
        (
            format!("{folder}/electrocardiograms/ecg_2024-06-15.csv"),
            ecg.into_bytes(),
        ),
        (
            format!("{folder}/clinical-records/LabResultRecord-1.json"),
            b"{\"resourceType\": \"Observation\", \"valueQuantity\": {\"value\": 1.10}}\n".to_vec(),
        ),
        (
            "__MACOSX/apple_health_export/._export.xml".to_owned(),
            b"\0\x05\x16\x07".to_vec(),
        ),
    ]
}

pub(crate) fn packed(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<(&str, &[u8])> = entries
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    zip(&entries)
}
