//! Where files go: where a person says, and nowhere that a peer, an archive or a link says.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{
    device::Device,
    export,
    host::{Host, demo_export},
    program,
};

/// Everything below a folder, with its mode and, of a file, what is in it.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let about = fs::symlink_metadata(&path).expect("it is there");
            let content = if about.is_file() {
                fs::read(&path).expect("ours")
            } else {
                Vec::new()
            };
            if about.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (about.permissions().mode() & 0o777, content));
        }
    }
    found
}

/// Whether others than the owner may do anything.
fn is_open(mode: u32) -> bool {
    mode & 0o077 != 0
}

/// An archive with a good export, and beside it names that lead out of any folder.
fn write_archive(path: &Path) {
    let mut archive = ZipWriter::new(fs::File::create(path).expect("ours"));
    let options = SimpleFileOptions::default();
    for name in [
        "../../escaped.gpx",
        "/escaped.gpx",
        "apple_health_export/workout-routes/../../../../escaped.gpx",
        "..\\..\\escaped.gpx",
        "apple_health_export/C:\\escaped.gpx",
    ] {
        archive.start_file(name, options).expect("room");
        archive.write_all(b"escaped").expect("room");
    }
    archive
        .add_symlink("apple_health_export/link.gpx", "../../escaped.gpx", options)
        .expect("room");
    archive
        .start_file("apple_health_export/Export.xml", options)
        .expect("room");
    archive
        .write_all(export::xml_of(&demo_export()).as_bytes())
        .expect("room");
    archive.finish().expect("room");
}

#[test]
fn export_paths() {
    // What is imported: no name in the archive is a path.
    let mut host = Host::new();
    let inner = host.path("a/b");
    fs::create_dir_all(&inner).expect("ours");
    let archive = host.path("names.zip");
    write_archive(&archive);
    let before = tree(&host.path(""));
    let text = archive.to_str().expect("a plain path");
    let import = program::run(host.command(&["import", text]).current_dir(&inner), b"");
    assert_eq!(import.good().last()["new"], 1990);
    let mut after = tree(&host.path(""));
    after.retain(|path, _| !path.starts_with(host.path("server")));
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    assert!(!Path::new("/escaped.gpx").exists());

    // What is fetched.
    host.start();
    let (device, _) = Device::paired(&host, "../../Anna");
    let folder = device.path("out");
    fs::create_dir(&folder).expect("ours");
    let (mine, target) = (folder.join("mine.csv"), folder.join("target.csv"));
    let (link, dangling) = (folder.join("link.csv"), folder.join("dangling.csv"));
    fs::write(&mine, "mine").expect("ours");
    fs::write(&target, "target").expect("ours");
    symlink(&target, &link).expect("ours");
    symlink(folder.join("nowhere.csv"), &dangling).expect("ours");
    let fetch = |path: &Path, more: &[&str]| {
        let path = path.to_str().expect("a plain path");
        let args = ["fetch", "--all", "--format", "csv", "--output", path];
        device.run(&[&args, more].concat())
    };
    let before = tree(&folder);
    fetch(&mine, &[]).failed(1, &["OUTPUT_EXISTS"]);
    for path in [&link, &dangling, &folder] {
        for more in [&[][..], &["--force"]] {
            fetch(path, more).failed(1, &["OUTPUT_EXISTS"]);
        }
    }
    assert!(tree(&folder) == before, "something was touched");
    fetch(&mine, &["--force"]).good();
    let mut after = tree(&folder);
    let (mode, content) = after.remove(&mine).expect("it is there");
    assert_eq!(mode, 0o600);
    assert!(
        content.starts_with(b"id,") && content.len() > 1000,
        "{mode:o}"
    );
    assert!(
        after
            .iter()
            .all(|(path, found)| before.get(path) == Some(found))
    );

    // Certificates.
    for path in [&link, &dangling, &folder, &target] {
        let path = path.to_str().expect("a plain path");
        device
            .run(&["cert", "export", "--ca", "--output", path])
            .failed(1, &["OUTPUT_EXISTS"]);
    }
    let certificate = folder.join("ca.pem");
    let path = certificate.to_str().expect("a plain path");
    device
        .run(&["cert", "export", "--ca", "--output", path])
        .good();
    let about = fs::metadata(&certificate).expect("it is there");
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&target).expect("ours"), b"target");

    // The picture of a code.
    let picture = mine.to_str().expect("a plain path");
    host.run(&["pair", "--png", picture])
        .failed(1, &["OUTPUT_EXISTS"]);

    // What both keep is for their owners only, and no peer's name names a file.
    let mut keys = 0;
    for home in [device.path("home"), host.path("server")] {
        for (path, (mode, _)) in tree(&home) {
            let name = path.display().to_string();
            assert!(!name.contains("Anna") && !name.contains("Test"), "{name}");
            if name.contains("/keys/") {
                assert_eq!(mode, 0o600, "{name}");
                keys += 1;
            }
            assert!(
                !is_open(mode) || path.parent() == Some(&home),
                "{name}: {mode:o}"
            );
        }
        let mode = fs::metadata(&home).expect("ours").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{home:?}");
    }
    assert!(keys > 2, "{keys} keys");
}
