//! Series in a copy: the points of routes, the voltages of electrocardiograms.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{copies::read, device::Device, host::Host};

/// An unpacked export with a route and an electrocardiogram of so many points.
fn write_series(folder: &Path, points: u32) {
    let point = |at: u32| {
        format!(
            "<trkpt lat=\"47.{at:06}\" lon=\"15.{:06}\"><ele>{at}.25</ele>\
             <time>2026-01-10T08:{:02}:{:02}Z</time><extensions><speed>1.5</speed><course>171.{at}</course>\
             <hAcc>4</hAcc><vAcc>3.5</vAcc></extensions></trkpt>",
            at * 7,
            at / 60 % 60,
            at % 60,
        )
    };
    let track: String = (0..points).map(point).collect();
    let voltages: String = (0..points)
        .map(|at| format!("-{at}.125\n"))
        .fold(String::new(), |text, line| text + &line);
    for (name, text) in [
        (
            "export.xml",
            "<HealthData locale=\"en_US\"><ExportDate value=\"2026-02-01 08:00:00 +0000\"/></HealthData>"
                .to_owned(),
        ),
        (
            "workout-routes/route.gpx",
            format!("<gpx><trk><name>Route</name><trkseg>{track}</trkseg></trk></gpx>"),
        ),
        (
            "electrocardiograms/ecg_2026-01-10.csv",
            format!(
                "Name,\nDate of Birth,\nRecorded Date,2026-01-10 08:00:00 +0000\n\
                 Classification,Sinus Rhythm\nSymptoms,\nSoftware Version,2\nDevice,Watch\n\
                 Sample Rate,512 hertz\n\n\nLead,Lead I\nUnit,µV\n\n{voltages}"
            ),
        ),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("ours");
        fs::write(path, text).expect("ours");
    }
}

/// Points and voltages come with their documents, in their order.
#[test]
fn a_copy_has_the_points_of_routes_and_the_voltages_of_electrocardiograms() {
    let mut host = Host::new();
    let export = host.path("export");
    write_series(&export, 5000);
    host.import(&export).good();
    host.start();
    let (device, _) = Device::paired(&host, "laptop");
    let copy = device.path("copy.db");
    device
        .run(&["sync", "--to", copy.to_str().expect("a plain path")])
        .good();
    let routes = device.run(&["fetch", "routes", "--all"]).good().events();
    let recordings = device.run(&["fetch", "ecg", "--all"]).good().events();
    assert!(!routes.is_empty() && !recordings.is_empty());
    for (documents, sql) in [
        (
            routes,
            "SELECT latitude, longitude, elevation, speed, course, horizontalAccuracy,
                    verticalAccuracy FROM route_point WHERE route = 'ID' ORDER BY position",
        ),
        (
            recordings,
            "SELECT voltage FROM ecg_voltage WHERE ecg = 'ID' ORDER BY position",
        ),
    ] {
        for document in documents {
            let points = [&document["points"], &document["voltages"]];
            let points = points.into_iter().find_map(Value::as_array);
            let points = points.expect("a series");
            let id = document["id"].as_str().expect("an id");
            let rows = read(&copy, &sql.replace("ID", id));
            assert_eq!((rows.len(), points.len()), (5000, 5000));
            for (row, point) in rows.iter().zip(points) {
                for (name, cell) in row.as_object().expect("a row") {
                    let expected = point.get(name).unwrap_or(point).as_f64();
                    let found = cell.as_f64();
                    let is_equal = found
                        .zip(expected)
                        .is_some_and(|(a, b)| (a - b).abs() <= b.abs() * 1e-13);
                    assert!(is_equal, "{name} of {row} is not that of {point}");
                }
            }
        }
    }
    in_a_folder(&device);
}

/// The same in files: points by the year of their instant, voltages without one.
fn in_a_folder(device: &Device) {
    let folder = device.path("files");
    let to = folder.to_str().expect("a plain path");
    device.run(&["sync", "--to", to, "--format", "csv"]).good();
    for (file, row) in [
        (
            "route_point/2026.csv",
            ",4999,2026-01-10T08:23:19Z,47.004999,15.034993,4999.25,1.5,171.4999,4,3.5",
        ),
        ("ecg_voltage/undated.csv", ",4999,-4999.125"),
    ] {
        let text = fs::read_to_string(folder.join(file)).expect(file);
        assert_eq!(text.lines().count(), 5001, "{file}");
        assert!(text.lines().any(|line| line.ends_with(row)), "{file}");
    }
}
